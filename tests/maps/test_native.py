"""Which library runs the op, and what is said where none does."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.maps import native


@pytest.mark.slow
def test_without_the_native_library(monkeypatch, small_net, images):
    """As where it was built for another TensorFlow: everything runs, and native is refused."""
    monkeypatch.setattr(native, "load", lambda: (None, "built for TensorFlow 2.20.0"))
    assert not ke.maps.native_available()
    maps = ke.full_gradients(small_net, images, 1, verbose=0)[1]
    with pytest.raises(RuntimeError, match="backend='native' needs the native library: built for"):
        ke.full_gradients(small_net, images, 1, backend="native", verbose=0)
    with pytest.warns(UserWarning, match="runs in plain TensorFlow: built for TensorFlow 2.20.0"):
        native.warn_without_native()
    monkeypatch.undo()
    with warnings.catch_warnings():
        native.warn_without_native()
    fused = ke.full_gradients(small_net, images, 1, backend="native", verbose=0)[1]
    np.testing.assert_allclose(maps, fused, atol=1e-5)


def test_a_library_built_for_another_tensorflow(monkeypatch):
    from keras_fullgrad import _native

    monkeypatch.setattr(_native, "build_info", lambda: {"tensorflow_version": "2.3.1"})
    library, reason = native.load.__wrapped__()
    assert library is None
    assert f"built for TensorFlow 2.3.1, and this is {tf.__version__}; build it" in reason
    assert "pip install" in reason


@pytest.mark.parametrize(
    ("built", "capability", "reason"),
    [
        (
            {"cuda_version": None},
            (9, 0),
            "built without CUDA; build it again with: FULLGRAD_CUDA=ON pip install",
        ),
        (
            {"cuda_version": "13.0", "cuda_architectures": "80 90"},
            (7, 5),
            "capability 8.0 and more, and the Card has 7.5; set CUDAARCHS=75",
        ),
        ({"cuda_version": "13.0", "cuda_architectures": "80 90"}, (9, 0), ""),
    ],
)
def test_gpus_that_the_library_was_not_built_for(monkeypatch, built, capability, reason):
    from keras_fullgrad import _native

    details = {"device_name": "Card", "compute_capability": capability}
    monkeypatch.setattr(_native, "build_info", lambda: built)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    said = native.left_to_tensorflow_on_gpus.__wrapped__()
    assert (reason in said) if reason else (said == "")


@pytest.mark.slow
def test_a_gpu_without_a_kernel_runs_in_tensorflow(monkeypatch, small_net, images):
    """Rather than move all gradients to the CPU, where the native op would run."""
    expected = ke.full_gradients(small_net, images, 1, verbose=0)[1]
    monkeypatch.setattr(native, "left_to_tensorflow_on_gpus", lambda: "it has no kernel")
    with pytest.warns(UserWarning, match="runs in plain TensorFlow: it has no kernel"):
        native.warn_without_native()
    exposed = ke.inspection.expose(small_net)
    traced = tf.function(lambda x: ke.methods.gradient.full_gradients(exposed, x, tf.ones([5, 1], tf.int64)))
    graph = traced.get_concrete_function(tf.TensorSpec(images.shape, tf.float32)).graph
    assert not [op for op in graph.get_operations() if "SaliencyMap" in op.type]
    maps = ke.full_gradients(exposed, images, 1, verbose=0)[1]
    np.testing.assert_allclose(maps, expected, atol=1e-5)
