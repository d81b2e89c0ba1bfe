"""Images in object stores; a folder of this machine by its URL stands for one."""

import sys

import numpy as np
import pytest

from cli.running import explain, photograph, records

pytestmark = pytest.mark.slow

pytest.importorskip("pyarrow", reason="pyarrow comes with '.[ray]'")


def test_a_folder_by_its_url_gives_what_it_gives_by_its_path(photos, tmp_path):
    photograph(7).save(photos / "50% a+b #1?.png")
    (photos / "notes.txt").touch()
    explain(photos, "--out", photos / "out", "--format", "npy")
    explain(photos.as_uri(), "--out", tmp_path / "out", "--format", "npy")
    found, expected = records(tmp_path / "out"), records(photos / "out")
    assert found.keys() == {(photos / path).as_uri() for path in expected}
    for path, record in expected.items():
        same = found[(photos / path).as_uri()]
        assert same["classes"] == record["classes"]
        maps = [
            np.load(out / f"{name}.npy")
            for out, name in ((photos / "out", record["name"]), (tmp_path / "out", same["name"]))
        ]
        np.testing.assert_allclose(*maps, atol=1e-5)


def test_files_by_url(photos, tmp_path):
    (photos / "table.csv").write_text(f"path,class\n{(photos / 'a.png').as_uri()},3\nb.jpg,4\n")
    explain(photos / "table.csv", "--out", tmp_path / "table")
    assert [record["classes"] for record in records(tmp_path / "table").values()] == [[3], [4]]

    missing = (photos / "none.png").as_uri()
    said = explain((photos / "a.png").as_uri(), missing, "--out", tmp_path / "out", status=2)
    assert f"expected an image or a folder of images, there is no {missing}" in said.err


def test_urls_that_lead_nowhere(photos, tmp_path, monkeypatch):
    (photos / "empty").mkdir()
    said = explain((photos / "empty").as_uri(), "--out", tmp_path / "out", status=1)
    assert f"expected images in the folder {(photos / 'empty').as_uri()}, got none" in said.err
    assert "nowhere://images" in explain("nowhere://images", "--out", tmp_path / "out", status=1).err
    monkeypatch.setitem(sys.modules, "pyarrow.fs", None)
    said = explain("s3://bucket/images", "--out", tmp_path / "out", status=1)
    assert "expected pyarrow to read s3://bucket/images: pip install 'keras-fullgrad[ray]'" in said.err
