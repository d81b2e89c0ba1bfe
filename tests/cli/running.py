"""Runs commands as the tests of the command line do, and reads what they leave."""

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from typer.testing import CliRunner

import keras_fullgrad_cli as cli
from keras_fullgrad.demo.show import NET
from keras_fullgrad_cli.formats import PLACE


def photograph(seed, height=40, width=30, channels=3):
    """A picture with structure, so that no two maps are the same."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, [6, 5, channels], np.uint8).squeeze())
    return small.resize((width, height), Image.Resampling.BICUBIC)


def saved(model, path):
    """Saves a model, and returns where."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's, of Keras as it saves.
        model.save(path)
    return path


def run(*arguments):
    """Runs a command, and returns its status and what it wrote to each stream."""
    result = CliRunner().invoke(cli.app, [str(each) for each in arguments], catch_exceptions=False)
    return SimpleNamespace(status=result.exit_code, out=result.stdout, err=result.stderr)


def explain(*arguments, model=NET, status=0):
    """Runs ``explain``, by default with the shipped net, and checks its status."""
    options = ("--preprocessing", "unit") if model == NET else ()
    result = run("explain", model, *options, *arguments)
    assert result.status == status, result.err
    return result


def records(folder):
    """The lines of a run's index, by the image's path."""
    lines = (Path(folder) / "results.jsonl").read_text().splitlines()
    found = {record["path"]: record for record in map(json.loads, lines)}
    assert len(found) == len(lines)
    return found


def contents(folder):
    """What each file of a run holds."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in Path(folder).rglob("*") if f.is_file()}


def panel(path, left=0):
    """What the picture of the first map in an overlay's file shows; or another, so far to its right."""
    with Image.open(path) as image:
        place = [int(edge) for edge in image.info[PLACE].split()]
        return np.asarray(image.crop((place[0] + left, place[1], place[2] + left, place[3])))


def pixels(path):
    """What an image file shows."""
    with Image.open(path) as image:
        return np.asarray(image)
