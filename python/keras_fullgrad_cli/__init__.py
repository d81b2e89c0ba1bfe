"""The command line, ``keras-fullgrad``: a package apart, since importing the library loads TensorFlow."""

from importlib.metadata import version
from typing import Annotated

import typer

from keras_fullgrad_cli.commands.benchmark import benchmark
from keras_fullgrad_cli.commands.completeness import completeness
from keras_fullgrad_cli.commands.demo import demo
from keras_fullgrad_cli.commands.explain import explain
from keras_fullgrad_cli.commands.info import info
from keras_fullgrad_cli.commands.report import report
from keras_fullgrad_cli.options import taking_request

app = typer.Typer(add_completion=False, no_args_is_help=True)


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


for command in (demo, info, completeness, taking_request(explain), taking_request(report), benchmark):
    app.command()(command)
