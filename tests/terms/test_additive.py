"""Nets whose answer is known place by place: what is drawn there is what is computed there."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_fullgrad as ke

SIGNED = {"preset": "paper", "psi": ke.filters.identity, "postprocessing": None, "verbose": 0}
X = np.random.default_rng(0).normal(size=[3, 6, 5, 3]).astype(np.float32)


def of_each_place():
    """A function of each place alone: its values, (images, height, width, 2)."""
    image = keras.Input([6, 5, 3])
    x = layers.Conv2D(8, 1, activation="relu", bias_initializer="normal")(image)
    x = layers.Conv2D(2, 1, bias_initializer="normal", name="values")(x)
    return keras.Model(image, x)


def added_up(values):
    return keras.Model(values.input, keras.ops.sum(values.output, (1, 2)))


def test_a_sum_over_places_is_drawn_place_by_place():
    values = of_each_place()
    maps = ke.full_gradients(added_up(values), X, [[0, 1]] * 3, **SIGNED).maps
    np.testing.assert_allclose(maps, values.predict(X, verbose=0), rtol=1e-4, atol=1e-5)


def test_a_contrast_is_the_difference_at_each_place():
    values = of_each_place()
    maps = ke.full_gradients(added_up(values), X, target=ke.targets.Contrast(0, 1), **SIGNED).maps
    expected = values.predict(X, verbose=0) @ np.float32([[1], [-1]])
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def test_a_region_is_drawn_within_and_nowhere_else():
    values = of_each_place()
    region = np.zeros([6, 5], bool)
    region[1:4, 2:] = True
    maps = ke.full_gradients(values, X, target=ke.targets.Region(1, region), **SIGNED).maps
    expected = np.where(region, values.predict(X, verbose=0)[..., 1], 0)[..., np.newaxis]
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def test_a_function_weighs_places():
    values = of_each_place()
    weights = np.random.default_rng(1).normal(size=[6, 5, 2]).astype(np.float32)
    options = {"target": lambda outputs: keras.ops.sum(outputs * weights, (1, 2, 3))}
    maps = ke.full_gradients(values, X, **options, **SIGNED).maps
    expected = (values.predict(X, verbose=0) * weights).sum(-1, keepdims=True)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def xor():
    """By hand: |a - b| of an image's two pixels, one of two rectified differences each."""
    image = keras.Input([1, 2, 1])
    x = layers.Conv2D(2, [1, 2], activation="relu", name="differences")(image)
    model = keras.Model(image, layers.Dense(1, name="sum")(layers.Flatten()(x)))
    kernel = np.float32([[1, -1], [-1, 1]]).reshape([1, 2, 1, 2])
    model.get_layer("differences").set_weights([kernel, np.zeros(2)])
    model.get_layer("sum").set_weights([np.ones([2, 1]), np.zeros(1)])
    return model


@pytest.mark.parametrize(
    ("pixels", "expected"), [((0, 1), (0, 1)), ((1, 0), (1, 0)), ((3, 1), (3, -1)), ((1, 3), (-1, 3))]
)
def test_of_a_net_by_hand(pixels, expected):
    # What is greater speaks for a difference, what is less against it.
    x = np.float32(pixels).reshape([1, 1, 2, 1])
    explained = ke.full_gradients(xor(), x, **SIGNED)
    assert explained.logits == abs(pixels[0] - pixels[1])
    np.testing.assert_allclose(explained.maps.ravel(), expected, rtol=1e-6)
