"""Layers within loops and conditions, where no layer is heard."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_fullgrad as ke
from slow import slow_but


class Holder(layers.Layer):
    """Calls two convolutions in some way."""

    def __init__(self, way):
        super().__init__(name="holder")
        self.way = way
        self.a, self.b = (
            layers.Conv2D(3, 3, padding="same", name=name, bias_initializer="normal") for name in "ab"
        )

    def build(self, shape):
        self.a.build(shape)
        self.b.build(shape)

    def call(self, x):
        return self.way(self.a, self.b, x)


WAYS = {
    "cond": lambda a, b, x: tf.cond(tf.reduce_max(x) > -9, lambda: a(x), lambda: b(x)),
    "keras cond": lambda a, b, x: keras.ops.cond(keras.ops.max(x) > -9, lambda: a(x), lambda: b(x)),
    "while": lambda a, b, x: tf.while_loop(lambda i, x: i < 2, lambda i, x: (i + 1, x + a(b(x))), (0, x))[1],
    "map": lambda a, b, x: tf.map_fn(lambda each: a(b(each[tf.newaxis]))[0], x),
}
CONDITIONS = ["cond", "keras cond"]


def net(way):
    keras.utils.set_random_seed(0)
    image = keras.Input([16, 12, 3])
    x = layers.Conv2D(3, 3, name="before", bias_initializer="normal")(image)
    x = layers.Conv2D(4, 3, name="after", bias_initializer="normal", activation="relu")(Holder(way)(x))
    return keras.Model(image, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_terms_add_up_image_by_image(images, name):
    model = net(WAYS[name])
    parts = ke.decompose(model, images[:3], 1)
    assert parts.relative_error < 1e-4
    for image in range(3):
        alone = ke.decompose(model, images[image : image + 1], 1)
        for part in alone.parts:
            whole = next(each for each in parts.parts if each.name == part.name)
            np.testing.assert_allclose(whole.total[image], part.total[0], rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("ignore:(implicit biases|layers whose place)")
@pytest.mark.parametrize("name", slow_but("while", WAYS))
def test_layers_that_were_not_heard_are_named(images, name):
    with pytest.warns(UserWarning, match="biases of holder/.* are not in the map.*no layer is heard"):
        terms = ke.full_gradients(net(WAYS[name]), images, 1, return_terms=True, verbose=0).terms
    # What follows has its place, but for a map over images, which may be in any order.
    assert list(terms) == (["input", "before"] if name == "map" else ["input", "before", "after"])


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_implicit_biases(images, name):
    if name not in CONDITIONS:
        with pytest.raises(NotImplementedError, match="of loops in a traced function"):
            ke.full_gradients(net(WAYS[name]), images, 1, implicit_biases=True, verbose=0)
        return
    explained = ke.full_gradients(
        net(WAYS[name]), images, 1, implicit_biases=True, return_terms=True, verbose=0
    )
    assert "holder" in explained.terms
    parts = ke.decompose(net(WAYS[name]), images, 1)
    pooled = sum(abs(part.total) for part in parts.parts if part.reason is not None)
    everything = sum(abs(part.total) for part in parts.parts)
    np.testing.assert_allclose(explained.left_out, pooled / everything, atol=1e-3)


def test_a_scope_of_tensorflow_can_be_entered_after_a_loop_without_forward_mode(images):
    ke.decompose(net(WAYS["map"]), images, 1)
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert tf.distribute.has_strategy()


def test_a_scope_of_tensorflow_can_be_entered_after_an_error_within_a_loop(images):
    fails = []

    def way(a, b, x):
        return tf.map_fn(lambda each: a(each[tf.newaxis])[0] if not fails else 1 / 0, x)

    model = net(way)
    fails.append(True)
    with pytest.raises(Exception, match="division by zero"):
        ke.decompose(model, images, 1)
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert tf.distribute.has_strategy()
