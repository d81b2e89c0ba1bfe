"""What commands say of their options is what the library has, although it is not loaded to say so."""

import subprocess
import sys

import pytest
import typer

import keras_fullgrad_cli as cli
from keras_fullgrad import pictures
from keras_fullgrad.maps.op import BACKENDS
from keras_fullgrad.methods.gradient import PRESETS


def options(command):
    commands = typer.main.get_command(cli.app).commands
    return {option.name: option for option in commands[command].params}


@pytest.mark.parametrize("command", ["explain", "report"])
def test_choices_are_the_librarys(command):
    shown = options(command)
    for name, known in (("preset", PRESETS), ("backend", BACKENDS)):
        assert shown[name].metavar == f"<{'|'.join(known)}>"
        assert shown[name].default in known


def test_defaults_of_pictures_are_the_librarys():
    shown = options("explain")
    for name, value in (("cmap", pictures.COLOURS), ("strength", pictures.ALPHA)):
        assert shown[name].default is None
        assert shown[name].help.endswith(f"By default {value}.")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["explain", "report"])
def test_help_does_not_load_the_library(command):
    code = (
        "import sys, typer.testing, keras_fullgrad_cli as cli; "
        f"said = typer.testing.CliRunner().invoke(cli.app, ['{command}', '--help']); "
        "print(said.exit_code, {'keras', 'keras_fullgrad', 'tensorflow'} & sys.modules.keys())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout == "0 set()\n", said.stderr
