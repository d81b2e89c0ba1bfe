"""Folders that cannot be written, or no longer: an error that names them, and `--resume` goes on."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.running import explain, records
from keras_fullgrad.demo.show import NET
from keras_fullgrad_cli.writing import Writer

pytestmark = pytest.mark.slow


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
    assert not list(out.rglob("*.npy"))
    again = in_a_process(*arguments, "--resume")
    assert again.returncode == 0, again.stderr
    assert len(records(out)) == len(list(out.rglob("*.npy"))) == 5


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
        assert len(list((disk / "out").rglob("*.npy"))) == done
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
                monkeypatch.setattr(Path, "open", refused)
        write(self, results)

    def refused(self, *_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Writer, "write", lost)
    said = explain(photos, *options, status=1)
    assert f"error: cannot write {out}" in said.err
    assert said.err.endswith("; --resume goes on\n")
    monkeypatch.undo()
    again = explain(photos, *options, "--resume")
    assert f"explained {5 if loss == 'vanishes' else 3} of 5 images" in again.out
    assert len(records(out)) == len(list(out.rglob("*.npy"))) == 5


def test_the_working_folder_may_hold_anything(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    explain("a.png", "--out", Path("out"))
    assert list(records(tmp_path / "photos" / "out")) == ["a.png"]
