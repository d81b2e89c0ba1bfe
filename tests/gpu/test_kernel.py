"""The CUDA kernel against the float64 oracle, on a GPU and on the host that stands in for one."""

import os
import subprocess
import threading

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle
from activation_oracle import ACTIVATIONS, assert_right, draw
from oracle import DTYPES, SIZES, assert_close, draw_terms

pytestmark = pytest.mark.xdist_group("emulator")  # Compiled by one process.

RESCALES = ["none", "per_channel", "per_sample"]
LAYOUTS = ["channels_last", "channels_first"]


def tolerance(dtype):
    return 1e-13 if dtype == np.float64 else 3e-6


@pytest.mark.parametrize("mode", oracle.MODES, ids=lambda mode: "-".join(mode.values()))
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_every_mode_and_dtype(device, mode, dtype):
    rng = np.random.default_rng(0)
    for sizes, target in SIZES:
        gradients, weights = draw_terms(rng, sizes, dtype, mode["layout"])
        maps = device.saliency_map(gradients, weights, target, **mode)
        assert maps.dtype == (np.float64 if dtype == np.float64 else np.float32)
        assert_close(maps, oracle.in_mode(gradients, weights, target, mode), tolerance(dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rescale", RESCALES)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_terms_of_many_units(device, dtype, rescale, layout):
    rng = np.random.default_rng(1)
    mode = oracle.MODES[0] | {"rescale": rescale, "layout": layout}
    sizes, channels = [(71, 72), (7, 8), (36, 36), (36, 36)], [3, 2048, 40, 72]
    gradients, weights = draw_terms(rng, sizes, dtype, layout, 2, channels)
    maps = device.saliency_map(gradients, weights, (101, 97), **mode)
    # The kernel rounds where the oracle does not, and 2048 channels of one position are added up.
    assert_close(maps, oracle.in_mode(gradients, weights, (101, 97), mode), tolerance(dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_units_that_are_cut_between_vectors(device, dtype, layout):
    """On the few blocks of the host these units are neither of the least size nor of the most."""
    rng = np.random.default_rng(3)
    mode = oracle.MODES[0] | {"rescale": "per_channel", "layout": layout}
    for height in range(45, 85, 7):
        channels = [192 // np.dtype(dtype).itemsize - 1]
        gradients, weights = draw_terms(rng, [(height, 8)] * 2, dtype, layout, 2, channels)
        maps = device.saliency_map(gradients, weights, (height, 8), **mode)
        assert_close(maps, oracle.in_mode(gradients, weights, (height, 8), mode), tolerance(dtype))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_shape(device, data):
    rank = data.draw(st.integers(1, 3))
    size = st.lists(st.integers(1, 12), min_size=rank, max_size=rank).map(tuple)
    sizes = data.draw(st.lists(size, min_size=1, max_size=5))
    target = data.draw(size)
    channels = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    mode = data.draw(st.sampled_from(oracle.MODES))
    dtype = data.draw(st.sampled_from(DTYPES))
    offset = data.draw(st.sampled_from([0, np.dtype(dtype).itemsize * 2]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    gradients, weights = draw_terms(rng, sizes, dtype, mode["layout"], 2, channels)
    if offset:
        weights = [weight.astype(dtype) for weight in weights]
    maps = device.saliency_map(gradients, weights, target, offset=offset, **mode)
    assert_close(maps, oracle.in_mode(gradients, weights, target, mode), 1e-5)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_weights_of_any_type(device, dtype):
    rng = np.random.default_rng(2)
    gradients, weights = draw_terms(rng, [(5, 4), (5, 4)], np.float32, "channels_last", 2, [8])
    weights[1] = weights[1].astype(dtype)
    maps = device.saliency_map(gradients, weights, (5, 4), rescale="per_sample")
    mode = oracle.MODES[0] | {"rescale": "per_sample"}
    assert_close(maps, oracle.in_mode(gradients, weights, (5, 4), mode))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mode", oracle.MODES, ids=lambda mode: "-".join(mode.values()))
@pytest.mark.parametrize("channels", [3, 40])
def test_nan_and_infinity_pass_through(device, mode, value, channels):
    rng = np.random.default_rng(6)
    gradients, weights = draw_terms(rng, [(6, 5), (6, 5), (3, 3)], np.float32, mode["layout"], 2, [channels])
    gradients[1][1, 1, 2, 1] = value
    maps = device.saliency_map(gradients, weights, (12, 7), **mode)
    assert_close(maps, oracle.in_mode(gradients, weights, (12, 7), mode))


@pytest.mark.parametrize("rescale", RESCALES)
def test_constant_and_zero_terms_are_finite(device, rescale):
    gradients = [np.full([1, 4, 4, 3], 2.0, np.float32), np.zeros([1, 2, 2, 8], np.float32)]
    weights = [np.ones(3, np.float32), np.ones(8, np.float32)]
    maps = device.saliency_map(gradients, weights, (4, 4), rescale=rescale)
    np.testing.assert_array_equal(maps, 2.0 if rescale == "none" else 0.0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rescale", ["per_channel", "per_sample"])
def test_range_that_is_small_beside_its_values_is_kept(device, rescale, layout):
    # Exact in float32: steps of 1 / 128 around 4096.
    shape = (2, 9, 7, 64) if layout == "channels_last" else (2, 64, 9, 7)
    gradient = 4096 + np.random.default_rng(0).integers(0, 3, shape).astype(np.float32) / 128
    weight = np.ones(64, np.float32)
    mode = oracle.MODES[0] | {"rescale": rescale, "layout": layout}
    maps = device.saliency_map([gradient], [weight], (9, 7), **mode)
    assert_close(maps, oracle.in_mode([gradient], [weight], (9, 7), mode))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_16_bits_keep_every_value(device, dtype):
    every = np.arange(2**16, dtype=np.uint16).view(dtype)
    maps = device.saliency_map(
        [every.reshape(1, -1, 1)], [np.ones(1, np.float32)], [2**16], rectifier="identity"
    )
    np.testing.assert_array_equal(maps[0], every.astype(np.float32))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rescale", RESCALES)
def test_same_bits_at_every_run(device, rescale, layout):
    rng = np.random.default_rng(3)
    sizes, channels = [(64, 64), (64, 64), (33, 31), (7, 7)], [5, 24, 300]
    gradients, weights = draw_terms(rng, sizes, np.float32, layout, 3, channels)
    options = {"rescale": rescale, "layout": layout}
    once = device.saliency_map(gradients, weights, (50, 70), **options)
    for _ in range(3):
        np.testing.assert_array_equal(device.saliency_map(gradients, weights, (50, 70), **options), once)


def test_an_image_does_not_depend_on_its_batch(device):
    rng = np.random.default_rng(4)
    gradients, weights = draw_terms(rng, [(9, 8), (4, 4)], np.float32, "channels_last", 5)
    for rescale in RESCALES:
        alone = [
            device.saliency_map(
                [g[i : i + 1] for g in gradients],
                [weights[0][i : i + 1], *weights[1:]],
                (9, 8),
                rescale=rescale,
            )
            for i in range(5)
        ]
        together = device.saliency_map(gradients, weights, (9, 8), rescale=rescale)
        np.testing.assert_array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("rescale", RESCALES)
def test_thousands_of_terms(device, rescale):
    rng = np.random.default_rng(5)
    sizes = [(2, 2), (3, 1), (1, 1)] * 1000
    gradients, weights = draw_terms(rng, sizes, np.float32, "channels_last", 1, [4, 3])
    mode = oracle.MODES[0] | {"rescale": rescale}
    maps = device.saliency_map(gradients, weights, (5, 4), **mode)
    assert_close(maps, oracle.in_mode(gradients, weights, (5, 4), mode), 1e-5)


def test_an_empty_batch_gives_no_maps(device):
    maps = device.saliency_map([np.zeros([0, 4, 4, 3], np.float32)], [np.ones(3, np.float32)], (4, 4))
    assert maps.shape == (0, 4, 4)


@pytest.mark.parametrize("rescale", RESCALES)
def test_two_at_once(device, rescale):
    """Two threads, and on a GPU two streams: each call has a workspace of its own, and no state is shared."""
    rng = np.random.default_rng(7)
    drawn = [
        draw_terms(rng, [(40, 40), (20, 20)], np.float32, "channels_last", 2, [16, 256]) for _ in range(2)
    ]
    alone = [device.saliency_map(*terms, (40, 40), rescale=rescale) for terms in drawn]
    results = [[], []]

    def run(index):
        torch = getattr(device, "torch", None)
        stream = torch.cuda.Stream() if torch else None
        if stream:
            torch.cuda.synchronize()
        for _ in range(5):
            results[index].append(
                device.saliency_map(
                    *drawn[index], (40, 40), rescale=rescale, stream=stream.cuda_stream if stream else 0
                )
            )

    threads = [threading.Thread(target=run, args=[index]) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for expected, maps in zip(alone, results, strict=True):
        assert len(maps) == 5
        for again in maps:
            np.testing.assert_array_equal(again, expected)


def test_more_elements_than_32_bits_count(gpu):
    torch = gpu.torch
    batch, side, channels = 2, 4, 2**26 + 8  # 2^31 elements and some, of two bytes.
    needed = 3 * batch * side * side * channels
    if torch.cuda.mem_get_info()[0] < needed:
        pytest.skip(f"the GPU has less than {needed / 1e9:.0f} GB free")
    gradient = torch.zeros([batch, side, side, channels], dtype=torch.float16, device="cuda")
    gradient[1, 3, 3, -1] = 3.0
    weight = torch.ones([channels], dtype=torch.float16, device="cuda")
    maps = torch.full([batch, side, side], float("nan"), device="cuda")
    options = {"channels": "sum"}
    bytes_needed = gpu.module.workspace([gradient], [weight], (side, side), **options)
    workspace = torch.empty(bytes_needed, dtype=torch.uint8, device="cuda")
    gpu.module.saliency_map(
        [gradient], [weight], (side, side), maps, workspace.data_ptr(), bytes_needed, **options
    )
    expected = np.zeros([batch, side, side], np.float32)
    expected[1, 3, 3] = 3
    np.testing.assert_array_equal(maps.cpu().numpy(), expected)


@pytest.mark.slow
def test_no_access_out_of_bounds(sanitized_small_case):
    result = subprocess.run(
        [sanitized_small_case],
        capture_output=True,
        text=True,
        env=os.environ
        | {"ASAN_OPTIONS": "detect_stack_use_after_return=0", "UBSAN_OPTIONS": "halt_on_error=1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "all maps as expected\n"


G = np.ones([2, 4, 4, 3], np.float32)
W = np.ones(3, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gradients", "weights", "message"),
    [
        ([], [], "at least one term, got none"),
        ([G], [W, W], "one weight for each gradient, got 1 gradients and 2"),
        ([G, G[:1]], [W, W], "term 1: expected the batch of term 0, 2, got 1"),
        ([G], [W[:2]], r"term 0: expected a weight of shape \(3\).*got \(2\)"),
    ],
)
def test_errors_say_what_was_expected_and_what_came(emulated, gradients, weights, message):
    gradients, weights = [emulated.put(g) for g in gradients], [emulated.put(w) for w in weights]
    with pytest.raises(ValueError, match=message):
        emulated.module.workspace(gradients, weights, (4, 4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "size"),
    [((2**32, 1, 1), (1,)), ((2**31, 1, 1), (1,)), ((1, 1, 1, 1), (2**22, 2**23))],
    ids=["images", "images, with what is added and resized", "rows of a map"],
)
def test_more_units_than_can_be_counted_are_refused(emulated, shape, size):
    """Only shapes are looked at: no such array is there."""
    interface = emulated.put(np.zeros(1, np.float16))
    interface.__cuda_array_interface__["shape"] = shape
    with pytest.raises(RuntimeError, match="CUDA"):
        emulated.module.workspace([interface], [emulated.put(np.ones(1, np.float16))], size)


@pytest.mark.slow
def test_what_is_no_device_array_is_refused(emulated):
    with pytest.raises(
        TypeError, match=r"gradient 0: expected an array with __cuda_array_interface__, got .*ndarray"
    ):
        emulated.module.workspace([G], [W], (4, 4))
    turned = emulated.put(G)
    turned.__cuda_array_interface__["strides"] = (4, 8, 32, 128)
    with pytest.raises(ValueError, match=r"gradient 0: expected a contiguous array, got strides of \(4, 8"):
        emulated.module.workspace([turned], [emulated.put(W)], (4, 4))
    with pytest.raises(TypeError, match="float16, bfloat16, float32 or float64, got <i8"):
        emulated.module.workspace([emulated.put(G.astype(np.int64))], [emulated.put(W)], (4, 4))


@pytest.mark.slow
def test_maps_and_workspace_have_to_fit(emulated):
    gradients, weights = [emulated.put(G)], [emulated.put(W)]
    maps = emulated.put(np.zeros([2, 4, 4], np.float32))
    needed = emulated.module.workspace(gradients, weights, (4, 4))
    address, _owner = emulated.place(np.zeros(needed, np.uint8))
    with pytest.raises(ValueError, match=rf"expected a workspace of {needed} bytes.*got {needed - 1}"):
        emulated.module.saliency_map(gradients, weights, (4, 4), maps, address, needed - 1)
    wrong = emulated.put(np.zeros([2, 4, 5], np.float32))
    with pytest.raises(ValueError, match=r"maps of float32 and shape \(2, 4, 4\), got shape \(2, 4, 5\)"):
        emulated.module.saliency_map(gradients, weights, (4, 4), wrong, address, needed)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(device, name, dtype):
    for size in (1, 255, 257, 20_003):
        x, gradient = draw(size, dtype)
        assert_right(name, x, device.activate(x, name), gradient, device.activate(x, name, gradient))
