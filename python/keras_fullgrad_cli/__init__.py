"""The command line, ``keras-fullgrad``: a package apart, since importing the library loads TensorFlow."""

from importlib.metadata import version
from typing import Annotated

import typer

from keras_fullgrad_cli.commands.benchmark import benchmark
from keras_fullgrad_cli.commands.build import build
from keras_fullgrad_cli.commands.completeness import completeness
from keras_fullgrad_cli.commands.demo import demo
from keras_fullgrad_cli.commands.explain import explain
from keras_fullgrad_cli.commands.info import info
from keras_fullgrad_cli.commands.report import report
from keras_fullgrad_cli.options import taking_request

app = typer.Typer(
    no_args_is_help=True,
    # Rich would cut words in boxes that are narrower than the terminal, and keep the breaks of source lines.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"keras-fullgrad {version('keras-fullgrad')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """FullGrad saliency maps for Keras models."""


# Typer would cut the first sentences of what commands say of themselves.
for command, does in (
    (demo, "Draws the maps of a small net, to try it."),
    (info, "Tells what was built, and what it runs on."),
    (completeness, "Tells what a model's logits are made of."),
    (taking_request(explain), "Draws the maps of images over them."),
    (taking_request(report), "Writes a page of images, layer by layer."),
    (build, "Compiles the native op, where it is missing."),
    (benchmark, "Times maps against the plain gradient."),
):
    app.command(short_help=does)(command)
