"""Models, options, tables and labels that `explain` cannot use: a clear message each."""

import sys

import keras
import pytest

from cli.running import explain, records, saved
from keras_fullgrad.demo.show import NET

pytestmark = pytest.mark.slow


def nets(tmp_path):
    """Models that cannot be explained on images, and what is said of them."""
    layers = keras.layers

    def net(name, *parts):
        return saved(keras.Sequential([*parts]), tmp_path / f"{name}.keras")

    (tmp_path / "corrupt.keras").write_bytes(NET.read_bytes()[:1000])
    (tmp_path / "text.keras").write_text("no model")
    with_lambda = net("lambda", keras.Input([8, 8, 3]), layers.Lambda(lambda x: x), layers.Flatten())
    return [
        ("keras.applications:Nothing", "expected a net of keras.applications, got 'Nothing'; there are"),
        ("keras.applications:resnet50", "got 'resnet50'; did you mean ResNet50?"),
        (tmp_path, f"expected a .keras or .h5 file, or keras.applications:NAME, got the folder {tmp_path}"),
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
        (["--class", "10"], "expected a class from 0 to 9, got 10"),
        (["--class", "cat"], "expected an index or a label of a class, got 'cat', and no labels"),
        (["--preset", "papers"], "expected --preset to be one of default, paper, got 'papers'"),
        (["--backend", "gpu"], "expected --backend to be one of auto, native, tensorflow, got 'gpu'"),
        (["--psi", "relu"], "expected --psi to be one of absolute, positive, negative, identity, "),
        (["--top", "11"], "expected --top from 1 to the 10 classes of the model, got 11"),
        (["--cmap", "nothing"], "one of matplotlib's colour maps, got 'nothing'"),
        (["--preprocessing", "caffe"], "expected --preprocessing raw, unit or tf, or --mean and --std, for"),
        (["--size", "32"], "expected --size 96x96, which the model takes, got 32x32"),
        (["--simple", "--implicit-biases"], "expected --simple or --implicit-biases, got both"),
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
    (tmp_path / "labels.txt").write_text("\n".join(["crane", "other", "crane", *"1234567"]))
    options = ("--labels", tmp_path / "labels.txt", "--out", tmp_path / "out")
    said = explain(photos, *options, "--class", "crane", status=1)
    assert "expected a class with a name of its own, got 'crane', which are [0, 2]" in said.err


def test_nothing_to_explain(tmp_path):
    (tmp_path / "empty").mkdir()
    for name, message in (("empty", "in the folder"), ("*.png", "that fit the pattern")):
        said = explain(tmp_path / name, "--out", tmp_path / "out", status=1)
        assert f"expected images {message} {tmp_path / name}, got none" in said.err


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
