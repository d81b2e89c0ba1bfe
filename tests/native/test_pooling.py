"""Pooling by the largest value: the gradient is TensorFlow's, also where values are equal."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fullgrad.native.loading import library
from keras_fullgrad.native.pooling import max_pool

WINDOWS = [
    ((2, 2), (2, 2)),
    ((3, 3), (2, 2)),
    ((3, 3), (1, 1)),
    ((2, 3), (3, 1)),
    ((1, 1), (2, 2)),
    ((5, 4), (2, 3)),
]
SHAPES = [(1, 5, 5, 1), (2, 12, 9, 16), (3, 7, 8, 37), (1, 6, 40, 64)]


def gradient(pool, x, behind):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = pool(x)
    return y, tape.gradient(y, x, behind(y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("window", "strides"), WINDOWS)
def test_the_gradient_is_tensorflows(window, strides, padding, dtype):
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for values in (rng.normal(size=shape), np.maximum(rng.integers(-3, 3, shape), 0), np.zeros(shape)):
            x = tf.constant(values, dtype)

            def behind(y):
                return tf.constant(np.random.default_rng(1).normal(size=y.shape), y.dtype)

            y, found = gradient(lambda x: max_pool(x, window, strides, padding), x, behind)
            expected_y, expected = gradient(
                lambda x: tf.nn.max_pool2d(x, window, strides, padding), x, behind
            )
            np.testing.assert_array_equal(y, expected_y)
            np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-6)


def test_same_bits_at_every_run():
    x = tf.random.stateless_normal([2, 50, 50, 33], [0, 1])
    once = gradient(lambda x: max_pool(x, (3, 3), (2, 2), "SAME"), x, tf.ones_like)[1]
    for _ in range(10):
        again = gradient(lambda x: max_pool(x, (3, 3), (2, 2), "SAME"), x, tf.ones_like)[1]
        np.testing.assert_array_equal(again, once)


def test_what_is_refused():
    x, y = tf.ones([1, 4, 4, 3]), tf.ones([1, 2, 2, 3])
    options = {"window": [2, 2], "strides": [2, 2], "padding": "VALID"}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"of shape \(1, 2, 2, 3\), got \(1, 4, 4, 3\)"):
        library().keras_fullgrad_max_pool_grad(x, x, y, **options)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"four dimensions, got shape \(2, 2\)"):
        library().keras_fullgrad_max_pool_grad(x[0, 0, :2, :2], y, y, **options)
    with pytest.raises(tf.errors.InvalidArgumentError, match="strides of at least 1"):
        library().keras_fullgrad_max_pool_grad(x, y, y, **options | {"strides": [0, 2]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="two sizes each"):
        library().keras_fullgrad_max_pool_grad(x, y, y, **options | {"strides": [1, 2, 3]})


def test_no_images():
    x = tf.zeros([0, 4, 4, 3])
    assert gradient(lambda x: max_pool(x, (2, 2), (2, 2), "VALID"), x, tf.ones_like)[1].shape == (0, 4, 4, 3)
