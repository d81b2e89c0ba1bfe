"""Maps of all images in one Zarr array."""

import subprocess
import sys

import numpy as np
import pytest

from cli.running import explain, records

pytestmark = pytest.mark.slow

zarr = pytest.importorskip("zarr", "3", reason="Zarr 3 needs Python 3.11")
FORMATS = ("--format", "npy", "--format", "zarr")


def check(out):
    """The store holds what the files do, each image in its row."""
    store = zarr.open_group(out / "maps.zarr", mode="r")
    for path, record in records(out).items():
        row = record["row"]
        np.testing.assert_array_equal(store["maps"][row], np.load(out / f"{record['name']}.npy"))
        assert (store["paths"][row], list(store["classes"][row])) == (path, record["classes"])
        np.testing.assert_allclose(store["logits"][row], record["logits"], rtol=1e-6)
    return store


def test_maps_with_paths_classes_and_logits(photos, tmp_path):
    explain(photos, "--out", tmp_path / "out", "--top", "2", *FORMATS)
    store = check(tmp_path / "out")
    assert store["maps"].shape == (5, 96, 96, 2)
    assert store["maps"].dtype == np.float32


def test_rows_of_images_that_cannot_be_read_are_empty(photos, tmp_path):
    (photos / "b.jpg").write_text("no picture")
    explain(photos, "--out", tmp_path / "out", *FORMATS, status=3)
    store = check(tmp_path / "out")
    assert store["paths"][1] == ""
    assert np.isnan(store["maps"][1]).all()
    assert (store["classes"][1], np.isnan(store["logits"][1])) == (-1, True)


def test_images_can_be_added(photos, tmp_path):
    explain(photos / "b.jpg", "--out", tmp_path / "out", *FORMATS)
    explain(photos, "--out", tmp_path / "out", *FORMATS, "--resume")
    assert check(tmp_path / "out")["maps"].shape[0] == 5


_KILLED_AT_A_CHUNK = """
import os, pathlib, sys, zarr
pathlib.Path.replace = os.replace = os.rename = lambda *names: os._exit(9)
zarr.open_array(sys.argv[1], mode="r+")[0] = 0
"""


def test_nothing_is_left_of_a_chunk_that_a_kill_cut_off(photos, tmp_path):
    out = tmp_path / "out"
    explain(photos / "b.jpg", "--out", out, *FORMATS)
    before = sorted(out.rglob("*"))
    killed = [sys.executable, "-c", _KILLED_AT_A_CHUNK, out / "maps.zarr" / "maps"]
    assert subprocess.run(killed, timeout=60, check=False).returncode == 9
    assert len(set(out.rglob("*")) - {*before}) == 1
    explain(photos / "b.jpg", "--out", out, *FORMATS, "--resume")
    assert sorted(out.rglob("*")) == before
