"""`keras-fullgrad info`: what the installation is made of."""

import json

import keras
import tensorflow as tf
from typer.testing import CliRunner

import keras_fullgrad as ke
import keras_fullgrad_cli as cli
from keras_fullgrad.native import libraries, loading


def info(*options):
    result = CliRunner().invoke(cli.app, ["info", *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_facts_are_those_of_this_installation():
    facts = json.loads(info("--json"))
    built = libraries.build_facts(libraries.PACKAGE)
    assert facts["keras-fullgrad"] == ke.__version__
    assert (facts["TensorFlow"], facts["Keras"]) == (tf.__version__, keras.__version__)
    assert tf.__version__.startswith(tuple(facts["built for TensorFlow"]))
    assert facts["native op"] is True
    assert facts["kernels"] == (["CPU", "GPU"] if built["cuda_version"] else ["CPU"])
    assert facts["CUDA toolkit"] == built["cuda_version"]
    assert facts["GPUs"] == [environment_name(gpu) for gpu in tf.config.list_physical_devices("GPU")]


def environment_name(gpu):
    details = tf.config.experimental.get_device_details(gpu)
    major, minor = details["compute_capability"]
    return f"{details['device_name']} (compute capability {major}.{minor})"


def test_a_table_for_people():
    shown = info()
    for text in ("native op", "yes", "CUDA toolkit", "GPUs", tf.__version__):
        assert text in shown


def test_a_missing_library_is_advised_on(monkeypatch):
    monkeypatch.setattr(loading, "load", lambda: (None, "it is missing; build it"))
    facts = json.loads(info("--json"))
    assert facts["native op"] is False
    assert facts["kernels"] == []
    assert "it is missing; build it" in facts["advice"]
    assert "- it is missing; build it" in info()


def test_gpus_are_named(monkeypatch):
    monkeypatch.setattr(loading, "why_not_native", lambda: "")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    details = {"device_name": "Card", "compute_capability": (9, 0)}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert json.loads(info("--json"))["GPUs"] == ["Card (compute capability 9.0)"]
