"""Activations computed natively: the same maps, logits and terms as in TensorFlow's own operations."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_fullgrad as ke
import zoo
from keras_fullgrad.native import activations
from rewritten import assert_same, images, operations

pytestmark = pytest.mark.slow

ACTIVATIONS = {
    "silu": "silu",
    "keras.ops.silu": keras.ops.silu,
    "tf.nn.silu": tf.nn.silu,
    "hard_silu": "hard_silu",
    "keras.ops.hard_silu": keras.ops.hard_silu,
    "gelu": "gelu",
    "tf.nn.gelu": tf.nn.gelu,
    "keras.ops.gelu": keras.ops.gelu,
    "gelu, approximate": functools.partial(keras.activations.gelu, approximate=True),
    "gelu, exact": functools.partial(keras.ops.gelu, approximate=False),
}
OTHERS = {
    "relu": "relu",
    "a function of one's own": lambda x: keras.activations.silu(x) + 0.5,
    "other arguments": functools.partial(tf.nn.silu, beta=2.0),
    "not hashable": type("Own", (), {"__call__": lambda self, x: tf.nn.silu(2.0 * x), "__hash__": None})(),
}


def net(activation, dtype="float32", size=12):
    """The activation as a layer's own, and as a layer, with terms whose places are known through it."""
    image = x = keras.Input([size, size, 3], dtype=dtype)
    x = layers.Conv2D(4, 3, padding="same", activation=activation, dtype=dtype)(x)
    x = layers.Conv2D(4, 3, use_bias=False, dtype=dtype)(x)
    x = layers.Activation(activation, dtype=dtype)(layers.BatchNormalization(dtype=dtype)(x))
    x = layers.Conv2D(3, 3, dtype=dtype)(x)
    x = layers.Dense(5, activation=activation, dtype=dtype)(layers.GlobalAveragePooling2D(dtype=dtype)(x))
    model = keras.Model(image, layers.Dense(2, dtype=dtype)(x))
    zoo.draw_weights(model, np.random.default_rng(3))
    return model


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_maps_and_terms_are_the_same(name):
    model = net(ACTIVATIONS[name])
    assert operations(model).count(activations.OP) == 3
    assert_same(model, images(model), implicit_biases=False)


@pytest.mark.parametrize("name", ["silu", "hard_silu", "gelu", "keras.ops.gelu"])
def test_terms_are_exact(name):
    """In float64; GELU, of which TensorFlow rounds the constants, is left to it there."""
    model = net(ACTIVATIONS[name], "float64")
    assert operations(model).count(activations.OP) == (0 if "gelu" in name else 3)
    assert_same(model, images(model), 1e-12, implicit_biases=False)


@pytest.mark.parametrize("name", OTHERS)
def test_other_functions_are_called(name):
    model = net(OTHERS[name])
    assert activations.OP not in operations(model)
    assert_same(model, images(model), implicit_biases=False)


def test_plain_tensorflow_has_no_native_op():
    assert activations.OP not in operations(net("silu"), native=False)


def test_the_model_stays_as_it_is():
    model = net("silu")
    x = np.random.default_rng(0).normal(size=[2, 12, 12, 3]).astype("float32")
    before = model(x).numpy()
    ke.full_gradients(model, x, verbose=0, implicit_biases=False)
    assert model.layers[1].activation is keras.activations.silu
    np.testing.assert_array_equal(model(x), before)


def test_an_activation_that_is_shared_by_two_calls_is_computed_for_each():
    image = keras.Input([12, 12, 3])
    shared = layers.Activation("gelu")
    x = shared(layers.Conv2D(4, 3)(shared(layers.Conv2D(4, 3)(image))))
    model = zoo.with_head(image, x)
    zoo.draw_weights(model, np.random.default_rng(3))
    assert operations(model).count(activations.OP) == 2
    assert_same(model, images(model), implicit_biases=False)
