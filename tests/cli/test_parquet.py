"""Images and maps in Parquet files."""

import numpy as np
import pytest

from cli.running import contents, explain, records

pa = pytest.importorskip("pyarrow", reason="pyarrow comes with '.[ray]'")
from pyarrow import parquet  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture
def tables(photos, tmp_path):
    """The photographs in two files, and a class for each."""
    folder = tmp_path / "tables"
    folder.mkdir()
    files = sorted(file for file in photos.rglob("*") if file.is_file())
    for number, some in enumerate((files[:2], files[2:])):
        images, paths = [file.read_bytes() for file in some], [str(file) for file in some]
        table = pa.table({"image": images, "path": paths, "class": [len(file.name) % 4 for file in some]})
        parquet.write_table(table, folder / f"{number}.parquet")
    return folder


def without_classes(folder):
    for file in folder.iterdir():
        parquet.write_table(parquet.read_table(file, columns=["image", "path"]), file)


def test_images_are_those_of_files(photos, tables, tmp_path):
    without_classes(tables)
    options = ("--batch-size", "2", "--format", "npy", "--format", "overlay")
    explain(photos, "--out", tmp_path / "files", *options)
    explain(tables, "--out", tmp_path / "tables-out", *options)
    assert contents(tmp_path / "tables-out") == contents(tmp_path / "files")


def test_classes(tables, tmp_path):
    explain(tables / "0.parquet", "--out", tmp_path / "out")
    explain(tables.as_uri(), "--out", tmp_path / "out", "--resume")
    for path, record in records(tmp_path / "out").items():
        assert record["classes"] == [len(path.rpartition("/")[2]) % 4]
    assert len(records(tmp_path / "out")) == 5


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path": ["a"]}, "expected a column 'image' of type binary in {file}, got none"),
        ({"image": [b"a"]}, "expected a column 'path' of type string in {file}, got none"),
        ({"image": [1], "path": ["a"]}, "expected a column 'image' of type binary in {file}, got int64"),
        (
            {"image": pa.array([], pa.binary()), "path": pa.array([], pa.string())},
            "expected images in {file}, got none",
        ),
        ({"image": [b"a", b"b"], "path": ["a", "a"]}, "of its own for each image in Parquet, got a twice"),
    ],
)
def test_tables_that_hold_no_images(tmp_path, columns, message):
    file = tmp_path / "table.parquet"
    parquet.write_table(pa.table(columns), file)
    said = explain(file, "--out", tmp_path / "out", status=1)
    assert message.format(file=file) in said.err


def test_files_that_are_no_tables(photos, tables, tmp_path):
    (tmp_path / "torn.parquet").write_bytes((tables / "0.parquet").read_bytes()[:100])
    said = explain(tmp_path / "torn.parquet", "--out", tmp_path / "out", status=1)
    assert f"expected a Parquet file, got {tmp_path / 'torn.parquet'}" in said.err
    said = explain(photos, tables, "--out", tmp_path / "out", status=1)
    assert "expected images or Parquet files that hold them, got both" in said.err


def test_an_image_in_a_table_that_cannot_be_read(tables, tmp_path):
    table = parquet.read_table(tables / "0.parquet")
    parquet.write_table(table.set_column(0, "image", pa.array([b"none", None])), tables / "0.parquet")
    said = explain(tables, "--out", tmp_path / "out", status=3)
    assert said.err.count("skipped") == 2
    assert len(records(tmp_path / "out")) == 3


def test_maps_with_paths_classes_labels_and_logits(photos, tmp_path):
    (tmp_path / "labels.txt").write_text("\n".join(f"name {i}" for i in range(10)))
    options = ["--class", "1", "--class", "5", "--labels", tmp_path / "labels.txt", "--batch-size", "2"]
    explain(photos, "--out", tmp_path / "out", *options, "--format", "parquet", "--format", "npy")
    files = sorted((tmp_path / "out" / "maps.parquet").iterdir())
    assert [file.name for file in files] == ["000000000.parquet", "000000002.parquet", "000000004.parquet"]
    table = parquet.read_table(tmp_path / "out" / "maps.parquet")
    maps = table["map"].combine_chunks().to_numpy_ndarray()
    assert (maps.shape, maps.dtype) == ((5, 96, 96, 2), np.float32)
    found = records(tmp_path / "out")
    for row, map in zip(table.drop_columns("map").to_pylist(), maps, strict=True):
        record = found[row["path"]]
        np.testing.assert_array_equal(map, np.load(tmp_path / "out" / f"{record['name']}.npy"))
        assert row == {name: record[name] for name in ("path", "classes", "labels", "logits")}
