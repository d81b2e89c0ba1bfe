"""Bad input to `explain`: a clear message each, and the rest of the run unharmed."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from cli.running import explain, photograph, pixels, records, saved
from keras_fullgrad.demo.show import NET
from keras_fullgrad_cli.writing import Writer

IMAGES = {}


def image(message=None):
    """Registers a file that a function makes, and why it is skipped, or that it is explained after all."""

    def register(make):
        IMAGES[make.__name__] = make, message
        return make

    return register


@image("expected a file, there is none")
def missing(path):
    return path / "missing.png"


@image("expected an image (BMP, GIF, JPEG, JPEG2000, PNG, PPM, TIFF, WEBP), got something else")
def text_named_png(path):
    (path / "text.png").write_text("no picture")
    return path / "text.png"


@image("got something else")
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


@image("got something else")
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
    drawn = [pixels(tmp_path / "out" / f"{name}.overlay.png") for name in ("eight", "sixteen")]
    np.testing.assert_array_equal(*drawn)


def test_a_camera_held_upright(tmp_path):
    turned = photograph(2, 30, 40)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    turned.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    explain(tmp_path / "turned.png", tmp_path / "upright.png", "--out", tmp_path / "out")
    drawn = [pixels(tmp_path / "out" / f"{name}.overlay.png") for name in ("turned", "upright")]
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
    assert len(new) == 4
    assert {file.parent for file in new} == {tmp_path / "out"}
    assert len(records(tmp_path / "out")) == 1


def nets(tmp_path):
    """Models that cannot be explained on images, and what is said of them."""
    layers = keras.layers

    def net(name, *parts):
        return saved(keras.Sequential([*parts]), tmp_path / f"{name}.keras")

    (tmp_path / "corrupt.keras").write_bytes(NET.read_bytes()[:1000])
    (tmp_path / "text.keras").write_text("no model")
    with_lambda = net("lambda", keras.Input([8, 8, 3]), layers.Lambda(lambda x: x), layers.Flatten())
    return [
        (tmp_path / "none.keras", "expected a .keras or .h5 file, or keras.applications:NAME, got"),
        (
            "keras.applications:Nothing",
            "expected a net of keras.applications, got 'keras.applications:Nothing'",
        ),
        (tmp_path / "corrupt.keras", "corrupt.keras does not load"),
        (tmp_path / "text.keras", "text.keras does not load"),
        (with_lambda, "--unsafe loads code that it holds"),
        (net("flat", keras.Input([12]), layers.Dense(3)), "expected a model with one input of images"),
        (net("four", keras.Input([8, 8, 4]), layers.Flatten()), "takes 1 or 3 channels, got 4"),
        (net("unscaled", keras.Input([8, 8, 3]), layers.Flatten()), "expected --preprocessing"),
    ]


def test_models(photos, tmp_path):
    for model, message in nets(tmp_path):
        said = explain(photos, "--out", tmp_path / "out", model=model, status=1)
        assert said.err.startswith("error: "), said.err
        assert message in said.err
        assert said.out == ""
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "none.txt"], "expected a file of labels, got none.txt"),
        (["--class", "10"], "expected a class from 0 to 9, got 10"),
        (["--class", "cat"], "expected an index or a label of a class, got 'cat', and no labels"),
        (["--top", "11"], "expected --top from 1 to the 10 classes of the model, got 11"),
        (["--cmap", "nothing"], "one of matplotlib's colour maps, got 'nothing'"),
        (["--preprocessing", "caffe"], "expected --preprocessing raw or unit for a net of grey images"),
        (["--size", "32"], "expected --size 96x96, which the model takes, got 32x32"),
        (["--simple", "--implicit-biases"], "expected simple or implicit_biases, got both"),
        (["--num-actors", "2"], "expected --engine ray with --address or --num-actors, got --engine local"),
        (["--address", "auto"], "expected --engine ray with --address or --num-actors, got --engine local"),
        (
            ["--engine", "ray", "--address", "head"],
            "expected --address HOST:PORT, as ray start names it, got head",
        ),
    ],
)
def test_options(photos, tmp_path, options, message):
    said = explain(photos, "--out", tmp_path / "out", *options, status=1)
    assert said.err.splitlines()[-1].startswith("error: ")
    assert message in said.err


@pytest.mark.parametrize(
    "options", [["--size", "0x3"], ["--strength", "2"], ["--format", "gif"], ["--batch-size", "0"]]
)
def test_options_that_are_no_options(photos, tmp_path, options):
    said = explain(photos, "--out", tmp_path / "out", *options, status=2)
    assert f"Invalid value for '{options[0]}'" in said.err


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("file\na.png\n", "expected a column 'path' in"),
        ("path\n", "expected images in the table"),
        ("path,class\na.png,1\nb.jpg,\n", "expected a class in every row"),
        (b"path\n\xff\xfe\n", "expected a CSV file in UTF-8"),
    ],
)
def test_tables(photos, tmp_path, rows, message):
    table = photos / "table.csv"
    table.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    assert message in explain(table, "--out", tmp_path / "out", status=1).err


def test_rows_of_a_table_that_cannot_be_explained(photos, tmp_path):
    (photos / "table.csv").write_text("path,class\na.png,1\nb.jpg,12\nmore,2\n")
    said = explain(photos / "table.csv", "--out", tmp_path / "out", status=3)
    assert "b.jpg: expected a class from 0 to 9, got 12" in said.err
    assert "more: expected a file, got a folder" in said.err
    assert len(records(tmp_path / "out")) == 1


def test_classes_of_both_kinds(photos, tmp_path):
    (photos / "table.csv").write_text("path,class\na.png,1\n")
    said = explain(photos / "table.csv", "--class", "2", "--out", tmp_path / "out", status=1)
    assert "expected classes from --class or from a table, got both" in said.err
    said = explain(photos / "table.csv", photos / "b.jpg", "--out", tmp_path / "out", status=1)
    assert "expected classes from tables for all images or for none, got some without" in said.err


@pytest.mark.parametrize(
    ("names", "message"),
    [('{"0": "a", "2": "b"}', "JSON list"), ("[1, 2]", "got [1, 2]"), ("{", "JSON list"), ("3", "JSON list")],
)
def test_labels_of_no_known_form(photos, tmp_path, names, message):
    (tmp_path / "labels.json").write_text(names)
    options = ("--labels", tmp_path / "labels.json", "--out", tmp_path / "out")
    assert message in explain(photos, *options, status=1).err


def test_labels_that_are_not_unique(photos, tmp_path):
    (tmp_path / "labels.txt").write_text("crane\nother\ncrane\n")
    options = ("--labels", tmp_path / "labels.txt", "--out", tmp_path / "out")
    said = explain(photos, *options, "--class", "crane", status=1)
    assert "expected a class with a name of its own, got 'crane', which are [0, 2]" in said.err


def test_nothing_to_explain(tmp_path):
    (tmp_path / "empty").mkdir()
    for name, message in (("empty", "in the folder"), ("*.png", "in the pattern")):
        said = explain(tmp_path / name, "--out", tmp_path / "out", status=1)
        assert f"expected images {message} {tmp_path / name}, got none" in said.err


def test_a_folder_that_cannot_be_written(photos, tmp_path):
    (tmp_path / "file").touch()
    said = explain(photos, "--out", tmp_path / "file" / "out", status=1)
    assert f"error: cannot write {tmp_path / 'file'}" in said.err
    assert "Not a directory" in said.err


def test_a_run_whose_settings_are_lost(photos, tmp_path):
    explain(photos, "--out", tmp_path / "out")
    (tmp_path / "out" / "keras-fullgrad.json").write_text("{")
    assert (
        "expected the settings of the run in"
        in explain(photos, "--out", tmp_path / "out", "--resume", status=1).err
    )


def test_h5_files_of_keras_that_runs_their_code(photos, tmp_path, monkeypatch):
    path = tmp_path / "net.h5"
    path.write_bytes(b"")
    monkeypatch.setattr(keras, "__version__", "3.11.2")
    said = explain(photos, "--out", tmp_path / "out", model=path, status=1)
    assert "Keras 3.11.2 runs code that an .h5 file holds, 3.11.3 does not; --unsafe loads it" in said.err


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("zarr", ["--format", "zarr"], "zarr 3 for --format zarr: pip install 'keras-fullgrad[zarr]'"),
        (
            "pyarrow",
            ["--format", "parquet"],
            "pyarrow for --format parquet: pip install 'keras-fullgrad[ray]'",
        ),
        ("ray", ["--engine", "ray"], "Ray for --engine ray: pip install 'keras-fullgrad[ray]'"),
    ],
)
def test_packages_that_are_not_installed(photos, tmp_path, monkeypatch, module, options, message):
    for name in [module, *(each for each in sys.modules if each.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    said = explain(photos, "--out", tmp_path / "out", *options, status=1)
    assert f"error: expected {message}" in said.err
    assert not (tmp_path / "out").exists()


def in_a_process(*arguments, **options):
    """Runs the command in a process of its own."""
    command = [sys.executable, "-m", "keras_fullgrad_cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.slow
def test_files_that_grow_too_large(photos, tmp_path):
    out = tmp_path / "out"
    arguments = ["explain", NET, photos, "--preprocessing", "unit", "--format", "npy", "--out", out]

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # Less than a map takes.

    said = in_a_process(*arguments, preexec_fn=limited)
    assert said.returncode == 1
    assert "File too large; --resume goes on" in said.stderr
    assert not list(out.glob("*.npy"))
    again = in_a_process(*arguments, "--resume")
    assert again.returncode == 0, again.stderr
    assert len(records(out)) == len(list(out.glob("*.npy"))) == 5


@pytest.mark.slow
def test_a_full_disk(photos, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    arguments = ["explain", NET, photos, "--preprocessing", "unit", "--format", "npy"]
    arguments += ["--batch-size", "1", "--out", disk / "out"]
    try:
        said = in_a_process(*arguments)
        assert said.returncode == 1
        assert "No space left on device; --resume goes on" in said.stderr
        done = len(records(disk / "out"))
        assert 0 < done < 5
        assert len(list((disk / "out").glob("*.npy"))) == done
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        again = in_a_process(*arguments, "--resume")
        assert again.returncode == 0, again.stderr
        assert len(records(disk / "out")) == 5
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("loss", ["vanishes", "is made read-only"])
def test_a_folder_that_is_lost_on_the_way(photos, tmp_path, monkeypatch, loss):
    out = tmp_path / "out"
    options = ("--out", out, "--batch-size", "1", "--format", "npy")
    write, losses = Writer.write, []

    def lost(self, results):
        if len(records(out)) == 2 and not losses:
            losses.append(loss)
            if loss == "vanishes":
                shutil.rmtree(out)
            else:
                # Root may write what is read-only, so the system's answer is made up.
                monkeypatch.setattr(Path, "write_bytes", refused)
        write(self, results)

    def refused(self, data):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Writer, "write", lost)
    said = explain(photos, *options, status=1)
    assert f"error: cannot write {out}" in said.err
    assert said.err.endswith("; --resume goes on\n")
    monkeypatch.undo()
    again = explain(photos, *options, "--resume")
    assert f"explained {5 if loss == 'vanishes' else 3} of 5 images" in again.out
    assert len(records(out)) == len(list(out.glob("*.npy"))) == 5


def test_the_working_folder_may_hold_anything(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    explain("a.png", "--out", Path("out"))
    assert list(records(tmp_path / "photos" / "out")) == ["a.png"]
