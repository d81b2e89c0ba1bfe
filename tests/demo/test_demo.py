"""The demonstration: photographs, scenes, their networks, and the command that shows them."""

import json
import os
import pickle
import zipfile
from importlib.metadata import requires

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import keras_fullgrad_cli as cli
from keras_fullgrad.demo import demonstrate, lite0, photographs, torch_file, train
from keras_fullgrad.demo.scenes import Digits, Scenes, make_scenes, split_digits
from keras_fullgrad.demo.show import NET, SCENES
from keras_fullgrad.terms.decompose import decompose
from keras_fullgrad_cli import console

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demonstration():
    return demonstrate()


@pytest.fixture(scope="module")
def digits():
    """Drawn by hand, so that most tests of scenes need no scikit-learn."""
    ring, bar = np.zeros([8, 8]), np.zeros([8, 8])
    ring[1:7, 2:6] = 1
    ring[3:5, 3:5] = 0
    bar[0:8, 3:5] = 1
    return Digits(np.stack([ring, bar]), np.array([0, 1]))


def run(path):
    result = CliRunner().invoke(cli.app, ["demo", "--out", str(path)])
    assert result.exit_code == 0, result.output
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500
    assert "What to try next" in result.output
    return result.output


def test_every_supported_keras_reads_the_shipped_net():
    assert f"keras>={train.OLDEST_KERAS}" in requires("keras-fullgrad")
    with zipfile.ZipFile(NET) as file:
        written = json.loads(file.read("metadata.json"))["keras_version"]
    assert written.startswith(f"{train.OLDEST_KERAS}.")


def test_a_newer_keras_does_not_write_the_shipped_net(monkeypatch):
    monkeypatch.setattr(train.keras, "__version__", "3.99.0")
    with pytest.raises(
        RuntimeError, match=r"expected Keras 3\.7, whose files all later ones read, got 3\.99\.0"
    ):
        train.train()


def test_without_the_extra_the_command_explains_digits_and_says_what_brings_photographs(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(photographs, "installed", lambda: False)
    path = tmp_path / "demo.png"
    said = run(path)
    for text in (
        "FullGrad",
        "plain gradient",
        "energy in box",
        "predicted right: 16 of 16",
        "[demo]",
        str(path),
    ):
        assert text in said


def test_command_explains_photographs(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    said = run(tmp_path / "demo.png")
    for text in ("espresso", "space shuttle", "crash helmet", "flagpole", str(tmp_path / "demo.html")):
        assert text in said
    assert "espresso" in (tmp_path / "demo.html").read_text()


def test_a_trained_net_names_photographs_and_each_class_has_its_place():
    explained = {each.name: each for each in photographs.explain_photographs(lite0.load())}
    names = photographs.class_names()
    assert names[explained["coffee"].top[0]] == "espresso"
    assert names[explained["motorcycle"].top[0]] == "moped"
    shuttle, helmet, flagpole = np.moveaxis(explained["astronaut"].maps, -1, 0)
    upper_right, lower_right, upper_left = np.s_[:112, 150:], np.s_[112:, 112:], np.s_[:112, :75]
    for own, others, place in (
        (shuttle, (helmet,), upper_right),
        (helmet, (shuttle, flagpole), lower_right),
        (flagpole, (shuttle, helmet), upper_left),
    ):
        share = own[place].sum() / own.sum()
        assert all(share > 1.5 * other[place].sum() / other.sum() for other in others)


def test_terms_of_a_trained_net_add_up():
    images = lite0.preprocess(photographs.images())
    assert decompose(lite0.load(), images).relative_error < 1e-5


def test_weights_are_read_without_running_what_the_file_names(tmp_path):
    file = tmp_path / "weights.pth"
    file.write_bytes(b"".join(pickle.dumps(each) for each in (0, 1, {}, os.getcwd, [])))
    with pytest.raises(pickle.UnpicklingError, match=r"tensors alone, got posix\.getcwd"):
        torch_file.read_state_dict(file)


@pytest.mark.parametrize("place", [".", "file/demo.png"])
def test_unwritable_path_ends_before_anything_is_computed(tmp_path, monkeypatch, place):
    (tmp_path / "file").touch()
    monkeypatch.setattr("keras_fullgrad.demo.demonstrate", lambda: pytest.fail("computed"))
    result = CliRunner().invoke(cli.app, ["demo", "--out", str(tmp_path / place)])
    assert result.exit_code == 1
    assert result.output.startswith("error: cannot write")
    assert result.output.count("\n") == 1


def test_check_of_the_path_leaves_no_trace(tmp_path):
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    old.write_bytes(b"old")
    console.check_writable(old)
    console.check_writable(new)
    assert old.read_bytes() == b"old"
    assert not new.exists()


def test_maps_lie_on_the_digit(demonstration):
    shown = demonstration
    assert (shown.full_gradients_in_box > shown.box_area).all()
    assert shown.full_gradients_in_box.mean() > 2 * shown.box_area.mean()
    assert shown.correct >= 14


def test_shares_are_of_the_maps(demonstration):
    top, left, bottom, right = demonstration.scenes.boxes[3]
    full = demonstration.full_gradients[3]
    inside = full[top:bottom, left:right].sum() / full.sum()
    np.testing.assert_allclose(demonstration.full_gradients_in_box[3], inside, rtol=1e-5)
    area = (bottom - top) * (right - left) / full.size
    np.testing.assert_allclose(demonstration.box_area[3], area)


def test_shipped_files_are_small():
    assert NET.stat().st_size < 500_000
    assert SCENES.stat().st_size < 200_000


def test_scenes_follow_their_seed(digits):
    first, again, other = (make_scenes(digits, 4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.images, other.images)


def test_boxes_hold_the_digit(digits):
    scenes = make_scenes(digits, 50, seed=3)
    assert scenes.images.shape == (50, 96, 96, 1)
    assert scenes.images.dtype == np.float32
    assert scenes.images.min() >= 0
    assert scenes.images.max() <= 1
    assert set(scenes.classes) == {0, 1}
    for image, (top, left, bottom, right) in zip(scenes.images[..., 0], scenes.boxes, strict=True):
        assert 0 <= top < bottom <= 96
        assert 0 <= left < right <= 96
        digit = image[top:bottom, left:right]
        # Ink at each edge of the box, and a margin without any around it.
        for edge in (digit[:2], digit[-2:], digit[:, :2], digit[:, -2:]):
            assert edge.max() > 0.5
        around = image[top - 2 : bottom + 2, left - 2 : right + 2].copy()
        around[2:-2, 2:-2] = 0
        assert around.max() < 0.55


def test_scenes_survive_a_file(digits, tmp_path):
    scenes = make_scenes(digits, 3, seed=4)
    scenes.save(tmp_path / "scenes.npz")
    loaded = Scenes.load(tmp_path / "scenes.npz")
    np.testing.assert_allclose(loaded.images, scenes.images, atol=1 / 255)
    np.testing.assert_array_equal(loaded.boxes, scenes.boxes)
    np.testing.assert_array_equal(loaded.classes, scenes.classes)


def test_no_digit_is_both_trained_on_and_held_out():
    training, held_out = split_digits(seed=7)
    assert len(training.classes) + len(held_out.classes) == 1797
    assert not {d.tobytes() for d in training.images} & {d.tobytes() for d in held_out.images}
