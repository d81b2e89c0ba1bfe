"""The native core, through its NumPy binding, against the float64 oracle in every mode."""

import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from keras_fullgrad import _native
from keras_fullgrad.native import libraries
from oracle import DTYPES, SIZES, assert_close, draw_terms

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", oracle.MODES, ids=lambda mode: "-".join(mode.values()))
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_every_mode_and_dtype(mode, dtype):
    rng = np.random.default_rng(0)
    for sizes, target in SIZES:
        gradients, weights = draw_terms(rng, sizes, dtype, mode["layout"])
        maps = _native.saliency_map(gradients, weights, target, **mode)
        assert maps.dtype == (np.float64 if dtype == np.float64 else np.float32)
        expected = oracle.in_mode(gradients, weights, target, mode)
        assert_close(maps, expected, 1e-13 if dtype == np.float64 else 3e-6)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rescale", ["none", "per_channel", "per_sample"])
def test_large_terms(rescale, layout):
    rng = np.random.default_rng(1)
    mode = oracle.MODES[0] | {"rescale": rescale, "layout": layout}
    gradients, weights = draw_terms(rng, [(149, 151), (10, 10)], np.float32, layout, 1, [32, 2048])
    maps = _native.saliency_map(gradients, weights, (101, 97), threads=2, **mode)
    assert_close(maps, oracle.in_mode(gradients, weights, (101, 97), mode))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_shape(data):
    rank = data.draw(st.integers(1, 3))
    size = st.lists(st.integers(1, 12), min_size=rank, max_size=rank).map(tuple)
    sizes = data.draw(st.lists(size, min_size=1, max_size=5))
    target = data.draw(size)
    channels = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    mode = data.draw(st.sampled_from(oracle.MODES))
    dtype = data.draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    gradients, weights = draw_terms(rng, sizes, dtype, mode["layout"], 1, channels)
    maps = _native.saliency_map(gradients, weights, target, **mode)
    assert_close(maps, oracle.in_mode(gradients, weights, target, mode), 1e-5)


@pytest.mark.parametrize("rescale", ["none", "per_channel", "per_sample"])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_same_bits_on_any_number_of_threads(rescale, layout):
    rng = np.random.default_rng(2)
    sizes = [(64, 64), (64, 64), (33, 31), (7, 7)]
    gradients, weights = draw_terms(rng, sizes, np.float32, layout, 3, [5, 24, 300])
    options = {"rescale": rescale, "layout": layout}
    once = _native.saliency_map(gradients, weights, (50, 70), threads=1, **options)
    for threads in (2, 7, 64):
        again = _native.saliency_map(gradients, weights, (50, 70), threads=threads, **options)
        np.testing.assert_array_equal(again, once)


NO_THREADS = """
import resource
import numpy as np
from keras_fullgrad import _native

with open("/proc/self/status") as status:
    used = 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (used + (40 << 20),) * 2)  # Stacks for a few of them.
gradient = np.ones([1, 64, 64, 64], np.float32)
print(_native.saliency_map([gradient], [np.ones(64, np.float32)], [64, 64], threads=64).sum())
"""


@pytest.mark.slow
def test_threads_that_cannot_be_had_are_done_without():
    printed = subprocess.run([sys.executable, "-c", NO_THREADS], check=True, capture_output=True, text=True)
    assert printed.stdout == "4096.0\n"


def test_an_image_does_not_depend_on_its_batch():
    rng = np.random.default_rng(3)
    gradients, weights = draw_terms(rng, [(9, 8), (4, 4)], np.float32, "channels_last", 5)
    alone = [
        _native.saliency_map([g[i : i + 1] for g in gradients], [weights[0][i : i + 1], *weights[1:]], (9, 8))
        for i in range(5)
    ]
    together = _native.saliency_map(gradients, weights, (9, 8))
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_both_layouts_agree():
    rng = np.random.default_rng(4)
    gradients, weights = draw_terms(rng, [(9, 8), (4, 5)], np.float64, "channels_last")
    first = [np.moveaxis(g, -1, 1) for g in gradients]
    for rescale in ("none", "per_channel", "per_sample"):
        np.testing.assert_allclose(
            _native.saliency_map(
                first,
                [np.moveaxis(weights[0], -1, 1), weights[1]],
                (9, 8),
                rescale=rescale,
                layout="channels_first",
            ),
            _native.saliency_map(gradients, weights, (9, 8), rescale=rescale),
            rtol=1e-12,
        )


def test_identity_is_linear_in_the_gradients():
    rng = np.random.default_rng(5)
    (a, b), weights = draw_terms(rng, [(6, 7), (6, 7)], np.float64, "channels_last", 1, [4])

    def of(gradient):
        return _native.saliency_map([gradient], [weights[1]], (13, 5), rectifier="identity")

    np.testing.assert_allclose(of(2 * a - 3 * b), 2 * of(a) - 3 * of(b), atol=1e-14)


def test_a_resize_keeps_a_constant():
    gradient = np.full([1, 3, 4, 1], 0.1, np.float32)
    maps = _native.saliency_map([gradient], [np.ones(1, np.float32)], (7, 9))
    np.testing.assert_array_equal(maps, np.float32(0.1))


@pytest.mark.parametrize("rescale", ["none", "per_channel", "per_sample"])
def test_constant_and_zero_terms_are_finite(rescale):
    gradients = [np.full([1, 4, 4, 3], 2.0, np.float32), np.zeros([1, 2, 2, 5], np.float32)]
    weights = [np.ones(3, np.float32), np.ones(5, np.float32)]
    maps = _native.saliency_map(gradients, weights, (4, 4), rescale=rescale)
    np.testing.assert_array_equal(maps, 2.0 if rescale == "none" else 0.0)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rescale", ["per_channel", "per_sample"])
def test_range_that_is_small_beside_its_values_is_kept(rescale, layout):
    # Exact in float32: steps of 1 / 128 around 4096.
    shape = (2, 9, 7, 64) if layout == "channels_last" else (2, 64, 9, 7)
    gradient = 4096 + np.random.default_rng(0).integers(0, 3, shape).astype(np.float32) / 128
    weight = np.ones(64, np.float32)
    mode = oracle.MODES[0] | {"rescale": rescale, "layout": layout}
    maps = _native.saliency_map([gradient], [weight], (9, 7), **mode)
    assert_close(maps, oracle.in_mode([gradient], [weight], (9, 7), mode))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mode", oracle.MODES, ids=lambda mode: "-".join(mode.values()))
@pytest.mark.parametrize("channels", [3, 37])
def test_nan_and_infinity_pass_through(mode, value, channels):
    rng = np.random.default_rng(6)
    gradients, weights = draw_terms(rng, [(6, 5), (6, 5), (3, 3)], np.float32, mode["layout"], 2, [channels])
    gradients[1][1, 1, 2, 1] = value
    maps = _native.saliency_map(gradients, weights, (12, 7), **mode)
    expected = oracle.in_mode(gradients, weights, (12, 7), mode)
    assert_close(maps, expected)


def test_float16_keeps_subnormals_infinity_and_nan():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    gradient = every.reshape(1, -1, 1)
    maps = _native.saliency_map([gradient], [np.ones(1, np.float32)], [2**16], rectifier="identity")
    np.testing.assert_array_equal(maps[0], every.astype(np.float32))


def test_bfloat16_keeps_every_value():
    every = np.arange(2**16, dtype=np.uint16).view(ml_dtypes.bfloat16)
    maps = _native.saliency_map(
        [every.reshape(1, -1, 1)], [np.ones(1, np.float32)], [2**16], rectifier="identity"
    )
    np.testing.assert_array_equal(maps[0], every.astype(np.float32))


def test_arrays_in_any_order_of_memory():
    rng = np.random.default_rng(7)
    gradient = rng.normal(size=[2, 5, 6, 3]).astype(np.float32)
    weight = np.arange(6, dtype=np.float32)[::2]
    expected = _native.saliency_map([gradient], [weight.copy()], (5, 6))
    np.testing.assert_array_equal(
        _native.saliency_map([np.asfortranarray(gradient)], [weight], (5, 6)), expected
    )


G = np.ones([2, 4, 4, 3], np.float32)
W = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("gradients", "weights", "size", "options", "error", "message"),
    [
        ([], [], (4, 4), {}, ValueError, "at least one term, got none"),
        (
            [G],
            [W, W],
            (4, 4),
            {},
            ValueError,
            "one weight for each gradient, got 1 gradients and 2",
        ),
        ([G], [W], (), {}, ValueError, "size of 1 to 3 spatial dimensions, got 0"),
        ([G], [W], (1, 2, 3, 4), {}, ValueError, "size of 1 to 3 spatial dimensions, got 4"),
        ([G], [W], (0, 4), {}, ValueError, r"at least 1 along each axis.*got \(0, 4\)"),
        (
            [G, G[0]],
            [W, W],
            (4, 4),
            {},
            ValueError,
            r"term 1: expected a gradient of rank 4.*\(4, 4, 3\)",
        ),
        (
            [G, G[:1]],
            [W, W],
            (4, 4),
            {},
            ValueError,
            "term 1: expected the batch of term 0, 2, got 1",
        ),
        (
            [G],
            [W[:2]],
            (4, 4),
            {},
            ValueError,
            r"term 0: expected a weight of shape \(3\).*got \(2\)",
        ),
        (
            [G],
            [G[:1]],
            (4, 4),
            {},
            ValueError,
            r"of the gradient's shape \(2, 4, 4, 3\), got \(1, 4, 4, 3\)",
        ),
        ([G[:, :0]], [W], (4, 4), {}, ValueError, "at least one position and one channel"),
        ([G], [G.astype(np.float64)], (4, 4), {}, ValueError, "weight of the gradient's type"),
        (
            [G.astype(int)],
            [W],
            (4, 4),
            {},
            TypeError,
            "float16, bfloat16, float32 or float64, got int64",
        ),
        ([G], [W], (4, 4), {"rectifier": "relu"}, ValueError, "unknown rectifier 'relu'"),
        ([G], [W], (4, 4), {"rescale": "max"}, ValueError, "unknown rescale 'max'"),
        ([G], [W], (4, 4), {"channels": "max"}, ValueError, "unknown channels 'max'"),
        ([G], [W], (4, 4), {"resize": "cubic"}, ValueError, "unknown resize 'cubic'"),
        ([G], [W], (4, 4), {"layout": "NHWC"}, ValueError, "unknown layout 'NHWC'"),
        ([G], [W], (4, 4), {"threads": 0}, ValueError, "at least one thread, got 0"),
        (
            [G.astype(np.float64), G.astype(np.float16)],
            [W, W],
            (4, 4),
            {},
            ValueError,
            "term 1: expected float32 or float64 gradients for float64 maps",
        ),
    ],
)
def test_errors_say_what_was_expected_and_what_came(gradients, weights, size, options, error, message):
    with pytest.raises(error, match=message):
        _native.saliency_map(gradients, weights, size, **options)


def test_an_empty_batch_gives_empty_maps():
    assert _native.saliency_map([G[:0]], [W], (5, 6)).shape == (0, 5, 6)


def test_the_core_tells_how_it_was_built():
    facts = libraries.build_facts(libraries.PACKAGE)
    assert facts.keys() == {"cuda_version", "cuda_architectures", "compiler", "instruction_sets"}
    assert facts["instruction_sets"][-1] == "baseline"
