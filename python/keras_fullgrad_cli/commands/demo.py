"""`keras-fullgrad demo`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from keras_fullgrad_cli.console import check_writable, failing_on
from keras_fullgrad_cli.startup import start

if TYPE_CHECKING:
    from keras_fullgrad.demo import Demonstration


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The picture to write, of the kind that its suffix says.")
    ] = Path("fullgrad-demo.png"),
) -> None:
    """Explains a small network that names digits in cluttered scenes, and draws its maps."""
    with failing_on(ValueError):
        check_drawable(out)
    check_writable(out)
    start()
    from keras_fullgrad.demo import demonstrate, draw

    result = demonstrate()
    draw(result, out)
    console = Console()
    console.print(_table(result))
    console.print(f"predicted right: {result.correct} of {len(result.predicted)}")
    console.print(f"picture: {out}", soft_wrap=True)


def check_drawable(path: Path) -> None:
    """Checks that a picture can be of the kind that a file's suffix says.

    Raises:
        ValueError: If it cannot.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower()[1:] not in ("", *kinds):
        raise ValueError(f"expected --out to end in one of .{', .'.join(sorted(kinds))}, got {path}")


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
