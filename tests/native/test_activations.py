"""Activations: the core against float64, and the ops, with what they refuse."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from activation_oracle import ACTIVATIONS, PRECISIONS, assert_right, draw
from keras_fullgrad import _native
from keras_fullgrad.native.activations import activate
from keras_fullgrad.native.loading import library
from keras_fullgrad.native.pooling import max_pool
from keras_fullgrad.native.scaling import scale
from oracle import DTYPES

SIZES = [1, 7, 8, 9, 63, 1000, (16 << 10) - 1, (16 << 10) + 1, 100_003]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_core_in_every_type_and_size(name, dtype):
    for size in SIZES:
        x, gradient = draw(size, dtype)
        assert_right(
            name, x, _native.activate(x, name), gradient, _native.activate(x, name, gradients=[gradient])
        )


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_same_bits_on_any_number_of_threads_and_anywhere_in_a_tensor(name, dtype):
    x, gradient = draw(50_001, dtype)
    once = _native.activate(x, name, gradients=[gradient])
    for threads in (2, 7):
        again = _native.activate(x, name, gradients=[gradient], threads=threads)
        np.testing.assert_array_equal(again.view(np.uint8), once.view(np.uint8))
    shifted = _native.activate(x[5:], name, gradients=[gradient[5:]])
    np.testing.assert_array_equal(shifted.view(np.uint8), once[5:].view(np.uint8))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_no_number_stays_none(name, dtype):
    x = np.array([np.nan, np.inf, 1], dtype)
    assert list(np.isnan(_native.activate(x, name).astype(float))) == [True, False, False]
    assert _native.activate(x, name)[1] == np.inf
    gradient = np.array([1, np.nan, np.inf], dtype)
    before = _native.activate(np.array([1, 1, 1], dtype), name, gradients=[gradient]).astype(float)
    assert np.isfinite(before[0])
    assert np.isnan(before[1])
    assert before[2] == np.inf


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_16_bits_are_rounded_to_the_nearest(dtype):
    """By what a hard SiLU leaves as it is, all numbers from 3 on, and by what it makes 0."""
    every = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    high = every[every.astype(np.float32) >= 3]
    np.testing.assert_array_equal(_native.activate(high, "hard_silu").view(np.uint16), high.view(np.uint16))
    # A gradient times the slope 0.5 at 0: ties, subnormal numbers and the largest ones.
    half = _native.activate(np.zeros_like(every), "hard_silu", gradients=[every])
    with np.errstate(invalid="ignore"):
        expected = (every.astype(np.float32) * np.float32(0.5)).astype(dtype)
    same = (half.view(np.uint16) == expected.view(np.uint16)) | np.isnan(expected.astype(np.float32))
    assert same.all()
    assert np.isnan(half[np.isnan(every.astype(np.float32))].astype(np.float32)).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_op_and_its_gradient(name, dtype):
    x, _ = draw(3 * 5 * 7 * 4, tf.as_dtype(dtype).as_numpy_dtype)
    x = tf.constant(x.reshape(3, 5, 7, 4))

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = activate(x, name)
        return y, tape.gradient(y, x)

    for run in (both, tf.function(both, autograph=False)):
        y, before = (each.numpy().ravel() for each in run(x))
        assert_right(name, x.numpy().ravel(), y, np.ones_like(y), before)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape", [(3, 1, 5), (2, 7, 5, 3), (2, 40, 40, 17), (1, 9, 300), (2, 3, 3, 3, 513)])
def test_gradients_in_parts(dtype, shape):
    """Of the signal's shape, the same at all positions, and with a factor: as their sum."""
    rng = np.random.default_rng(0)
    per_channel = (shape[0], *[1] * (len(shape) - 2), shape[-1])
    x, whole, scaled = (rng.normal(size=shape).astype(dtype) for _ in range(3))
    same, factor = (rng.normal(size=per_channel).astype(dtype) for _ in range(2))
    parts = {"gradients": [whole, same, scaled, same], "factors": [None, None, factor, factor]}
    wide = [each.astype(np.float64) for each in (whole, same, scaled, factor)]
    total = wide[0] + wide[1] + wide[2] * wide[3] + wide[1] * wide[3]
    expected = total * ACTIVATIONS["silu"](x.astype(np.float64))[1]
    for threads in (1, 3):
        found = _native.activate(x, "silu", threads=threads, **parts).astype(np.float64)
        share = PRECISIONS[np.dtype(dtype).name]
        size = sum(
            np.abs(each) for each in (wide[0], wide[1] + 0 * total, wide[2] * wide[3], wide[1] * wide[3])
        )
        np.testing.assert_array_less(np.abs(found - expected), 16 * share * (1e-3 + size))


def test_no_elements():
    assert activate(tf.zeros([0, 3]), "silu").shape == (0, 3)
    assert _native.activate(np.zeros([0, 3], np.float32), "silu").shape == (0, 3)


def test_a_tensor_that_is_its_own_gradient():
    """The result may lie where the gradient was, but only where nobody else needs it."""
    x = tf.constant(np.random.default_rng(0).normal(size=1000))
    before = x.numpy()
    found = library().keras_fullgrad_activate_grad(x, [x], [], activation="silu", has_factor=[False])
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(found, before * ACTIVATIONS["silu"](before)[1], rtol=1e-12)


def test_what_is_refused():
    x = np.ones([2, 3], np.float32)
    with pytest.raises(ValueError, match="unknown activation 'mish'"):
        _native.activate(x, "mish")
    with pytest.raises(ValueError, match=r"type and the shape of x, \(2, 3\), got \(3, 2\)"):
        _native.activate(x, "silu", gradients=[x.T])
    with pytest.raises(ValueError, match=r"type and the shape of x, \(2, 3\), got another type"):
        _native.activate(x, "silu", gradients=[x.astype(np.float64)])
    with pytest.raises(
        TypeError, match="expected an array of float16, bfloat16, float32 or float64, got int64"
    ):
        _native.activate(np.ones(3, np.int64), "silu")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"shape of x, \(2, 3\), got \(3\)"):
        library().keras_fullgrad_activate_grad(
            x, [np.ones(3, np.float32)], [], activation="silu", has_factor=[False]
        )
    with pytest.raises(Exception, match="mish"):
        activate(tf.constant(x), "mish")


@pytest.mark.parametrize(
    ("compute", "what"),
    [
        (lambda x: activate(x, "gelu"), "the gradient of a native activation"),
        (lambda x: scale(tf.ones_like(x), x[:, :1, :1]), "the gradient of a factor"),
        (lambda x: max_pool(x, [2, 2], [2, 2], "VALID"), "the gradient of a native max pooling"),
    ],
)
def test_a_second_gradient_is_refused_in_words(compute, what):
    x = tf.ones([1, 2, 2, 3])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.square(compute(x))
        gradient = inner.gradient(y, x)
    with pytest.raises(
        LookupError, match=f"no gradient of {what}, which has none; with fold_batch_norms=False"
    ):
        outer.gradient(gradient, x)
