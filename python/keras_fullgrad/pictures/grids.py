"""Figures of pictures in rows, with titles above the pictures and a label beside each row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from keras_fullgrad.pictures import texts
from keras_fullgrad.pictures.arrays import displayable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_Rows: TypeAlias = list[list[np.ndarray | None]]

_GAP = 0.06


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from keras_fullgrad.pictures.figure import NotebookFigure

    titles, labels = titles or [], labels or []
    rows = [[None if each is None else displayable(each) for each in row] for row in pictures]
    _check(rows, titles, labels)
    figure = NotebookFigure(facecolor="white")
    FigureCanvasAgg(figure)
    style: dict[str, Any] = {"fontsize": texts.SIZE, "color": texts.INK}
    beside = [figure.text(0, 0, label, ha="right", va="center", **style) for label in labels]
    left = max((texts.width(label) + 2 * _GAP for label in beside), default=0.0)
    columns = _widths(rows, inches)
    above = [texts.height(row) for row in titles] + [0.0] * (len(rows) - len(titles))
    width = left + sum(columns) + _GAP * (len(columns) - 1)
    height = sum(above) + inches * len(rows) + _GAP * (len(rows) - 1)
    figure.set_size_inches(width, height)

    shown = []
    bottom = height + _GAP
    for row, places in enumerate(rows):
        bottom -= above[row] + inches + _GAP
        if labels:
            beside[row].set_position(((left - 2 * _GAP) / width, (bottom + inches / 2) / height))
        for column, picture in enumerate(places):
            start = left + sum(columns[:column]) + _GAP * column
            place = (start / width, bottom / height, columns[column] / width, inches / height)
            axes = figure.add_axes(place)
            axes.set_axis_off()
            if picture is not None:
                axes.imshow(picture)
            if row < len(titles) and column < len(titles[row]):
                shown.append(axes.set_title(titles[row][column], **style))
    texts.shrink(shown, [columns[i] for row in titles for i in range(len(row))])
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
