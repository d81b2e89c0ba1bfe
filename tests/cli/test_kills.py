"""Runs that are killed at drawn moments and taken up again lose nothing, tear nothing, do nothing twice.

``FULLGRAD_KILLS=100 pytest tests/cli/test_kills.py`` is the long form.
"""

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from cli.running import contents, photograph, records
from keras_fullgrad.demo.show import NET

KILLS = int(os.environ.get("FULLGRAD_KILLS", "4"))
IMAGES = max(500, 20 * KILLS)  # A run has some batches done before it is killed.
FORMATS = ("overlay", "npy", *(["zarr"] if importlib.util.find_spec("zarr") else []))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    for seed in range(IMAGES):
        photograph(seed).save(folder / f"{seed:04}.png")
    return folder


def command(photos, out, *options):
    formats = (option for name in FORMATS for option in ("--format", name))
    arguments = ["explain", NET, photos, "--preprocessing", "unit", "--batch-size", "8", "--out", out]
    return [sys.executable, "-m", "keras_fullgrad_cli", *map(str, arguments), *formats, *options]


def finish(*arguments):
    said = subprocess.run(command(*arguments, "--json"), capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def lines(out):
    index = out / "results.jsonl"
    return index.read_bytes().count(b"\n") if index.exists() else 0


def killed(arguments, out, kind, more, later):
    """Starts a run, and kills it some time after it has done so many images more. Returns its status."""
    before = lines(out)
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and lines(out) < before + more:
            time.sleep(0.001)
        time.sleep(later)
        process.send_signal(kind)
    return process.returncode


def check_whole(out):
    """Each file is whole, and each image that is said to be done has its files."""
    for file in out.glob("*.npy"):
        assert np.load(file).shape == (96, 96, 1)
    for file in out.glob("*.png"):
        with Image.open(file) as image:
            image.load()
    # What was written of a last line is no record yet.
    whole = (out / "results.jsonl").read_bytes().rpartition(b"\n")[0]
    for record in map(json.loads, whole.splitlines()):
        assert (out / f"{record['name']}.npy").exists()
        assert (out / f"{record['name']}.overlay.png").exists()


@pytest.mark.slow
def test_killed_runs_end_as_one_that_was_not(many, tmp_path):
    draw = random.Random(0)
    out = tmp_path / "out"
    for kill in range(KILLS):
        kind = signal.SIGTERM if kill % 4 == 3 else signal.SIGKILL
        options = ["--resume"] if kill else []
        status = killed(command(many, out, *options), out, kind, draw.randint(1, 8), draw.uniform(0, 0.05))
        assert status == (-kind if kind == signal.SIGKILL else 130)
        check_whole(out)
    done = lines(out)
    facts = finish(many, out, "--resume")
    assert (facts["done before"], facts["explained"]) == (done, IMAGES - done)
    assert len(records(out)) == IMAGES

    whole = tmp_path / "whole"
    assert finish(many, whole)["explained"] == IMAGES
    assert contents(out) == contents(whole)
