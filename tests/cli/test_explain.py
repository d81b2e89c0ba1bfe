"""`keras-fullgrad explain`: what it writes, for whom, and how it is told."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_fullgrad as ke
import keras_fullgrad_cli as cli
from cli.running import contents, explain, photograph, pixels, records, run, saved
from keras_fullgrad import pictures
from keras_fullgrad.methods import gradient
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
        drawn = pixels(out / f"{record['name']}.map.png")
        np.testing.assert_array_equal(drawn, pictures.coloured(map, "viridis"))
        drawn = pixels(out / f"{record['name']}.overlay.png")
        seen = resized(path, 96, 96, "L")
        np.testing.assert_array_equal(drawn, ke.overlay(seen, map, "viridis", 0.5))


def test_images_of_one_name_never_overwrite_each_other(photos, tmp_path):
    photograph(9).save(photos / "A.png")
    explain(photos, "--out", tmp_path / "out")
    names = [record["name"] for record in records(tmp_path / "out").values()]
    assert len({name.lower() for name in names}) == 6


def test_json_for_scripts(photos, tmp_path):
    said = explain(photos / "a.png", photos / "none.png", "--out", tmp_path / "out", "--json", status=3)
    facts = json.loads(said.out)
    assert (facts["images"], facts["explained"], facts["done before"]) == (2, 1, 0)
    assert [skipped["path"] for skipped in facts["skipped"]] == [str(photos / "none.png")]
    assert facts["interrupted"] is False


@pytest.mark.parametrize(
    ("options", "classes"), [(("--class", "3"), [3]), (("--class", "no", "--class", "yes"), [0, 1])]
)
def test_classes_by_index_and_by_label(photos, tmp_path, options, classes):
    (tmp_path / "labels.txt").write_text("no\nyes\n")
    explain(photos / "a.png", "--out", tmp_path / "out", *options, "--labels", tmp_path / "labels.txt")
    (record,) = records(tmp_path / "out").values()
    assert record["classes"] == classes
    assert record["labels"] == [{0: "no", 1: "yes", 3: "3"}[index] for index in classes]


def test_top_classes_are_drawn_side_by_side(photos, tmp_path):
    explain(photos / "a.png", "--out", tmp_path / "out", "--top", "3", "--format", "overlay")
    (record,) = records(tmp_path / "out").values()
    assert record["logits"] == sorted(record["logits"], reverse=True)
    assert pixels(tmp_path / "out" / "a.overlay.png").shape == (96, 3 * 96 + 2 * 4, 3)


def test_a_table_of_paths_and_classes(photos, tmp_path):
    table = photos / "table.csv"
    table.write_text("path,class\na.png,7\nb.jpg,two\na.png,1\n")
    (tmp_path / "labels.json").write_text('{"0": ["n0", "zero"], "1": ["n1", "one"], "2": ["n2", "two"]}')
    out = tmp_path / "out"
    explain(table, "--out", out, "--labels", tmp_path / "labels.json", "--format", "npy")
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [line["classes"] for line in lines] == [[7], [2], [1]]
    assert [line["labels"] for line in lines] == [["7"], ["two"], ["one"]]
    assert len(list(out.glob("*.npy"))) == 3


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


def test_crop_keeps_proportions(tmp_path, colour_net):
    wide = np.zeros([24, 60, 3], np.uint8)
    wide[:, 20:40] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    for options in ([], ["--crop"]):
        out = tmp_path / f"out{len(options)}"
        explain(tmp_path / "wide.png", "--out", out, "--strength", "0", *options, model=colour_net)
    squeezed, cropped = (pixels(tmp_path / f"out{i}" / "wide.overlay.png") for i in (0, 1))
    assert squeezed.shape == cropped.shape == (24, 20, 3)
    assert (cropped == 255).all()
    assert squeezed.min() == 0


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
    assert pixels(tmp_path / "out" / "b.overlay.png").shape == (17, 23, 3)


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
    assert len(records(out)) == len(list(out.glob("*.npy"))) == 5
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
