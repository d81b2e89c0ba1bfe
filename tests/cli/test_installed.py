"""Each command as it is installed, run in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import keras_fullgrad as ke
from keras_fullgrad.demo.show import NET

pytestmark = pytest.mark.slow

PROGRAM = Path(sys.executable).with_name("keras-fullgrad")


def run(*arguments, folder=None):
    command = [PROGRAM, *map(str, arguments)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert said.returncode == 0, said.stderr
    return said


def test_version_and_info():
    assert run("--version").stdout == f"keras-fullgrad {ke.__version__}\n"
    said = run("info")
    assert ke.__version__ in said.stdout
    assert said.stderr == ""


def test_completeness():
    said = run("completeness", NET)
    assert "relative error" in said.stdout
    assert said.stderr == ""


def test_explain(photos, tmp_path):
    said = run("explain", NET, "photos", "--preprocessing", "unit", "--out", "maps", folder=tmp_path)
    assert said.stdout == "explained 5 of 5 images into maps\n"
    assert "images/s" in said.stderr
    assert len(list((tmp_path / "maps").rglob("*.overlay.png"))) == 5


def test_report(photos, tmp_path):
    said = run("report", NET, "photos", "--preprocessing", "unit", folder=tmp_path)
    assert said.stdout.startswith("fullgrad-report.html: 5 of 5 images, ")
    assert "<html" in (tmp_path / "fullgrad-report.html").read_text()


def test_benchmark():
    said = run("benchmark", NET, "--repeats", "2", "--batch-size", "2", "--json")
    assert [row["batch"] for row in json.loads(said.stdout)["rows"]] == [2]
