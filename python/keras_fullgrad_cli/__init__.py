"""The command line, ``keras-fullgrad``: a package apart, since importing the library loads TensorFlow."""

import contextlib
import importlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

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
    _start()
    from keras_fullgrad.demo import demonstrate, draw

    result = demonstrate()
    draw(result, out)
    console = Console()
    console.print(_table(result))
    console.print(f"predicted right: {result.correct} of {len(result.predicted)}")
    console.print(f"picture: {out}", soft_wrap=True)


@app.command()
def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Tells what the library was built for, what it runs on, and what to do where something is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What they say stands under advice.
        _start()
        from keras_fullgrad import environment

        facts = environment.facts()
    if as_json:
        print(json.dumps(facts))
        return
    table = Table(show_header=False)
    for name, value in facts.items():
        if name != "advice":
            table.add_row(name, _text(value))
    console = Console()
    console.print(table)
    for advice in facts["advice"]:
        console.print(f"- {advice}", soft_wrap=True, markup=False)


@app.command()
def completeness(
    model: Annotated[Path, typer.Argument(help="A .keras or .h5 file.")],
    inputs: Annotated[
        Path | None, typer.Option(help="Inputs, a .npy file; drawn where none is given.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="The largest relative error that passes.")] = 1e-3,
    unsafe: Annotated[bool, typer.Option(help="Load a file that holds code, such as a Lambda's.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Tells which layers make up a model's logits, and whether the sum of all terms meets them.

    Ends with status 1 where a file cannot be read, and with 2 where the sum is off by more than tolerated.
    """
    for path in (model, inputs):
        if path is not None and not path.is_file():
            _fail(f"expected a file, got {path}")
    _start()
    import keras
    import numpy as np

    import keras_fullgrad as ke

    try:
        net = keras.models.load_model(model, compile=False, safe_mode=not unsafe)
        x = None if inputs is None else np.load(inputs, allow_pickle=False)
        parts = ke.decompose(net, ke.decomposing.drawn_inputs(net) if x is None else x)
    except (ValueError, TypeError, OSError) as error:
        _fail(f"{type(error).__name__}: {error}")
    if as_json:
        shares = parts.shares
        layers = [
            {
                "name": part.name,
                "class": part.kind,
                "explicit": float(part.explicit.mean()),
                "implicit": float(part.implicit.mean()),
                "share": float(shares[part.name].mean()),
            }
            for part in parts.parts
        ]
        logit = float(parts.logits.mean())
        print(json.dumps({"logit": logit, "relative_error": parts.relative_error, "parts": layers}))
    else:
        print(parts)
    if not parts.relative_error <= tolerance:
        Console(stderr=True).print(f"error: the sum is off by {parts.relative_error:.1e}", soft_wrap=True)
        raise typer.Exit(2)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(f"error: {message}", soft_wrap=True, markup=False)
    raise typer.Exit(1)


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
        _fail(f"cannot write {path}: {error.strerror}")
    if not existed:
        path.unlink()


def _start() -> None:
    """Loads the library, which takes seconds that --help must not, and lets it keep its memory."""
    with _quiet():
        importlib.import_module("tensorflow")
    from keras_fullgrad.host_memory import keep_host_memory

    keep_host_memory()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
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
