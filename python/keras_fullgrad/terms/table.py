"""What logits are made of as a table, for a terminal of any width and for a notebook."""

import io
import shutil
from typing import TYPE_CHECKING

import rich.console
import rich.jupyter
import rich.table

if TYPE_CHECKING:
    from keras_fullgrad.terms.parts import Decomposition

_WIDTH = 110  # Where no terminal tells its own, and at most.
_WIDTH_OF_CLASSES = 90
_WIDTH_OF_SUMS = 60


def text(parts: "Decomposition") -> str:
    """Writes a table for a terminal, as wide as that is.

    Args:
        parts: What logits are made of.

    Returns:
        The lines.

    Example:
        >>> from keras_fullgrad.terms.parts import Decomposition
        >>> one = np.ones([1, 1])
        >>> "relative error" in " ".join(text(Decomposition(one, None, (), ())).split())
        True
    """
    width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 0)).columns)
    # Without force_jupyter=False, rich shows in a notebook even what it only captures.
    console = rich.console.Console(width=width, force_jupyter=False)
    with console.capture() as captured:
        console.print(_table(parts, width))
    return captured.get()


def html(parts: "Decomposition") -> str:
    """Writes a table for a notebook.

    Args:
        parts: What logits are made of.

    Returns:
        The table.

    Example:
        >>> from keras_fullgrad.terms.parts import Decomposition
        >>> "<pre" in html(Decomposition(np.ones([1, 1]), None, (), ()))
        True
    """
    console = rich.console.Console(width=_WIDTH, force_jupyter=False, record=True, file=io.StringIO())
    console.print(_table(parts, _WIDTH))
    return console.export_html(inline_styles=True, code_format=rich.jupyter.JUPYTER_HTML_FORMAT)


def _table(parts: "Decomposition", width: int) -> rich.table.Table:
    table = rich.table.Table(
        title_justify="left",
        caption_justify="left",
        title="What the logits are made of, mean over images and classes",
        caption=f"The sum is {parts.sum.mean():.6g}, the logit {parts.logits.mean():.6g}: relative error "
        f"{parts.relative_error:.1e}; without implicit biases {parts.relative_error_of_explicit:.1e}",
    )
    names = ["class"] if width >= _WIDTH_OF_CLASSES else []
    sums = ["explicit", "implicit"] if width >= _WIDTH_OF_SUMS else ["adds"]
    for column in ("layer", *names):
        table.add_column(column, overflow="fold")
    for column in (*sums, "share"):
        table.add_column(column, justify="right", no_wrap=True)
    shares = parts.shares
    adding = [part for part in parts.parts if part.explicit.any() or part.implicit.any()]
    for part in adding:
        cells = {
            "layer": part.name if part.reason is None else f"{part.name} *",
            "class": part.kind,
            "explicit": f"{part.explicit.mean():.4g}",
            "implicit": f"{part.implicit.mean():.4g}",
            "adds": f"{part.total.mean():.4g}",
            "share": f"{shares[part.name].mean():.1%}",
        }
        table.add_row(*(cells[name] for name in ("layer", *names, *sums, "share")))
    notes = [str(table.caption)]
    if any(part.reason is not None for part in adding):
        notes.append("*: something of it has no place in a map")
    if len(adding) < len(parts.parts):
        silent = len(parts.parts) - len(adding)
        named = "1 layer whose bias is 0" if silent == 1 else f"{silent} layers whose biases are 0"
        notes.append(f"{named} not shown")
    table.caption = "\n".join(notes)
    return table
