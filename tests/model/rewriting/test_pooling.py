"""Poolings by the largest value with a gradient of this library's own: the same maps, logits and terms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import zoo
from keras_fullgrad.model.rewriting import pooling
from rewritten import assert_same, images

pytestmark = pytest.mark.slow

POOLINGS = {
    "plain": layers.MaxPooling2D(2),
    "overlapping": layers.MaxPooling2D(3, strides=2),
    "padded": layers.MaxPooling2D(3, strides=2, padding="same"),
    "uneven": layers.MaxPooling2D((2, 3), strides=(1, 2)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", POOLINGS)
def test_maps_and_terms_are_the_same(name, dtype):
    image = keras.Input([12, 12, 3], dtype=dtype)
    x = layers.Conv2D(4, 3, activation="relu", dtype=dtype)(image)
    x = type(POOLINGS[name]).from_config(POOLINGS[name].get_config() | {"dtype": dtype})(x)
    model = zoo.with_head(image, layers.Conv2D(4, 2, activation="relu", dtype=dtype)(x), dtype=dtype)
    zoo.draw_weights(model, np.random.default_rng(3))
    assert_same(model, images(model), 1e-5 if dtype == "float32" else 1e-12)


def test_others_are_left():
    class Own(layers.MaxPooling2D):
        pass

    x = tf.ones([1, 4, 4, 3])
    assert pooling.compute(layers.MaxPooling2D(2), x) is not None
    assert pooling.compute(Own(2), x) is None
    assert pooling.compute(layers.MaxPooling2D(2, data_format="channels_first"), x) is None
    assert pooling.compute(layers.MaxPooling2D(2), tf.cast(x, tf.float16)) is None
    assert pooling.compute(layers.GlobalMaxPooling2D(), x) is None
