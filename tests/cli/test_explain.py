"""`keras-fullgrad explain`: what it writes, for whom, and how it is told."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_fullgrad as ke
import keras_fullgrad_cli as cli
from cli.running import contents, explain, panel, pixels, records, run, saved
from keras_fullgrad import pictures
from keras_fullgrad.methods import gradient
from keras_fullgrad.pictures import arrays
from keras_fullgrad_cli import nets
from keras_fullgrad_cli.folder import Folder
from keras_fullgrad_cli.run import Run

pytestmark = pytest.mark.slow


def resized(path, height, width, mode="RGB"):
    """An image as a net sees it."""
    with Image.open(path) as image:
        return np.asarray(image.convert(mode).resize((width, height), Image.Resampling.BILINEAR))


def test_maps_are_those_of_the_library(photos, colour_net, tmp_path):
    out = tmp_path / "out"
    said = explain(photos, "--out", out, "--format", "npy", model=colour_net)
    assert "explained 5 of 5 images" in said.out
    assert "5/5" in said.err
    model = keras.models.load_model(colour_net)
    for path, record in records(out).items():
        explained = ke.full_gradients(model, resized(path, 24, 20)[np.newaxis], verbose=0)
        maps = explained.maps
        assert record["classes"] == explained.classes[0].tolist()
        np.testing.assert_allclose(record["logits"], explained.logits[0], rtol=1e-5)
        np.testing.assert_allclose(np.load(out / f"{record['name']}.npy"), maps[0], atol=1e-5)


def test_every_format(photos, tmp_path):
    out = tmp_path / "out"
    formats = [option for name in ("overlay", "map", "npy") for option in ("--format", name)]
    explain(photos, "--out", out, *formats, "--cmap", "viridis", "--strength", "0.5")
    for path, record in records(out).items():
        map = np.load(out / f"{record['name']}.npy")
        assert (map.dtype, map.shape) == (np.float32, (96, 96, 1))
        # Of a photograph of 40x30 each pixel is a square of 6, so that a caption fits above it.
        shown = resized(path, 40, 30).repeat(6, axis=0).repeat(6, axis=1)
        expected = ke.overlay(shown, map, "viridis", 0.5)
        np.testing.assert_array_equal(panel(out / f"{record['name']}.overlay.png"), expected)
        drawn = pixels(out / f"{record['name']}.map.png")
        np.testing.assert_array_equal(
            drawn, pictures.coloured(arrays.resized(map[..., 0], (240, 180)), "viridis")
        )


def test_json_for_scripts(photos, tmp_path):
    (photos / "none.png").touch()
    said = explain(photos / "a.png", photos / "none.png", "--out", tmp_path / "out", "--json", status=3)
    facts = json.loads(said.out)
    assert (facts["images"], facts["explained"], facts["done before"]) == (2, 1, 0)
    assert [skipped["path"] for skipped in facts["skipped"]] == [str(photos / "none.png")]
    assert facts["interrupted"] is False


@pytest.mark.parametrize(
    ("options", "classes"), [(("--class", "3"), [3]), (("--class", "no", "--class", "yes"), [0, 1])]
)
def test_classes_by_index_and_by_label(photos, tmp_path, options, classes):
    names = ["no", "yes", *"abcdefgh"]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    explain(photos / "a.png", "--out", tmp_path / "out", *options, "--labels", tmp_path / "labels.txt")
    (record,) = records(tmp_path / "out").values()
    assert record["classes"] == classes
    assert record["labels"] == [names[index] for index in classes]


def test_a_table_of_paths_and_classes(photos, tmp_path):
    table = photos / "table.csv"
    table.write_text("path,class\na.png,7\nb.jpg,two\na.png,1\n")
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    (tmp_path / "labels.json").write_text(json.dumps({i: [f"n{i}", name] for i, name in enumerate(names)}))
    out = tmp_path / "out"
    explain(table, "--out", out, "--labels", tmp_path / "labels.json", "--format", "npy")
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [line["classes"] for line in lines] == [[7], [2], [1]]
    assert [line["labels"] for line in lines] == [["seven"], ["two"], ["one"]]
    assert {file.name for file in out.glob("*.npy")} == {"a-7.npy", "a-1.npy", "b.npy"}


def test_patterns_and_several_arguments(photos, tmp_path):
    explain(photos / "*.png", photos / "b.jpg", photos / "b.jpg", "--out", tmp_path / "out")
    assert list(records(tmp_path / "out")) == [str(photos / "a.png"), str(photos / "b.jpg")]


def test_what_a_run_wrote_is_not_explained(photos, tmp_path):
    explain(photos, "--out", photos / "out")
    explain(photos, "--out", photos / "out", "--resume")
    explain(photos, "--out", tmp_path / "out")
    assert len(records(photos / "out")) == len(records(tmp_path / "out")) == 5


@pytest.mark.parametrize(
    ("options", "params"),
    [
        (["--preset", "paper"], {"preset": "paper"}),
        (["--psi", "positive"], {"psi": ke.filters.positive}),
        (["--simple", "--preset", "paper"], {"simple": True, "preset": "paper"}),
        (["--backend", "tensorflow"], {"backend": "tensorflow"}),
        (["--implicit-biases"], {"implicit_biases": True}),
    ],
)
def test_options_of_the_method(photos, colour_net, tmp_path, options, params):
    explain(photos / "a.png", "--out", tmp_path / "out", "--format", "npy", *options, model=colour_net)
    model = keras.models.load_model(colour_net)
    image = resized(photos / "a.png", 24, 20)
    _, maps = ke.full_gradients(model, image[np.newaxis], verbose=0, **params)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "a.npy"), maps[0], atol=1e-5)


def test_a_net_of_keras_applications_has_its_own_preprocessing(photos, tmp_path):
    name = "keras.applications:MobileNetV2"
    options = ["--weights", "none", "--size", "32x64", "--format", "npy"]
    explain(photos / "a.png", "--out", tmp_path / "out", *options, model=name)
    image = resized(photos / "a.png", 32, 64)
    model = nets.load_model(name, "none", size=(32, 64))
    _, maps = ke.full_gradients(model, image[np.newaxis] / 127.5 - 1, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "a.npy"), maps[0], atol=1e-5)


def test_a_model_of_any_size_takes_the_size_asked_for(photos, tmp_path):
    layers = [keras.Input([None, None, 1]), keras.layers.Conv2D(3, 3), keras.layers.GlobalMaxPooling2D()]
    model = saved(keras.Sequential(layers), tmp_path / "any.keras")
    options = ["--preprocessing", "raw", "--out", tmp_path / "out"]
    assert "expected --size" in explain(photos, *options, model=model, status=1).err
    explain(photos, *options, "--size", "17x23", model=model)
    assert panel(tmp_path / "out" / "b.overlay.png").shape == (240, 180, 3)


def test_stopping_keeps_what_was_finished(photos, tmp_path, monkeypatch):
    expected = tmp_path / "whole"
    explain(photos, "--out", expected, "--batch-size", "2", "--format", "npy")
    enter = Run._enter

    def interrupted(self, outcome):
        enter(self, outcome)
        raise KeyboardInterrupt

    out = tmp_path / "out"
    options = ["--out", out, "--batch-size", "2", "--format", "npy"]
    monkeypatch.setattr(Run, "_enter", interrupted)
    said = explain(photos, *options, status=130)
    assert "interrupted: --resume goes on" in said.out
    assert len(records(out)) == 2
    monkeypatch.setattr(Run, "_enter", enter)
    again = explain(photos, *options, "--resume")
    assert "explained 3 of 5 images" in again.out
    assert "2 were done before" in again.out
    assert contents(out) == contents(expected)
    nothing = explain(photos, *options, "--resume", "--json")
    assert json.loads(nothing.out)["explained"] == 0


def test_a_run_is_not_taken_up_by_chance(photos, tmp_path):
    out = tmp_path / "out"
    explain(photos / "a.png", "--out", out)
    again = explain(photos, "--out", out, status=1)
    assert "expected a folder without results" in again.err
    assert "--resume goes on" in again.err
    other = explain(photos, "--out", out, "--resume", "--top", "2", status=1)
    assert "top was 1, is 2" in other.err
    assert len(records(out)) == 1


def test_a_smaller_batch_is_taken_up(photos, tmp_path):
    out = tmp_path / "out"
    explain(photos / "a.png", "--out", out)
    explain(photos, "--out", out, "--batch-size", "1", "--resume")
    assert len(records(out)) == 5


def test_one_run_at_a_time_in_a_folder(photos, tmp_path):
    out = tmp_path / "out"
    with Folder(out, {}, resume=False):
        said = explain(photos, "--out", out, status=1)
    assert f"expected a folder that no other run writes to, got {out}" in said.err
    explain(photos, "--out", out)


def test_more_images_can_be_added(photos, tmp_path):
    out = tmp_path / "out"
    explain(photos / "b.jpg", "--out", out, "--format", "npy")
    before = (out / "b.npy").read_bytes()
    explain(photos, "--out", out, "--format", "npy", "--resume")
    assert len(records(out)) == len(list(out.rglob("*.npy"))) == 5
    assert (out / "b.npy").read_bytes() == before


def test_help_names_every_command():
    said = run("--help")
    for command in cli.app.registered_commands:
        assert command.callback.__name__ in said.out
    assert "--resume" in run("explain", "--help").out


def test_benchmark_compares_answers_and_times(colour_net):
    said = run("benchmark", colour_net, "--repeats", "2", "--batch-size", "1", "--batch-size", "3", "--json")
    assert said.status == 0, said.err
    facts = json.loads(said.out)
    assert [row["batch"] for row in facts["rows"]] == [1, 3]
    assert all(value > 0 for row in facts["rows"] for value in row.values())
    assert "plain gradient" in run("benchmark", colour_net, "--repeats", "1").out


def test_benchmark_times_nothing_where_answers_differ(colour_net, monkeypatch):
    true = gradient.full_gradients

    def wrong(model, x, y, backend="auto"):
        logits, maps = true(model, x, y, backend=backend)
        return ke.Explanation(logits, maps * (1.1 if backend == "auto" else 1))

    monkeypatch.setattr(gradient, "full_gradients", wrong)
    monkeypatch.setattr("keras_fullgrad_cli.timing.interleaved", lambda *_: pytest.fail("timed"))
    said = run("benchmark", colour_net)
    assert said.status == 1
    assert "expected the maps of both paths to agree" in said.err
