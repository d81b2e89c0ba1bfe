"""What is installed where there is no compiler, and what it does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# In one process: pip builds in the checkout itself.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

ROOT = Path(__file__).parents[1]
EXPLAIN = """
import keras, numpy as np
import keras_fullgrad as ke

keras.utils.set_random_seed(0)
layers = [keras.Input([16, 12, 3]), keras.layers.Conv2D(4, 3, activation="relu", bias_initializer="normal")]
model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(3)])
x = np.random.default_rng(0).normal(size=[2, 16, 12, 3])
np.save("maps.npy", ke.full_gradients(model, x, verbose=0).maps)
print(ke.maps.native_available())
"""


@pytest.fixture(scope="module")
def python_alone(tmp_path_factory):
    """The package as it is installed where no compiler is found."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(build, check=True, env=os.environ | {"CXX": "no-such-compiler"})
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    return folder / "site"


def explained(folder, **environment):
    said = subprocess.run(
        [sys.executable, "-c", EXPLAIN],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return said


def test_without_a_compiler_the_maps_are_the_same(python_alone, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    assert explained(here).stdout == "True\n"
    said = explained(there, PYTHONPATH=str(python_alone))
    assert said.stdout == "False\n"
    assert (
        "keras_fullgrad runs in plain TensorFlow: the package was installed without the native" in said.stderr
    )
    np.testing.assert_allclose(np.load(there / "maps.npy"), np.load(here / "maps.npy"), atol=1e-6)


def test_commands_say_in_a_line_that_there_is_no_library(python_alone, tmp_path):
    command = [sys.executable, "-m", "keras_fullgrad_cli", "completeness", "no-such.keras"]
    environment = os.environ | {"PYTHONPATH": str(python_alone), "XDG_CACHE_HOME": str(tmp_path)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "note: keras_fullgrad runs in plain TensorFlow: the package was installed without" in said.stderr
    assert "UserWarning" not in said.stderr


def test_who_wants_no_library_is_not_told_of_it(python_alone, tmp_path):
    said = explained(tmp_path, PYTHONPATH=str(python_alone), FULLGRAD_NATIVE="OFF")
    assert "plain TensorFlow" not in said.stderr


def test_the_library_can_be_left_alone(tmp_path):
    said = explained(tmp_path, FULLGRAD_NATIVE="OFF")
    assert said.stdout == "False\n"
    assert "plain TensorFlow" not in said.stderr


@pytest.fixture(scope="module")
def built(python_alone, tmp_path_factory):
    """The environment of the same package, after `keras-fullgrad build`."""
    environment = {"PYTHONPATH": str(python_alone), "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    # For one instruction set and no GPU, in a third of the time.
    flags = {"CXXFLAGS": "-DFULLGRAD_BASELINE", "FULLGRAD_CUDA": "OFF"}
    said = build(**environment, **flags)
    assert said.returncode == 0, said.stderr
    assert "the native op for TensorFlow 2." in said.stdout
    return environment


def build(**environment):
    command = [sys.executable, "-m", "keras_fullgrad_cli", "build"]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=900
    )


def test_the_library_can_be_built_later(built, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    assert explained(here).stdout == "True\n"
    said = explained(there, **built)
    assert said.stdout == "True\n"
    assert "plain TensorFlow" not in said.stderr
    np.testing.assert_allclose(np.load(there / "maps.npy"), np.load(here / "maps.npy"), atol=1e-6)


def test_why_it_cannot_be_built_is_told(python_alone, tmp_path):
    said = build(PYTHONPATH=str(python_alone), XDG_CACHE_HOME=str(tmp_path), CXX="no-such-compiler")
    assert said.returncode == 1
    assert "expected CMake to build the native op, got status 1, after:" in said.stderr
    assert "no-such-compiler" in said.stderr


def test_a_switch_that_is_mistyped_is_told():
    result = subprocess.run(
        [sys.executable, "setup.py", "--name"],
        cwd=ROOT,
        env=os.environ | {"FULLGRAD_NATIVE": "SOMETIMES"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "expected FULLGRAD_NATIVE to be AUTO, ON or OFF, got SOMETIMES" in result.stderr
