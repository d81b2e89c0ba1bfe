"""The command line, ``keras-fullgrad``: a package apart, since importing the library loads TensorFlow."""

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from keras_fullgrad.demo import Demonstration

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def main() -> None:
    """FullGrad saliency maps for Keras models."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The picture to write, a PNG.")] = Path("fullgrad-demo.png"),
) -> None:
    """Explains a small network that names digits in cluttered scenes, and draws its maps."""
    _check_writable(out)
    # TensorFlow takes seconds to load, and --help must not.
    with _quiet_start():
        importlib.import_module("tensorflow")
    from keras_fullgrad.demo import demonstrate, draw

    result = demonstrate()
    draw(result, out)
    console = Console()
    console.print(_table(result))
    console.print(f"predicted right: {result.correct} of {len(result.predicted)}")
    console.print(f"picture: {out}", soft_wrap=True)


def _table(result: "Demonstration") -> Table:
    table = Table("map", title="Is the map on the digit?", caption="means over scenes never trained on")
    for heading in ("energy in box", "box's share of area", "ratio"):
        table.add_column(heading, justify="right")
    area = result.box_area.mean()
    for name, shares in (
        ("FullGrad", result.full_gradients_in_box),
        ("plain gradient", result.gradients_in_box),
    ):
        share = shares.mean()
        table.add_row(name, f"{share:.1%}", f"{area:.1%}", f"{share / area:.1f}")
    return table


def _check_writable(path: Path) -> None:
    """Ends the command where a file cannot be written, before anything is computed for it."""
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        Console(stderr=True).print(f"error: cannot write {path}: {error.strerror}", soft_wrap=True)
        raise typer.Exit(1) from None
    if not existed:
        path.unlink()


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """Keeps the lines that TensorFlow logs as it loads off the screen."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Some are written before TensorFlow has read its log level.
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
