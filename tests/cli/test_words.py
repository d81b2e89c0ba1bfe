"""What commands say: help that can be read at any width, and messages that name what to do here."""

import itertools
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import keras_fullgrad_cli as cli
from cli.running import explain, run, saved
from keras_fullgrad.demo.show import NET
from keras_fullgrad_cli.wording import as_options

COMMANDS = [command.callback.__name__ for command in cli.app.registered_commands]


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_is_cut_nowhere(command, columns):
    said = CliRunner().invoke(cli.app, [*[command] * (command is not None), "-h"], terminal_width=columns)
    assert said.exit_code == 0
    assert "…" not in said.stdout
    assert not re.search(r"\w\.\.\.( |$)", said.stdout.replace("images...", ""), re.MULTILINE)
    assert max(map(len, said.stdout.splitlines())) <= columns
    if command is not None:
        # No line of a paragraph ends early: the first word of the next would not have had room.
        for paragraph in re.findall(r"(?<=\n\n)(?:  \w.*\n)+", said.stdout):
            lines = paragraph.splitlines()
            for line, following in itertools.pairwise(lines):
                assert len(line) + 1 + len(following.split()[0]) > min(columns, 80) - 2


def test_help_is_the_same_by_its_short_name():
    assert run("explain", "-h").out == run("explain", "--help").out


@pytest.mark.parametrize("command", ["demo", "explain", "report"])
def test_out_has_a_short_name(command):
    assert "-o, --out" in run(command, "-h").out


def test_shells_complete():
    said = subprocess.run(
        [sys.executable, "-m", "keras_fullgrad_cli", "--show-completion", "bash"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    assert said.returncode == 0, said.stderr
    assert "complete" in said.stdout


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("target=ke.targets.Output('a') explains it", "--target \"Output('a')\" explains it"),
        ("implicit_biases=True draws them", "--implicit-biases draws them"),
        ("expose(model, outputs=...) names the layer", "--target \"Output('LAYER')\" names the layer"),
    ],
)
def test_the_librarys_words_become_options(said, meant):
    assert as_options(said) == meant


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("photo.npy", lambda path: Image.new("RGB", (8, 8)).save(path, "JPEG"), "which is of another kind"),
        ("empty.npy", lambda path: path.touch(), "which is of another kind"),
        ("objects.npy", lambda path: np.save(path, np.array(["a", None]), allow_pickle=True), "objects"),
        ("torn.npy", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr'"), "which is damaged"),
        ("text.npy", lambda path: np.save(path, np.array(["a"])), "which holds <U1"),
        (
            "nan.npy",
            lambda path: np.save(path, np.full([1, 96, 96, 1], np.nan)),
            "which holds NaN or infinity",
        ),
    ],
)
def test_inputs_of_another_kind(tmp_path, name, write, message):
    write(tmp_path / name)
    said = run("completeness", NET, "--inputs", tmp_path / name)
    assert said.status == 1
    assert f"expected a .npy file of inputs, as numpy.save writes it, got {tmp_path / name}" in said.err
    assert message in said.err
    assert "allow_pickle" not in said.err


@pytest.mark.slow
def test_a_missing_model_is_not_told_as_a_sum_that_is_off(tmp_path):
    (tmp_path / "net.keras").touch()
    said = run("completeness", tmp_path / "nte.keras")
    assert said.status == 1
    assert f"there is no {tmp_path / 'nte.keras'}; did you mean {tmp_path / 'net.keras'}?" in said.err


@pytest.mark.slow
def test_only_a_run_that_was_begun_goes_on(photos, tmp_path):
    (tmp_path / "file").touch()
    said = explain(photos, "--out", tmp_path / "file" / "out", status=1)
    assert "--resume" not in said.err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["explain", "report"])
def test_implicit_biases_are_warned_of_unless_the_user_chose(photos, tmp_path, command):
    keras.utils.set_random_seed(0)
    conv = [keras.layers.Conv2D(4, 3, activation="gelu", bias_initializer="normal") for _ in range(3)]
    layers = [keras.Input([24, 20, 3]), *conv, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = saved(keras.Sequential(layers), tmp_path / "gelu.keras")
    arguments = [command, model, photos / "a.png", "--preprocessing", "unit", "--out"]
    said = run(*arguments, tmp_path / "not-chosen")
    assert "note: implicit biases make up" in said.err
    assert "--implicit-biases draws them too, and keras-fullgrad completeness tells" in said.err
    for option in ("--implicit-biases", "--no-implicit-biases", "--simple"):
        assert "note: implicit" not in run(*arguments, tmp_path / f"out{option}", option).err


@pytest.mark.slow
def test_two_outputs_are_told_apart_by_an_option(photos, tmp_path):
    image = keras.Input([24, 20, 3])
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    outputs = {name: keras.layers.Dense(2, name=name)(pooled) for name in ("first", "second")}
    model = saved(keras.Model(image, outputs), tmp_path / "two.keras")
    options = ["--preprocessing", "unit", "--out", tmp_path / "out"]
    said = explain(photos, *options, model=model, status=1)
    assert "ke.targets" not in said.err
    assert "--target \"Output('first')\" explains the first" in said.err
    explain(photos, *options, "--target", "Output('first')", "--overwrite", model=model)


@pytest.mark.slow
def test_numbers_of_ones_own(photos, tmp_path, colour_net):
    options = ["--format", "npy", "--mean", "0", "--std", "1"]
    explain(photos, "--out", tmp_path / "own", *options, model=colour_net)
    explain(photos, "--out", tmp_path / "raw", "--preprocessing", "raw", "--format", "npy", model=colour_net)
    np.testing.assert_array_equal(*(np.load(tmp_path / out / "a.npy") for out in ("own", "raw")))
    for options, message in (
        (["--mean", "1,2"], "expected one number for --mean, or 3, got 2"),
        (["--std", "0"], "expected --std above 0, got 0"),
        (["--std", "2", "--preprocessing", "tf"], "expected --preprocessing or --mean and --std, got tf"),
    ):
        said = explain(photos, "--out", tmp_path / "out", *options, model=colour_net, status=1)
        assert message in said.err


@pytest.mark.slow
def test_a_grey_net_takes_what_is_the_same_for_every_channel(photos, tmp_path):
    explain(photos / "a.png", "--out", tmp_path / "out", "--preprocessing", "tf", model=str(NET))


@pytest.mark.slow
def test_folders_of_files_are_made_by_every_command(photos, tmp_path):
    for command, name in (("demo", "demo.jpg"), ("report", "page.html"), ("explain", "maps")):
        out = tmp_path / command / "deep" / name
        arguments = [] if command == "demo" else [NET, photos / "a.png", "--preprocessing", "unit"]
        assert run(command, *arguments, "-o", out).status == 0
        assert out.exists()


@pytest.mark.slow
def test_a_demos_picture_is_of_the_kind_that_its_name_says(tmp_path):
    assert run("demo", "--out", tmp_path / "demo.jpg").status == 0
    with Image.open(tmp_path / "demo.jpg") as image:
        assert image.format == "JPEG"
    said = run("demo", "--out", tmp_path / "demo.doc")
    assert said.status == 1
    assert "expected --out to end in one of" in said.err
    assert not (tmp_path / "demo.doc").exists()
