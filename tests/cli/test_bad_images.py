"""Bad images, and odd ones: a clear message each, and the rest of the run unharmed."""

import json

import numpy as np
import pytest
from PIL import Image

from cli.running import explain, panel, photograph, records

pytestmark = pytest.mark.slow

IMAGES = {}


def image(message=None):
    """Registers a file that a function makes, and why it is skipped, or that it is explained after all."""

    def register(make):
        IMAGES[make.__name__] = make, message
        return make

    return register


@image("expected an image (BMP, GIF, JPEG, JPEG2000, PNG, PPM, TIFF, WEBP")
def text_named_png(path):
    (path / "text.png").write_text("no picture")
    return path / "text.png"


@image("the file is empty")
def empty_file(path):
    (path / "empty.jpg").touch()
    return path / "empty.jpg"


@image("the image is damaged or cannot be read: image file is truncated")
def truncated_jpeg(path):
    photograph(1, 300, 300).save(path / "torn.jpg", quality=95)
    data = (path / "torn.jpg").read_bytes()
    (path / "torn.jpg").write_bytes(data[: len(data) // 2])
    return path / "torn.jpg"


@image("the image is damaged or cannot be read")
def png_with_broken_data(path):
    photograph(1).save(path / "broken.png")
    data = bytearray((path / "broken.png").read_bytes())
    data[60:80] = bytes(20)
    (path / "broken.png").write_bytes(data)
    return path / "broken.png"


@image("expected at most 100000000 pixels, got 20000x20000")
def bomb(path):
    Image.new("1", (20_000, 20_000)).save(path / "bomb.png")
    assert (path / "bomb.png").stat().st_size < 100_000
    return path / "bomb.png"


@image("expected values of 8 or 16 bits")
def floats(path):
    Image.fromarray(np.ones([8, 8], np.float32)).save(path / "floats.tif")
    return path / "floats.tif"


@image(".eps holds a drawing: save it as PNG")
def a_kind_that_starts_programs(path):
    photograph(1).save(path / "drawing.eps")
    return path / "drawing.eps"


@image()
def one_pixel(path):
    Image.new("RGB", (1, 1), "red").save(path / "one.png")
    return path / "one.png"


@image()
def palette_png(path):
    photograph(2).quantize(16).save(path / "palette.png")
    return path / "palette.png"


@image()
def cmyk_jpeg(path):
    photograph(2).convert("CMYK").save(path / "cmyk.jpg")
    return path / "cmyk.jpg"


@image()
def animation(path):
    frames = [photograph(seed) for seed in (2, 3, 4)]
    frames[0].save(path / "animation.gif", save_all=True, append_images=frames[1:])
    return path / "animation.gif"


@image()
def grey(path):
    photograph(2).convert("L").save(path / "grey.png")
    return path / "grey.png"


@image()
def transparent(path):
    photograph(2).convert("RGBA").save(path / "transparent.png")
    return path / "transparent.png"


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_among_good_ones(name, tmp_path, colour_net):
    make, message = IMAGES[name]
    good = [tmp_path / "first.png", tmp_path / "last.png"]
    for seed, path in enumerate(good):
        photograph(seed).save(path)
    path = make(tmp_path)
    out = tmp_path / "out"
    said = explain(
        *(good[0], path, good[1]),
        "--out",
        out,
        "--format",
        "npy",
        model=colour_net,
        status=3 if message else 0,
    )
    found = records(out)
    assert set(map(str, good)) <= set(found)
    if message is None:
        assert len(found) == 3
        assert said.err.count("\n") <= 2
        return
    assert len(found) == 2
    (line,) = (line for line in said.err.splitlines() if line.startswith("skipped"))
    assert line.startswith(f"skipped {path}: ")
    assert message in line
    (skipped,) = map(json.loads, (out / "skipped.jsonl").read_text().splitlines())
    assert (skipped["path"], skipped["error"] in line) == (str(path), True)
    assert f"1 skipped: see {out / 'skipped.jsonl'}" in said.out


def test_strict_stops_at_the_first(tmp_path, colour_net):
    photograph(1).save(tmp_path / "good.png")
    bad = text_named_png(tmp_path)
    options = ("--out", tmp_path / "out", "--batch-size", "1", "--strict")
    said = explain(tmp_path / "good.png", bad, *options, model=colour_net, status=1)
    assert f"error: {bad}: expected an image" in said.err
    assert len(records(tmp_path / "out")) <= 1


def test_sixteen_bits_look_as_eight_do(tmp_path):
    eight = np.asarray(photograph(2).convert("L"))
    Image.fromarray(eight).save(tmp_path / "eight.png")
    Image.fromarray(eight.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    explain(tmp_path / "eight.png", tmp_path / "sixteen.png", "--out", tmp_path / "out")
    drawn = [panel(tmp_path / "out" / f"{name}.overlay.png") for name in ("eight", "sixteen")]
    np.testing.assert_array_equal(*drawn)


def test_a_camera_held_upright(tmp_path):
    turned = photograph(2, 30, 40)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    turned.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    explain(tmp_path / "turned.png", tmp_path / "upright.png", "--out", tmp_path / "out")
    drawn = [panel(tmp_path / "out" / f"{name}.overlay.png") for name in ("turned", "upright")]
    np.testing.assert_array_equal(*drawn)


def test_every_image_is_bad(tmp_path, colour_net):
    said = explain(text_named_png(tmp_path), "--out", tmp_path / "out", model=colour_net, status=3)
    assert "explained 0 of 1 images" in said.out


@pytest.mark.parametrize("name", ["../../outside", ".hidden", "a\nb", "<b>", "x" * 251, "%s", "-", "results"])
def test_names_stay_in_the_folder(tmp_path, name):
    source = tmp_path / "photos" / "deep"
    source.mkdir(parents=True)
    path = source / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    photograph(1).save(path)
    before = {file for file in tmp_path.rglob("*") if file.is_file()}
    explain(path, "--out", tmp_path / "out")
    new = {file for file in tmp_path.rglob("*") if file.is_file()} - before
    assert len(new) == 5
    assert {file.parent for file in new} == {tmp_path / "out"}
    assert len(records(tmp_path / "out")) == 1
