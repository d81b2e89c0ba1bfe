"""`--target`: what is explained of models that are no classifiers."""

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from cli.running import explain, records, run, saved
from keras_fullgrad_cli import targets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input([24, 20, 3]),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(6, 3, activation="relu", padding="same", bias_initializer="normal"),
        keras.layers.Conv2D(4, 1, activation="softmax"),
    ]
    return saved(keras.Sequential(layers), tmp_path_factory.mktemp("nets") / "segmenter.keras")


def test_a_region_is_explained(photos, segmenter, tmp_path):
    out = tmp_path / "out"
    text = "Region(2, box=(0, 0, 12, 20))"
    explain(photos, "--out", out, "--format", "npy", "--target", text, model=segmenter)
    assert all(record["classes"] == [] for record in records(out).values())
    labels = {label for record in records(out).values() for label in record["labels"]}
    assert labels == {"Region(class_=2, box=[0, 0, 12, 20])"}
    logits = {record["logits"][0] for record in records(out).values()}
    assert len(logits) == 5
    page = tmp_path / "page.html"
    run("report", segmenter, photos, "--preprocessing", "raw", "--out", page, "--target", text)
    assert "Region(class_=2" in page.read_text()
    assert run("completeness", segmenter, "--target", text).status == 0


def test_a_target_and_classes(photos, segmenter, tmp_path):
    said = explain(
        photos, "--out", tmp_path / "out", "--target", "Region(1)", "--class", "2", model=segmenter, status=1
    )
    assert "expected --target or classes, got both" in said.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Region", "expected --target to be a call of one of Box, Class, Contrast"),
        ("3", "it is no call"),
        ("Region(", "was never closed"),
        ("Other(1)", "there is no target Other"),
        ("Region(__import__('os'))", "there is no target __import__"),
        ("targets.Region(1)", "there is no target targets.Region"),
        ("Region(*[1])", "got 'Region"),
        ("Region(1, shape=2)", "unexpected keyword"),
        ("Region(1, **{})", "is not taken"),
        ("Region(0.5)", "expected class_ to be whole numbers"),
    ],
)
def test_other_texts_are_refused(text, said):
    with pytest.raises(ValueError, match="expected --target to be a call") as error:
        targets.read(text)
    assert said in str(error.value)


def test_targets_are_read_as_in_python():
    read = targets.read("Output('scores', Box(3, class_=1))")
    assert read.output == "scores"
    np.testing.assert_array_equal(read.target.index, 3)
    assert str(targets.read("Contrast(1, 'runner-up')")) == "Contrast(a=1, b='runner-up')"
    assert isinstance(targets.read("Similarity([1.0, 2.0], 'cosine')"), ke.targets.Similarity)


def test_classes_of_one_output_of_several(photos, tmp_path):
    image = keras.Input([12, 20, 3])
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(6, 3)(image))
    heads = {name: keras.layers.Dense(units, name=name)(x) for name, units in (("a", 3), ("b", 5))}
    model = saved(keras.Model(image, heads), tmp_path / "heads.keras")
    explain(
        photos,
        "--out",
        tmp_path / "out",
        "--target",
        'Output("b")',
        "--top",
        "2",
        "--preprocessing",
        "raw",
        model=model,
    )
    for record in records(tmp_path / "out").values():
        assert record["labels"] == [f"b: {index}" for index in record["classes"]]
        assert len(set(record["classes"])) == 2
