"""Squeeze-and-excite with what goes back read in one: the same maps, logits and terms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_fullgrad as ke
import zoo
from keras_fullgrad.model.rewriting import squeeze
from keras_fullgrad.native import activations, scaling
from rewritten import assert_same, images, operations

pytestmark = pytest.mark.slow


def block(x, activation="silu", keepdims=True, swapped=False, **options):
    """A convolution, an activation, and a gate made of the mean."""
    channels = x.shape[-1]
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, **options)(x)
    x = layers.Activation(activation, **options)(layers.BatchNormalization(**options)(x))
    pooled = layers.GlobalAveragePooling2D(keepdims=keepdims, **options)(x)
    if not keepdims:
        pooled = layers.Reshape([1, 1, channels], **options)(pooled)
    gate = layers.Conv2D(2, 1, activation=activation, **options)(pooled)
    gate = layers.Conv2D(channels, 1, activation="sigmoid", **options)(gate)
    return layers.Multiply(**options)([gate, x] if swapped else [x, gate])


def net(dtype="float32", blocks=2, **options):
    image = keras.Input([12, 12, 4], dtype="float64" if dtype == "float64" else "float32")
    x = image
    for _ in range(blocks):
        x = layers.Conv2D(4, 3, dtype=dtype)(block(x, dtype=dtype, **options))
    model = zoo.with_head(image, x, dtype=dtype)
    zoo.draw_weights(model, np.random.default_rng(3))
    return model


@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("swapped", [True, False])
@pytest.mark.parametrize("activation", ["silu", "hard_silu", "gelu", "relu"])
def test_maps_and_terms_are_the_same(activation, swapped, keepdims):
    model = net(activation=activation, swapped=swapped, keepdims=keepdims)
    assert operations(model).count(scaling.OP) == 2
    assert_same(model, images(model), implicit_biases=False)


@pytest.mark.parametrize("activation", ["silu", "hard_silu"])
def test_terms_are_exact(activation):
    model = net("float64", activation=activation)
    assert_same(model, images(model), 1e-12, implicit_biases=False)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_types(policy):
    model = net(policy)
    rtol = {"mixed_float16": 4e-3, "mixed_bfloat16": 4e-2}[policy]
    assert_same(model, images(model), rtol, implicit_biases=False)


def test_an_activation_reads_what_goes_back_in_parts():
    """The gradients before it are those of one operation, which is given neither a product nor a sum."""
    model = net(blocks=1)
    x = tf.constant(images(model, 1))

    @tf.function(autograph=False)
    def gradient(x):
        return ke.methods.gradient.full_gradients(model, x, implicit_biases=False).maps

    graph = gradient.get_concrete_function(x).graph
    found = [op for op in graph.get_operations() if op.type == f"{activations.OP}Grad"]
    (op,) = (op for op in found if op.get_attr("branches") == 2)
    assert sorted(op.get_attr("has_factor")) == [False, True]
    shapes = {tuple(tensor.shape[1:]) for tensor in op.inputs}
    assert shapes == {(12, 12, 4), (1, 1, 4)}
    assert "AddN" not in {tensor.op.type for tensor in op.inputs}


def test_a_signal_that_many_take():
    """Gradients of the signal's own shape are added up too."""
    image = keras.Input([12, 12, 4])
    x = layers.Activation("gelu")(layers.Conv2D(4, 3, padding="same")(image))
    parts = [layers.Conv2D(4, 3, padding="same")(x) for _ in range(3)]
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    model = zoo.with_head(image, layers.Add()([*parts, x, layers.Multiply()([x, pooled])]))
    zoo.draw_weights(model, np.random.default_rng(3))
    assert_same(model, images(model), implicit_biases=False)


def test_a_signal_whose_gradient_is_a_term_too():
    """What stands before the gate is a bias's own signal."""
    image = keras.Input([12, 12, 4])
    x = layers.Conv2D(4, 3, padding="same")(image)
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    model = zoo.with_head(image, layers.Activation("silu")(layers.Multiply()([x, pooled])))
    zoo.draw_weights(model, np.random.default_rng(3))
    assert_same(model, images(model), implicit_biases=False)


OTHERS = {
    "three": ([4, 4, 3], [1, 1, 3], [1, 1, 3]),
    "alike": ([4, 4, 3], [4, 4, 3]),
    "by position": ([4, 4, 3], [4, 4, 1]),
    "a row": ([4, 4, 3], [1, 4, 3]),
    "channels first": ([3, 4, 4], [3, 1, 1]),
    "vectors": ([3], [3]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_products_are_left(name):
    signals = [tf.ones([2, *shape]) for shape in OTHERS[name]]
    assert squeeze.compute(layers.Multiply(), signals) is None


def test_one_batch_for_all_is_left():
    assert squeeze.compute(layers.Multiply(), [tf.ones([2, 4, 4, 3]), tf.ones([1, 1, 1, 3])]) is None


def test_classes_of_ones_own_are_left():
    class Own(layers.Multiply):
        pass

    assert squeeze.compute(Own(), [tf.ones([2, 4, 4, 3]), tf.ones([2, 1, 1, 3])]) is None
    first = layers.GlobalAveragePooling2D(data_format="channels_first")
    assert squeeze.compute(first, tf.ones([2, 3, 4, 4])) is None


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_numbers_that_have_no_gradient_are_left(dtype):
    x = tf.cast(tf.ones([2, 4, 4, 3]), dtype)
    assert squeeze.compute(layers.GlobalAveragePooling2D(), x) is None
    assert squeeze.compute(layers.Multiply(), [x, x[:, :1, :1]]) is None


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_the_mean_is_keras_own(dtype):
    """To the bit, also of more positions than 16 bits count."""
    x = tf.cast(tf.random.stateless_uniform([2, 300, 300, 3], [1, 2]), dtype)
    for keepdims in (True, False):
        layer = layers.GlobalAveragePooling2D(keepdims=keepdims, dtype=dtype)
        found = tf.function(lambda x, layer=layer: squeeze.compute(layer, x), autograph=False)(x)
        np.testing.assert_array_equal(found, layer(x))


def test_plain_tensorflow_has_no_native_op():
    assert scaling.OP not in operations(net(), native=False)
