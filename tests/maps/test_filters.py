"""Filters against NumPy, and the words that the native op has for them."""

import numpy as np
import pytest
import tensorflow as tf

import oracle
from keras_fullgrad import filters


@pytest.mark.parametrize(("psi", "words"), filters.NATIVE.items(), ids=lambda p: getattr(p, "__name__", ""))
@pytest.mark.parametrize("axis", [(-3, -2), (1, 2)])
def test_each_filter_is_what_the_native_op_takes_it_for(psi, words, axis):
    rectifier, rescale = words
    x = np.random.default_rng(0).normal(size=[3, 5, 4, 2])
    expected = oracle.rescale(oracle.RECTIFIERS[rectifier](x), rescale)
    np.testing.assert_allclose(psi(x, axis), expected, atol=1e-12)


def test_per_channel_with_channels_first():
    x = np.random.default_rng(1).normal(size=[3, 2, 5, 4])
    moved = np.moveaxis(x, 1, -1)
    expected = np.moveaxis(filters.absolute_normalize(moved).numpy(), -1, 1)
    np.testing.assert_allclose(filters.absolute_normalize(x, (2, 3)), expected)


def test_a_constant_is_rescaled_to_zero():
    np.testing.assert_array_equal(filters.normalize(tf.fill([1, 2, 2, 3], 7.0)), 0)


def test_positive_and_negative_add_up_to_the_signal():
    x = np.random.default_rng(2).normal(size=[3, 4])
    np.testing.assert_array_equal(filters.positive(x) + filters.negative(x), x)
