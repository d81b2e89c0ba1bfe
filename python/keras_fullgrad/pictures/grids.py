"""Figures of pictures in rows, with titles above the pictures and a label beside each row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from keras_fullgrad.pictures.arrays import displayable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_Rows: TypeAlias = list[list[np.ndarray | None]]

_GAP = 0.06
_INK = "#1d2430"
_BESIDE: dict[str, Any] = {
    "xy": (0, 0.5),
    "xycoords": "axes fraction",
    "xytext": (-9, 0),
    "textcoords": "offset points",
    "ha": "right",
    "va": "center",
    "fontsize": "large",
    "color": _INK,
}
"""Where a row's label stands: left of the middle of its first picture."""


def grid(
    pictures: Sequence[Sequence[Any]],
    titles: Sequence[Sequence[str]] | None = None,
    labels: Sequence[str] | None = None,
    inches: float = 2.0,
) -> "Figure":
    """Puts rows of pictures into a figure, each in its own proportions.

    Args:
        pictures: For each row its pictures, as :func:`overlay` gives them, or images of any kind that
            :func:`displayable` takes; None leaves a place empty.
        titles: For each row, or for the first rows, the titles above its pictures. They are as small as the
            widest must be to fit its column.
        labels: A label at the left of each row.
        inches: The height of each picture.

    Returns:
        The figure, as large as its pictures and their texts, which a notebook shows.

    Raises:
        ValueError: If there is no picture, one is of a wrong shape or range, or there are titles or labels
            without a place.

    Example:
        >>> figure = grid([[np.zeros([4, 6, 3], np.uint8)] * 2], titles=[["before", "after"]])
        >>> [axes.get_title() for axes in figure.axes]
        ['before', 'after']
    """
    # At the first picture, not at import: matplotlib takes a while.
    from keras_fullgrad.pictures.figure import NotebookFigure

    titles, labels = titles or [], labels or []
    rows = [[None if each is None else displayable(each) for each in list(row) or [None]] for row in pictures]
    _check(rows, titles, labels)
    widths = _widths(rows, inches)
    size = sum(widths) + _GAP * len(widths), (inches + _GAP) * len(rows)
    figure = NotebookFigure(figsize=size, facecolor="white")
    places = figure.add_gridspec(len(rows), len(widths), width_ratios=widths)
    for row, shown in enumerate(rows):
        for column, picture in enumerate(shown):
            axes = figure.add_subplot(places[row, column])
            axes.set_axis_off()
            if picture is not None:
                axes.imshow(picture)
            if row < len(titles) and column < len(titles[row]):
                axes.set_title(titles[row][column], y=1, color=_INK)
            if labels and column == 0:
                axes.annotate(labels[row], **_BESIDE)
    figure.arrange(widths, grow=True, w_pad=_GAP / 2, h_pad=_GAP / 2)
    return figure


def _check(rows: _Rows, titles: Sequence[Sequence[str]], labels: Sequence[str]) -> None:
    if not any(picture is not None for row in rows for picture in row):
        raise ValueError("expected at least one picture, got none")
    places, given = [len(row) for row in rows], [len(row) for row in titles]
    if len(given) > len(places) or any(more > room for more, room in zip(given, places, strict=False)):
        raise ValueError(f"expected at most a title for each picture, {places} in the rows, got {given}")
    if labels and len(labels) != len(rows):
        raise ValueError(f"expected a label for each of {len(rows)} rows, got {len(labels)}")


def _widths(rows: _Rows, inches: float) -> list[float]:
    """How wide each column must be for its widest picture; an empty one is as wide as high."""
    proportions: list[list[float]] = [[] for _ in range(max(map(len, rows)))]
    for row in rows:
        for column, picture in zip(proportions, row, strict=False):
            if picture is not None:
                column.append(picture.shape[1] / picture.shape[0])
    return [inches * max(column, default=1.0) for column in proportions]
