"""The op inside TensorFlow, and the reference, both against the oracle."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import oracle
from keras_fullgrad.maps import filters, op, reference
from keras_fullgrad.native import libraries, loading
from oracle import assert_close, draw_terms

PSI = {names: psi for psi, names in filters.NATIVE.items()}


def run(gradients, weights, size, mode, backend):
    options = {k: mode[k] for k in ("channels", "resize", "layout")}
    psi = PSI[mode["rectifier"], mode["rescale"]]
    return op.saliency_map(gradients, weights, size, psi=psi, backend=backend, **options)


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("mode", oracle.MODES, ids=lambda mode: "-".join(mode.values()))
def test_every_mode(mode, backend):
    rng = np.random.default_rng(0)
    for sizes, target in [
        ([(7, 5), (1, 3), (13, 17)], (11, 29)),
        ([(31, 2), (4, 4)], (3, 5)),
        ([(9,), (1,)], (37,)),
        ([(3, 5, 7), (1, 2, 1)], (5, 4, 11)),
    ]:
        gradients, weights = draw_terms(rng, sizes, np.float32, mode["layout"])
        maps = run(gradients, weights, target, mode, backend)
        assert_close(maps.numpy(), oracle.in_mode(gradients, weights, target, mode))


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64])
@pytest.mark.parametrize("rescale", ["none", "per_channel", "per_sample"])
def test_every_dtype(dtype, backend, rescale):
    rng = np.random.default_rng(1)
    mode = oracle.MODES[0] | {"rescale": rescale}
    gradients, weights = draw_terms(rng, [(6, 5), (3, 3)], dtype.as_numpy_dtype, mode["layout"])
    maps = run(gradients, weights, (8, 9), mode, backend)
    assert maps.dtype == (tf.float64 if dtype == tf.float64 else tf.float32)
    assert_close(
        maps.numpy(),
        oracle.in_mode(gradients, weights, (8, 9), mode),
        1e-13 if dtype == tf.float64 else 3e-6,
    )


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("wide", [tf.float32, tf.float64])
def test_terms_of_several_dtypes(backend, wide):
    rng = np.random.default_rng(2)
    gradients, weights = draw_terms(rng, [(6, 5), (3, 3)], np.float16, "channels_last")
    gradients.append(rng.normal(size=[2, 4, 4, 3]).astype(wide.as_numpy_dtype))
    weights.append(rng.normal(size=[3]))
    maps = run(gradients, weights, (8, 9), oracle.MODES[0], backend)
    assert maps.dtype == wide
    assert_close(maps.numpy(), oracle.in_mode(gradients, weights, (8, 9), oracle.MODES[0]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rescale", ["none", "per_channel", "per_sample"])
def test_the_reference_lets_nan_and_infinity_through(value, rescale):
    rng = np.random.default_rng(3)
    mode = oracle.MODES[0] | {"rescale": rescale}
    gradients, weights = draw_terms(rng, [(6, 5), (6, 5)], np.float32, mode["layout"])
    gradients[1][1, 1, 2, 1] = value
    maps = run(gradients, weights, (12, 7), mode, "tensorflow").numpy()
    expected = oracle.in_mode(gradients, weights, (12, 7), mode)
    assert np.isfinite(maps[0]).all()
    assert not np.isfinite(maps[1]).all()
    np.testing.assert_array_equal(np.isfinite(maps), np.isfinite(expected))


def test_half_pixel_is_what_tf_image_resize_does():
    x = tf.random.stateless_normal([2, 7, 5, 1], [0, 0])
    for size in [(14, 10), (3, 4), (7, 5), (1, 1), (29, 31)]:
        resized = reference.resize_axis(x, 1, size[0], "half_pixel")
        resized = reference.resize_axis(resized, 2, size[1], "half_pixel")
        np.testing.assert_allclose(resized, tf.image.resize(x, size), atol=1e-5)


def test_unknown_batch_and_sizes_in_a_traced_function():
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([2], tf.int32)])
    def traced(gradient, size):
        return op.saliency_map([gradient], [tf.ones([3])], size, backend="native")

    concrete = traced.get_concrete_function()
    assert concrete.output_shapes.as_list() == [None, None, None]
    for shape in ([2, 4, 5, 3], [1, 7, 3, 3]):
        gradient = np.random.default_rng(4).normal(size=shape).astype(np.float32)
        expected = op.saliency_map([gradient], [tf.ones([3])], [6, 8], backend="tensorflow")
        np.testing.assert_allclose(traced(gradient, [6, 8]), expected, atol=1e-6)
    assert traced.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("gradient", "size", "expected"),
    [
        ([2, 4, 5, 3], [6, 8], [2, 6, 8]),
        ([None, 4, 5, 3], [6, 8], [None, 6, 8]),
        ([None, None, None, None], [6, 8], [None, 6, 8]),
        (None, [6, 8], [None, 6, 8]),
    ],
)
def test_static_shape(gradient, size, expected):
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, gradient)
        maps = op.saliency_map([x], [tf.ones([3])], size, backend="native")
        assert maps.shape.as_list() == expected


def test_static_shape_of_a_size_known_later():
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, [2, 4, 5, 3])
        size = tf.compat.v1.placeholder(tf.int32, [2])
        assert op.saliency_map([x], [tf.ones([3])], size, backend="native").shape.as_list() == [
            2,
            None,
            None,
        ]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([[2, 4, 5, 3], [2, 4, 3]], "term 1: .*rank"),
        ([[2, 4, 5, 3], [3, 4, 5, 3]], "term 1: expected the batch of term 0"),
    ],
)
def test_shape_errors_while_tracing(shapes, message):
    with tf.Graph().as_default():
        gradients = [tf.compat.v1.placeholder(tf.float32, shape) for shape in shapes]
        with pytest.raises(ValueError, match=message):
            op.saliency_map(gradients, [tf.ones([3])] * 2, [6, 8], backend="native")


def test_no_shape_is_too_large_for_a_status():
    huge = 2**31 - 1
    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError)):
        op.saliency_map([tf.ones([2, 1, 1, 1, 1])], [tf.ones([1])], [huge] * 3, backend="native")


@pytest.mark.parametrize(
    ("gradients", "weights", "size", "message"),
    [
        (
            [tf.ones([2, 4, 4, 3])],
            [tf.ones([2])],
            [4, 4],
            r"term 0: .*weight of shape \(3\).*got \(2\)",
        ),
        ([tf.ones([2, 4, 4, 3])], [tf.ones([3])], [0, 4], r"at least 1 along each axis.*0, 4"),
        ([tf.ones([2, 4, 4, 3])], [tf.ones([3])], [4], "term 0: .*rank"),
        ([tf.ones([2, 0, 4, 3])], [tf.ones([3])], [4, 4], "term 0: expected at least one position"),
        (
            [tf.ones([2, 4, 4, 3]), tf.ones([1, 4, 4, 3])],
            [tf.ones([3])] * 2,
            [4, 4],
            "term 1: expected the batch of term 0",
        ),
        ([tf.ones([2, 4, 4, 3])], [tf.ones([3])], [1, 1, 1, 1], "rank|1 to 3 spatial dimensions"),
    ],
)
def test_wrong_inputs_name_the_term(gradients, weights, size, message):
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=message):
        op.saliency_map(gradients, weights, size, backend="native")


def test_an_empty_batch_gives_empty_maps():
    for backend in ("native", "tensorflow"):
        maps = op.saliency_map([tf.ones([0, 4, 4, 3])], [tf.ones([3])], [5, 6], backend=backend)
        assert maps.shape == (0, 5, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "cuda"}, "backend to be one of auto, native, tensorflow, got 'cuda'"),
        ({"channels": "max"}, "channels to be one of mean, sum, got 'max'"),
        ({"resize": "cubic"}, "resize to be one of half_pixel, aligned_corners, got 'cubic'"),
        ({"layout": "NHWC"}, "layout to be one of channels_last, channels_first, got 'NHWC'"),
        ({"backend": "native", "psi": lambda t, axis: t}, "psi to be a filter of keras_fullgrad"),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(ValueError, match=message):
        op.saliency_map([tf.ones([1, 2, 2, 3])], [tf.ones([3])], [4, 4], **options)


def test_lists_of_different_lengths():
    with pytest.raises(ValueError, match="got 1 gradients and 2 weights"):
        op.saliency_map([tf.ones([1, 2, 2, 3])], [tf.ones([3])] * 2, [4, 4])
    with pytest.raises(ValueError, match="got 0 gradients"):
        op.saliency_map([], [], [4, 4])


def test_any_callable_as_psi_gives_the_same_answer():
    rng = np.random.default_rng(5)
    gradients, weights = draw_terms(rng, [(6, 5), (3, 3)], np.float32, "channels_last")
    own = op.saliency_map(gradients, weights, [8, 9], psi=lambda t, axis: tf.abs(t))
    known = op.saliency_map(gradients, weights, [8, 9], psi=tf.abs, backend="native")
    np.testing.assert_allclose(own, known, rtol=1e-5)


SAVED = """
import sys, tensorflow as tf
tf.load_op_library(sys.argv[2])
maps = tf.saved_model.load(sys.argv[1])(tf.ones([2, 4, 4, 3]))
print(maps.shape, float(tf.reduce_sum(maps)))
"""


@pytest.mark.slow
def test_a_saved_model_runs_with_tensorflow_and_the_library_alone(tmp_path):
    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 3])])
        def __call__(self, x):
            return op.saliency_map([x], [tf.ones([3])], [6, 6], psi=tf.abs, backend="native")

    tf.saved_model.save(Module(), str(tmp_path))
    printed = subprocess.run(
        [sys.executable, "-c", SAVED, str(tmp_path), str(libraries.ops(loading.tensorflow_minor()))],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert printed.split("\n")[-2] == "(2, 6, 6) 72.0"


def test_under_tf_distribute():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    x = np.random.default_rng(6).normal(size=[4, 5, 5, 3]).astype(np.float32)
    dataset = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices(x).batch(4))

    @tf.function
    def step(batch):
        return strategy.run(lambda b: op.saliency_map([b], [tf.ones([3])], [7, 7], backend="native"), [batch])

    parts = [strategy.experimental_local_results(step(batch)) for batch in dataset]
    together = op.saliency_map([x], [tf.ones([3])], [7, 7], backend="native")
    np.testing.assert_array_equal(np.concatenate([p for part in parts for p in part]), together)
