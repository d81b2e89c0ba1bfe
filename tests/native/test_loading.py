"""Which library runs the op, and what is said where none does."""

import shutil
import warnings

import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.native import libraries, loading


@pytest.mark.slow
def test_without_the_native_library(monkeypatch, small_net, images):
    """As where it was built for another TensorFlow: everything runs, and native is refused."""
    monkeypatch.setattr(loading, "load", lambda: (None, "built for TensorFlow 2.20.0"))
    assert not ke.maps.native_available()
    maps = ke.full_gradients(small_net, images, 1, verbose=0)[1]
    with pytest.raises(RuntimeError, match="backend='native' needs the native library: built for"):
        ke.full_gradients(small_net, images, 1, backend="native", verbose=0)
    with pytest.warns(UserWarning, match="runs in plain TensorFlow: built for TensorFlow 2.20.0"):
        loading.warn_without_native()
    monkeypatch.undo()
    with warnings.catch_warnings():
        loading.warn_without_native()
    fused = ke.full_gradients(small_net, images, 1, backend="native", verbose=0)[1]
    np.testing.assert_allclose(maps, fused, atol=1e-5)


def test_a_library_built_for_another_tensorflow(monkeypatch):
    monkeypatch.setattr(tf, "__version__", "2.99.1")
    library, reason = loading.load.__wrapped__()
    assert library is None
    built = ", ".join(libraries.minors())
    assert (
        f"the native library is for TensorFlow {built}, and this is 2.99.1; `keras-fullgrad build`" in reason
    )


def test_what_the_user_built_comes_before_what_was_installed(monkeypatch, tmp_path):
    installed = libraries.ops(loading.tensorflow_minor())
    monkeypatch.setattr(libraries, "cache", lambda: tmp_path / "cache")
    assert libraries.ops(loading.tensorflow_minor()) == installed
    built = tmp_path / "cache" / installed.name
    built.parent.mkdir()
    shutil.copy(installed, built)
    assert libraries.ops(loading.tensorflow_minor()) == built
    monkeypatch.setattr(libraries, "PACKAGE", tmp_path / "package")
    assert libraries.minors() == [loading.tensorflow_minor()]
    built.unlink()
    assert "installed without the native library; `keras-fullgrad build`" in loading.load.__wrapped__()[1]


def test_other_sources_have_another_cache(monkeypatch, tmp_path):
    before = libraries.cache()
    assert before == libraries.cache.__wrapped__()
    shutil.copytree(libraries.sources() / "csrc", tmp_path / "_source" / "csrc")
    monkeypatch.setattr(libraries, "PACKAGE", tmp_path)
    assert libraries.cache.__wrapped__() == before
    (tmp_path / "_source" / "csrc" / "core" / "saliency.h").write_text("// Another.")
    assert libraries.cache.__wrapped__() != before


def test_without_sources_an_import_still_works(monkeypatch, tmp_path):
    monkeypatch.setattr(libraries, "PACKAGE", tmp_path / "python" / "keras_fullgrad")
    assert libraries.sources() is None
    assert "installed without the native library" in loading.load.__wrapped__()[1]


def test_a_library_that_does_not_load_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(libraries, "cache", lambda: tmp_path)
    (tmp_path / f"libkeras_fullgrad_ops_tf{loading.tensorflow_minor()}.so").write_bytes(b"no library")
    library, reason = loading.load.__wrapped__()
    assert library is None
    assert "the native library does not load" in reason


@pytest.mark.parametrize(
    ("built", "capability", "driver", "reason"),
    [
        (
            {"cuda_version": None},
            (9, 0),
            (13, 0),
            "built without CUDA; build it with: FULLGRAD_CUDA=ON keras-fullgrad build",
        ),
        (
            {"cuda_version": "13.0.88", "cuda_architectures": "80 90"},
            (7, 5),
            None,
            "capability 8.0 and more, and the Card has 7.5; set CUDAARCHS=75",
        ),
        (
            {"cuda_version": "13.0.88", "cuda_architectures": "80 90"},
            (9, 0),
            (12, 4),
            "built with CUDA 13.0.88, and the driver runs CUDA 12.4; take a newer driver, or build it with",
        ),
        ({"cuda_version": "13.0.88", "cuda_architectures": "80 90"}, (9, 0), (13, 0), ""),
        ({"cuda_version": "12.8.61", "cuda_architectures": "80 90"}, (9, 0), (13, 0), ""),
    ],
)
def test_gpus_that_the_library_was_not_built_for(monkeypatch, built, capability, driver, reason):
    details = {"device_name": "Card", "compute_capability": capability}
    monkeypatch.setattr(libraries, "build_facts", lambda folder: built)
    monkeypatch.setattr(loading, "_cuda_of_driver", lambda: driver)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    said = loading.left_to_tensorflow_on_gpus.__wrapped__()
    assert (reason in said) if reason else (said == "")


@pytest.mark.slow
def test_a_gpu_without_a_kernel_runs_in_tensorflow(monkeypatch, small_net, images):
    """Rather than move all gradients to the CPU, where the native op would run."""
    expected = ke.full_gradients(small_net, images, 1, verbose=0)[1]
    monkeypatch.setattr(loading, "left_to_tensorflow_on_gpus", lambda: "it has no kernel")
    with pytest.warns(UserWarning, match="runs in plain TensorFlow: it has no kernel"):
        loading.warn_without_native()
    exposed = ke.inspection.expose(small_net)
    traced = tf.function(lambda x: ke.methods.gradient.full_gradients(exposed, x, tf.ones([5, 1], tf.int64)))
    graph = traced.get_concrete_function(tf.TensorSpec(images.shape, tf.float32)).graph
    assert not [op for op in graph.get_operations() if "SaliencyMap" in op.type]
    maps = ke.full_gradients(exposed, images, 1, verbose=0)[1]
    np.testing.assert_allclose(maps, expected, atol=1e-5)
