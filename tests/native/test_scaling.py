"""Scaling by a factor for each image and channel, and what goes back to both."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fullgrad.native.loading import library
from keras_fullgrad.native.scaling import is_per_channel, scale

SHAPES = [(3, 1, 5), (2, 7, 5, 3), (2, 40, 40, 17), (1, 9, 300), (2, 3, 3, 3, 513), (2, 129, 8)]
TYPES = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 1e-6, "float64": 1e-14}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients(shape, dtype):
    rng = np.random.default_rng(0)
    axes = tuple(range(1, len(shape) - 1))
    of = tf.as_dtype(dtype).as_numpy_dtype
    x, behind = (rng.normal(size=shape).astype(of) for _ in range(2))
    factor = rng.normal(size=(shape[0], *[1] * len(axes), shape[-1])).astype(of)
    wide = [each.astype(np.float64) for each in (x, behind, factor)]

    def both(x, factor, behind):
        with tf.GradientTape() as tape:
            tape.watch([x, factor])
            y = scale(x, factor)
        return y, *tape.gradient(y, [x, factor], behind)

    products = wide[0] * wide[1]
    expected = wide[0] * wide[2], wide[1] * wide[2], products.sum(axes, keepdims=True)
    sizes = [np.abs(each) for each in expected[:2]] + [np.abs(products).sum(axes, keepdims=True)]
    tensors = [tf.constant(each) for each in (x, factor, behind)]
    for run in (both, tf.function(both, autograph=False)):
        for found, value, size in zip(run(*tensors), expected, sizes, strict=True):
            assert found.dtype == dtype
            error = np.abs(found.numpy().astype(np.float64) - value)
            np.testing.assert_array_less(error, 1e-30 + TYPES[dtype] * (size + 1e-3))


def test_long_sums_are_exact():
    """As many positions as a photograph has: float32 one by one would lose three digits."""
    x = np.random.default_rng(0).uniform(0.5, 1.5, [1, 512 * 512, 2]).astype(np.float32)
    found = library().keras_fullgrad_sums_of_products(x, np.ones_like(x)).numpy()
    np.testing.assert_allclose(found, x.astype(np.float64).sum(1, keepdims=True), rtol=2e-6)


def test_same_bits_at_every_run():
    x, behind = (
        np.random.default_rng(seed).normal(size=[2, 50, 50, 33]).astype(np.float32) for seed in (0, 1)
    )
    once = library().keras_fullgrad_sums_of_products(x, behind).numpy()
    for _ in range(20):
        np.testing.assert_array_equal(library().keras_fullgrad_sums_of_products(x, behind), once)


def test_what_is_refused():
    x = np.ones([2, 4, 3], np.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"factor of .* \(2, 1, 3\), got \(2, 3\)"):
        scale(x, np.ones([2, 3], np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"gradient of .* \(2, 4, 3\), got \(2, 3, 4\)"):
        library().keras_fullgrad_sums_of_products(x, np.ones([2, 3, 4], np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least two dimensions"):
        scale(np.ones(3, np.float32), np.ones(3, np.float32))


def test_no_images():
    assert scale(tf.zeros([0, 4, 3]), tf.zeros([0, 1, 3])).shape == (0, 4, 3)
    sums = library().keras_fullgrad_sums_of_products(tf.zeros([0, 4, 3]), tf.zeros([0, 4, 3]))
    assert sums.shape == (0, 1, 3)
    none = library().keras_fullgrad_sums_of_products(tf.zeros([2, 0, 3]), tf.zeros([2, 0, 3]))
    np.testing.assert_array_equal(none, np.zeros([2, 1, 3]))


def test_which_factors_it_takes():
    x = tf.ones([2, 4, 4, 3])
    assert is_per_channel(tf.ones([2, 1, 1, 3]), x)
    for shape in ([1, 1, 1, 3], [2, 4, 4, 3], [2, 1, 4, 3], [2, 1, 1, 1], [2, 3], [2, 1, 3]):
        assert not is_per_channel(tf.ones(shape), x), shape
    assert not is_per_channel(tf.ones([2, 1, 1, 3], tf.float64), x)
    assert not is_per_channel(tf.ones([2, 3]), tf.ones([2, 3]))
