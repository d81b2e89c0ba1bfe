"""What an actor does on its machine; no cluster is needed to tell."""

import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from cli.running import saved
from keras_fullgrad.integrations.ray import FullGrad
from keras_fullgrad_cli.formats import Drawing
from keras_fullgrad_cli.options import Format, Resize
from keras_fullgrad_cli.writing import Writer


@pytest.mark.parametrize(
    ("classes", "params"),
    [
        (None, {}),
        (None, {"top": 3, "preset": "paper"}),
        ([2, 0, 1, 3, 3], {}),
        ([[2, 1]] * 5, {"batch_size": 2, "preset": "paper", "simple": True}),
    ],
)
def test_a_batch_is_explained_as_by_the_library(small_net, images, classes, params):
    batch = {"image": images, "name": np.arange(5)} | (
        {} if classes is None else {"class": np.array(classes)}
    )
    found = FullGrad(lambda: small_net, **params)(batch)
    logits, maps = expected = ke.full_gradients(small_net, images, classes, verbose=0, **params)
    np.testing.assert_array_equal(found["classes"], expected.classes)
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-5)
    np.testing.assert_allclose(found["map"], maps, atol=1e-5)
    assert set(batch) < set(found)


def test_models_from_files(images, tmp_path):
    layers = [keras.Input([16, 12, 3]), keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    path = saved(keras.Sequential(layers), tmp_path / "net.keras")
    assert FullGrad(str(path))({"image": images})["map"].shape == (5, 16, 12, 1)
    layers.insert(1, keras.layers.Lambda(lambda x: 2 * x))
    with pytest.raises(ValueError, match="safe_mode"):
        FullGrad(saved(keras.Sequential(layers), tmp_path / "code.keras"))
    with pytest.raises(
        ValueError, match=r"expected a \.keras file or a function that returns a model, got net\.h5"
    ):
        FullGrad("net.h5")
    with pytest.raises(ValueError, match="expected no return_terms"):
        FullGrad(path, return_terms=True)


@pytest.mark.parametrize(
    ("actor", "granted", "hidden"), [("a", [], True), ("a", ["0"], False), (None, [], False)]
)
def test_gpus_that_ray_did_not_grant_are_not_used(monkeypatch, actor, granted, hidden):
    context = SimpleNamespace(get_actor_id=lambda: actor, get_accelerator_ids=lambda: {"GPU": granted})
    ray = SimpleNamespace(is_initialized=lambda: True, get_runtime_context=lambda: context)
    monkeypatch.setitem(sys.modules, "ray", ray)
    calls = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *arguments: calls.append(arguments))
    FullGrad(lambda: None)
    assert calls == [([], "GPU")] * hidden


def test_gpus_are_shared(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["first", "second"])
    calls = []
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda *arguments: calls.append(arguments)
    )
    FullGrad(lambda: None)
    assert calls == [("first", True), ("second", True)]


def test_a_machine_that_does_not_share_the_folder(tmp_path):
    writer = Writer(tmp_path / "out", [Format.npy], Drawing("inferno", 0.75, 1600, Resize.stretch, 1))
    with pytest.raises(ValueError, match=f"expected the folder {tmp_path / 'out'} on every machine"):
        writer.check()
