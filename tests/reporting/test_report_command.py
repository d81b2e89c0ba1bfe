"""The command, and what a user sees beside the page: progress, skipped images, a link in a notebook."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import keras_fullgrad as ke
import keras_fullgrad_cli as cli
from keras_fullgrad.demo.show import NET
from keras_fullgrad.reporting import page
from report_page import Page

pytestmark = pytest.mark.slow

HOSTILE = "<script>window.hit = 1</script>"


@pytest.fixture
def files(tmp_path):
    """Two images, and a file that is none."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "<b>two"):
        Image.fromarray(rng.integers(0, 256, [120, 96], np.uint8)).save(folder / f"{name}.png")
    (folder / "three.png").write_text("no image")
    (tmp_path / "labels.txt").write_text("".join(f"digit {i}\n" for i in range(10)))
    return tmp_path


def run(files, *options):
    arguments = ["report", str(NET), str(files / "images"), "--preprocessing", "unit", *options]
    return CliRunner().invoke(cli.app, [*arguments, "--out", str(files / "report.html")])


def test_the_command_writes_what_can_be_read(files):
    result = run(files, "--labels", str(files / "labels.txt"), "--top", "2", "--title", "Two & one")
    assert result.exit_code == 3, result.output
    assert "three.png: expected an image" in result.output
    assert "2 of 3 images" in result.output
    found = Page(files / "report.html")
    assert {"Two & one", str(files / "images" / "<b>two.png")} <= set(found.texts)
    assert [len(card) for card in found.cards] == [2, 2]
    assert sum(text.startswith("digit ") for text in found.texts) == 2 * 5


@pytest.mark.parametrize(
    ("resize", "shape"), [("stretch", (60, 90)), ("crop", (448, 448)), ("pad", (448, 448))]
)
def test_a_photograph_keeps_its_proportions(files, resize, shape, monkeypatch):
    cards = []
    monkeypatch.setattr(page, "render", lambda *args: cards.extend(args[3]) or "")
    Image.new("RGB", [90, 60], "red").save(files / "wide.png")
    arguments = ["report", str(NET), str(files / "wide.png"), "--preprocessing", "unit", "--resize", resize]
    result = CliRunner().invoke(cli.app, [*arguments, "--out", str(files / "report.html")])
    assert result.exit_code == 0, result.output
    (card,) = cards
    assert card.pixels.shape == (*shape, 3)
    # Nothing but red, but where the net sees black beside it.
    red = (card.pixels == [255, 0, 0]).all(-1)
    assert red[:, shape[1] // 2].sum() == pytest.approx(shape[0] * (2 / 3 if resize == "pad" else 1), abs=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strict"], "three.png: expected an image"),
        (["--class", "10"], "expected a class from 0 to 9, got 10"),
        (["--labels", "."], "expected a file of labels, got ."),
    ],
)
def test_the_command_fails_with_nothing_written(files, options, message):
    result = run(files, *options)
    assert result.exit_code == 1
    assert message in result.output
    assert not list(files.glob("report*"))


def test_the_command_without_a_readable_image(files):
    for path in (files / "images").glob("*o*.png"):
        path.unlink()
    result = run(files)
    assert result.exit_code == 1
    assert "expected an image that can be read, got none of 1" in result.output


def test_skipped_images_are_told_with_the_reason(small_net, images, tmp_path, files):
    skipped = [(tmp_path / "one.png", "expected an image"), (HOSTILE, HOSTILE)]
    found = Page(ke.report(small_net, images, out=tmp_path / "report.html", skipped=skipped, verbose=0))
    assert {"2 images were skipped", str(tmp_path / "one.png"), ": expected an image", HOSTILE} <= set(
        found.texts
    )
    found = Page(ke.report(small_net, images, out=tmp_path / "report.html", verbose=0))
    assert not any("skipped" in text for text in found.texts)
    run(files)
    found = Page(files / "report.html")
    assert {"1 image was skipped", str(files / "images" / "three.png")} <= set(found.texts)


def test_progress_is_told_as_predict_tells_it(small_net, images, tmp_path, capsys):
    told = []

    class Told(keras.callbacks.Callback):
        def on_predict_begin(self, logs=None):
            told.append(self.params["steps"])

        def on_predict_batch_end(self, batch, logs=None):
            told.append(batch)

        def on_predict_end(self, logs=None):
            told.append("end")

    out = tmp_path / "report.html"
    ke.report(small_net, images, out=out, batch_size=2, verbose=0, callbacks=[Told()])
    assert told == [6, 0, 1, 2, 3, 4, 5, "end"]
    assert not capsys.readouterr().out
    ke.report(small_net, images, out=out, batch_size=2)
    assert "6/6" in capsys.readouterr().out


def test_the_command_shows_progress_beside_what_it_says(files):
    result = run(files)
    assert "2/2" in result.stderr
    assert result.stdout == f"{files / 'report.html'}: 2 of 3 images, 0.1 MB\n"


def test_a_report_is_a_path_that_a_notebook_shows_as_a_link(small_net, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a&b").mkdir()
    here = ke.report(small_net, images, out=tmp_path / "a&b" / "my report.html", verbose=0)
    assert here == tmp_path / "a&b" / "my report.html"
    assert here.read_text().startswith("<!doctype html>")
    assert os.fspath(here) == str(here)
    assert 'href="a%26b/my%20report.html"' in here._repr_html_()  # As a notebook's server knows it.
    assert "a&amp;b/my report.html</a>, 0." in here._repr_html_()
    monkeypatch.chdir("/")
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "a&b" / "elsewhere")
    assert f'href="{here.absolute().as_uri()}"' in here._repr_html_()
    here.unlink()
    assert "not there any more" in here._repr_html_()
