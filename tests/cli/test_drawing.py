"""Pictures that a run draws: the map over the photograph, in its proportions, with what it explains."""

import json

import numpy as np
import pytest
from PIL import Image, ImageOps

import keras_fullgrad as ke
from cli.running import contents, explain, panel, photograph, pixels, records
from keras_fullgrad_cli import contact
from keras_fullgrad_cli.folder import Entry, Folder, Place
from keras_fullgrad_cli.formats import PLACE, Drawing, coloured, overlay
from keras_fullgrad_cli.framing import carried_back, framed
from keras_fullgrad_cli.images import photograph as read
from keras_fullgrad_cli.options import Resize
from keras_fullgrad_cli.panels import Caption, Panel, arranged
from keras_fullgrad_cli.results import Result, captions
from keras_fullgrad_cli.sources import Source

SIZES = [(640, 427), (427, 640), (300, 300), (1000, 31)]


def result(file, map, labels=("tabby",), probability=(0.87,)):
    entry = Entry(Source(str(file)), Place("name", 0), False)
    logits = [2.5] * len(labels)
    return Result(entry, str(file), map, [*range(len(labels))], [*labels], logits, probability)


def drawing(resize=Resize.stretch, most_side=1600):
    return Drawing("inferno", 0.75, most_side, resize, 10**8)


def opened(data, tmp_path):
    (tmp_path / "drawn.png").write_bytes(data)
    return panel(tmp_path / "drawn.png")


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_photograph_is_the_same_smaller(tmp_path, name, orientation):
    image = photograph(1, 1200, 2000)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / name, exif=exif)
    whole, smaller = (read(str(tmp_path / name), 3, 10**8, side) for side in (None, 500))
    assert max(smaller.size) == 500
    expected = np.asarray(whole.resize(smaller.size), int)
    assert np.abs(np.asarray(smaller, int) - expected).mean() < 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resize", Resize)
def test_what_the_net_saw_is_carried_back_to_where_it_was(size, resize):
    # A map that is the image itself must lie over it.
    width, height = size
    image = Image.linear_gradient("L").resize(size)
    image = image if width < height else image.rotate(90)
    seen = np.asarray(framed(image, (96, 64), resize), np.float32)[..., np.newaxis]
    assert seen.shape == (96, 64, 1)
    map, (left, top, right, bottom) = carried_back(seen, size, resize)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    back = Image.fromarray(map[..., 0]).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    original = np.asarray(image, np.float32)[top:bottom, left:right]
    assert np.abs(np.asarray(back) - original).mean() < 6
    if resize is not Resize.crop:
        assert (right - left, bottom - top) == size


def test_padding_is_black_and_cropping_keeps_proportions():
    white = Image.new("RGB", (60, 24), "white")
    white.paste("red", (0, 0, 20, 24))
    padded = np.asarray(framed(white, (24, 20), Resize.pad))
    assert (padded[:8] == 0).all()
    assert (padded[-8:] == 0).all()
    assert (padded[8:16, -5:] == 255).all()
    assert (np.asarray(framed(white, (24, 20), Resize.crop)) == 255).all()
    assert (np.asarray(framed(white, (24, 20), Resize.stretch))[:, 0] == [255, 0, 0]).all()


@pytest.mark.parametrize("resize", Resize)
def test_an_overlay_has_the_photographs_size_and_proportions(tmp_path, resize):
    file = tmp_path / "photo.png"
    photograph(1, 427, 640).save(file)
    map = np.random.default_rng(0).random([24, 20, 1])
    shown = opened(overlay(result(file, map), drawing(resize)), tmp_path)
    assert shown.shape == (427, 640, 3)
    if resize is Resize.stretch:
        np.testing.assert_array_equal(shown, ke.overlay(pixels(file), map))
    if resize is Resize.crop:  # What the net did not see is faded.
        assert shown[:, :100].min() > 170
    (tmp_path / "map.png").write_bytes(coloured(result(file, map), drawing(resize)))
    assert pixels(tmp_path / "map.png").shape == (427, 640, 3)


def test_a_camera_held_upright_is_drawn_upright(tmp_path):
    file = tmp_path / "turned.jpg"
    image = photograph(1, 300, 400)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, exif=exif)
    shown = opened(overlay(result(file, np.zeros([8, 8, 1])), drawing()), tmp_path)
    assert shown.shape == (400, 300, 3)
    with Image.open(file) as turned:
        np.testing.assert_array_equal(read(str(file), 3, 10**8), ImageOps.exif_transpose(turned))


@pytest.mark.parametrize(
    ("size", "shown"), [((3000, 1500), (1600, 800)), ((8, 6), (240, 180)), ((1, 1), (240, 240))]
)
def test_the_largest_and_the_smallest_are_brought_to_what_can_be_looked_at(tmp_path, size, shown):
    file = tmp_path / "photo.png"
    photograph(1, size[1], size[0]).save(file)
    drawn = opened(overlay(result(file, np.ones([8, 8, 1])), drawing()), tmp_path)
    assert drawn.shape[1::-1] == shown


def test_classes_have_a_panel_and_a_caption_each(tmp_path):
    file = tmp_path / "photo.png"
    photograph(1, 200, 300).save(file)
    map = np.random.default_rng(0).random([24, 20, 3])
    labels = ("tabby", "a name that is much too long to stand above a picture of this size", "7")
    data = overlay(result(file, map, labels, (0.87, 0.1, 0.0001)), drawing())
    (tmp_path / "drawn.png").write_bytes(data)
    for k in range(3):
        seen = panel(tmp_path / "drawn.png", left=k * (300 + 8))
        np.testing.assert_array_equal(seen, ke.overlay(pixels(file), map[..., k]))
    with Image.open(tmp_path / "drawn.png") as image:
        top = int(image.info[PLACE].split()[1])
        above = np.asarray(image.convert("L"))[:top]
    for k in range(3):
        assert above[:, k * 308 + 8 : (k + 1) * 308].min() < 100  # Text,
        assert above[:, k * 308 : k * 308 + 8].min() == 255  # that ends before the next.


def test_what_captions_say():
    assert captions(["tabby", "7"], [8.3141, -1e-12], None) == [
        ("tabby", "logit 8.31"),
        ("class 7", "logit -1e-12"),
    ]
    assert captions(["a", "b", "c"], [1, 1, 1], [1.0, 0.877, 1e-9]) == [
        ("a", "100.0%"),
        ("b", "87.7%"),
        ("c", "< 0.1%"),
    ]


def test_a_caption_of_letters_that_a_font_lacks_is_drawn():
    panels = [Panel(Image.new("RGB", (240, 100)), [Caption("猫\n🐈 " * 30, "87%")])]
    assert arranged(panels, 3)[0].width == 240 + 2 * 8


@pytest.mark.slow
def test_one_sheet_shows_a_run(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(contact, "MOST", 4)
    explain(photos / "a.png", "--out", tmp_path / "out")
    assert pixels(tmp_path / "out" / "contact-sheet.png").shape[1] == 240 + 2 * 8
    explain(photos, "--out", tmp_path / "out", "--resume")
    shown = pixels(tmp_path / "out" / "contact-sheet.png")
    assert shown.shape[1] == 2 * 240 + 3 * 8
    explain(photos, "--out", tmp_path / "whole")
    # What was drawn first stays in the first row, as a run in one go has it.
    np.testing.assert_array_equal(shown, pixels(tmp_path / "whole" / "contact-sheet.png"))
    explain(photos, "--out", tmp_path / "arrays", "--format", "npy")
    assert not (tmp_path / "arrays" / "contact-sheet.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("resize", ["crop", "pad"])
def test_the_net_sees_what_was_asked_for(tmp_path, colour_net, resize):
    file = tmp_path / "photo.png"
    photograph(1, 40, 90).save(file)
    framed_file = tmp_path / "framed.png"
    with Image.open(file) as image:
        framed(image, (24, 20), Resize(resize)).save(framed_file)
    explain(file, "--out", tmp_path / "out", "--resize", resize, "--format", "npy", model=colour_net)
    explain(framed_file, "--out", tmp_path / "same", "--format", "npy", model=colour_net)
    maps = [np.load(tmp_path / out) for out in ("out/photo.npy", "same/framed.npy")]
    assert maps[0].shape == (24, 20, 1)
    np.testing.assert_array_equal(*maps)


def test_overwriting_that_was_cut_off_is_no_run_to_go_on_with(tmp_path, monkeypatch):
    record = {"path": "a.png", "wanted": None, "name": "a", "row": 0}
    with Folder(tmp_path / "out", {}) as folder:
        folder.write("a.npy", b"map")
        folder.record([record])

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_fullgrad_cli.folder.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        Folder(tmp_path / "out", {}, overwrite=True)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="expected the settings of the run"):
        Folder(tmp_path / "out", {}, resume=True)
    with Folder(tmp_path / "out", {}, overwrite=True) as folder:
        assert list(folder.records()) == []


@pytest.mark.slow
def test_overwriting_leaves_what_is_not_its_own(photos, tmp_path):
    out = tmp_path / "out"
    explain(photos, "--out", out, "--format", "npy", "--format", "overlay")
    (out / "mine.npy").touch()
    (out / "a.jpg").touch()
    explain(photos / "b.jpg", "--out", out, "--top", "2", "--overwrite")
    assert list(records(out)) == [str(photos / "b.jpg")]
    assert len(records(out)[str(photos / "b.jpg")]["classes"]) == 2
    own = {"b.overlay.png", "contact-sheet.png", "results.jsonl", "skipped.jsonl", "keras-fullgrad.json"}
    assert contents(out).keys() == {"mine.npy", "a.jpg", *own}
    assert json.loads((out / "keras-fullgrad.json").read_text())["top"] == 2
    said = explain(photos, "--out", out, "--overwrite", "--resume", status=2)
    assert "expected --resume or --overwrite, got both" in said.err
