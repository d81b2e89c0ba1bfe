"""How large the texts of a figure are, and how small they must be to fit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.text import Text

INK = "#1d2430"
SIZE = 12.0
"""The size of letters that have room, in points."""

_FILLED = 0.92  # Small letters are wider than in proportion to their size.


def width(text: "Text") -> float:
    """Measures a text of a figure.

    Args:
        text: The text.

    Returns:
        Its width, in inches.

    Example:
        >>> from matplotlib.figure import Figure
        >>> width(Figure().text(0, 0, "wide")) > width(Figure().text(0, 0, "i"))
        True
    """
    from matplotlib.backends.backend_agg import RendererAgg

    dpi = text.figure.dpi
    return float(text.get_window_extent(RendererAgg(1, 1, dpi)).width) / dpi


def height(titles: Sequence[str | None]) -> float:
    r"""Tells how much room the titles of a row take above their pictures.

    Args:
        titles: The titles, in letters of the size above.

    Returns:
        The height of the one with the most lines, in inches; 0 where all are empty.

    Example:
        >>> height(["one", "two\nlines"]) > height(["one", ""]) > height([""])
        True
    """
    lines = max((title.count("\n") + 1 for title in titles if title), default=0)
    return (1.25 * SIZE * lines + 10) / 72 if lines else 0.0


def shrink(texts: Sequence["Text"], inches: Sequence[float]) -> None:
    """Makes texts smaller, all alike, until each fits.

    Args:
        texts: Texts of one size.
        inches: How wide each may be.

    Example:
        >>> from matplotlib.figure import Figure
        >>> text = Figure().text(0, 0, "a long text", fontsize=12)
        >>> shrink([text], [0.5])
        >>> width(text) <= 0.5 and text.get_fontsize() > 5
        True
    """
    rooms = [_FILLED * room for room in inches]
    excess = max((width(text) / room for text, room in zip(texts, rooms, strict=True)), default=0.0)
    if excess > 1:
        for text in texts:
            text.set_fontsize(float(text.get_fontsize()) / excess)
