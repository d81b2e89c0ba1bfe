"""The op inside GPU TensorFlow: placed there, right there, and in the order of its stream."""

import importlib

import numpy as np
import pytest

import oracle
from oracle import DTYPES, SIZES, assert_close, draw_terms

tf = pytest.importorskip("tensorflow", reason="TensorFlow is needed to run its op")
ke = importlib.import_module(
    "keras_fullgrad"
)  # Where there is TensorFlow, a failure of its import is an error.

DEVICE = "/GPU:0"


@pytest.fixture(autouse=True)
def on_gpu():
    if not tf.config.list_physical_devices("GPU"):
        pytest.skip("TensorFlow sees no GPU")
    if reason := ke.maps.why_not_native():
        pytest.fail(reason)
    # Products of all bits, for what is compared to 1e-4.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    with tf.device(DEVICE):
        yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


def psi_of(mode):
    wanted = (mode["rectifier"], mode["rescale"])
    return next(psi for psi, native in ke.filters.NATIVE.items() if native == wanted)


def op(gradients, weights, size, mode):
    options = {name: mode[name] for name in ("channels", "resize", "layout")}
    return ke.maps.saliency_map(gradients, weights, size, psi=psi_of(mode), backend="native", **options)


@pytest.mark.parametrize("mode", oracle.MODES, ids=lambda mode: "-".join(mode.values()))
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_every_mode_and_dtype(mode, dtype):
    rng = np.random.default_rng(0)
    for sizes, target in SIZES:
        gradients, weights = draw_terms(rng, sizes, dtype, mode["layout"])
        maps = op(gradients, weights, target, mode)
        assert "GPU" in maps.device
        expected = oracle.in_mode(gradients, weights, target, mode)
        assert_close(maps.numpy(), expected, 1e-13 if dtype == np.float64 else 3e-6)


def test_in_the_order_of_the_stream():
    """Gradients that TensorFlow's own kernels write just before, and maps that they read just after."""
    mode = oracle.MODES[0] | {"rescale": "per_channel"}
    weight = tf.random.stateless_normal([256], [0, 1])

    @tf.function
    def chain(x):
        for _ in range(20):
            gradient = tf.nn.conv2d(x, tf.eye(256)[None, None], 1, "SAME") * 1.0
            x = x + op([gradient], [weight], [28, 28], mode)[..., None]
        return x

    x = tf.random.stateless_normal([8, 28, 28, 256], [0, 0])
    expected = x.numpy()
    for _ in range(20):
        expected = expected + oracle.in_mode([expected], [weight.numpy()], (28, 28), mode)[..., None]
    assert_close(chain(x).numpy(), expected, 1e-4)


def test_same_bits_at_every_run():
    rng = np.random.default_rng(3)
    gradients, weights = draw_terms(
        rng, [(64, 64), (64, 64), (7, 7)], np.float32, "channels_last", 3, [24, 300]
    )
    for rescale in ("none", "per_channel", "per_sample"):
        mode = oracle.MODES[0] | {"rescale": rescale}
        once = op(gradients, weights, [50, 70], mode).numpy()
        for _ in range(10):
            np.testing.assert_array_equal(op(gradients, weights, [50, 70], mode), once)


def test_a_wrong_input_is_an_error_and_not_the_end():
    gradient = tf.ones([2, 4, 4, 3])
    with pytest.raises(tf.errors.InvalidArgumentError, match="term 0: expected a weight of shape"):
        op([gradient], [tf.ones([2])], [4, 4], oracle.MODES[0])
    assert op([gradient], [tf.ones([3])], [4, 4], oracle.MODES[0]).shape == (2, 4, 4)


def test_whole_maps_are_those_of_the_cpu():
    import keras

    model = keras.applications.MobileNetV2((96, 96, 3), weights=None, classifier_activation=None)
    x = np.random.default_rng(0).uniform(-1, 1, [4, 96, 96, 3])
    _, maps = ke.full_gradients(model, x, 3, backend="native", verbose=0)
    with tf.device("/CPU:0"):
        _, expected = ke.full_gradients(model, x, 3, backend="native", verbose=0)
    np.testing.assert_allclose(maps, expected, atol=5e-3)
