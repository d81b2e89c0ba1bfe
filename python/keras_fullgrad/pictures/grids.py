"""Figures of pictures in rows, with titles above the pictures and a label beside each row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fullgrad.pictures import texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP = 0.06


def grid(
    pictures: Sequence[Sequence[np.ndarray | None]],
    titles: Sequence[Sequence[str]] | None = None,
    labels: Sequence[str] | None = None,
    inches: float = 2.0,
) -> "Figure":
    """Puts rows of pictures into a figure, each in its own proportions.

    Args:
        pictures: For each row its pictures, (height, width, 3), uint8, as :func:`overlay` gives them; None
            leaves a place empty.
        titles: For each row, or for the first rows, the titles above its pictures. They are as small as the
            widest must be to fit its column.
        labels: A label at the left of each row.
        inches: The height of each picture.

    Returns:
        The figure, as large as its pictures and their texts, which a notebook shows.

    Raises:
        ValueError: If there is no picture, or there are titles or labels without a place.

    Example:
        >>> figure = grid([[np.zeros([4, 6, 3], np.uint8)] * 2], titles=[["before", "after"]])
        >>> [axes.get_title() for axes in figure.axes]
        ['before', 'after']
    """
    # At the first picture, not at import: matplotlib takes a while.
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from keras_fullgrad.figure import NotebookFigure

    titles, labels = titles or [], labels or []
    _check(pictures, titles, labels)
    figure = NotebookFigure(facecolor="white")
    FigureCanvasAgg(figure)
    style: dict[str, Any] = {"fontsize": texts.SIZE, "color": texts.INK}
    beside = [figure.text(0, 0, label, ha="right", va="center", **style) for label in labels]
    left = max((texts.width(label) + 2 * _GAP for label in beside), default=0.0)
    columns = _widths(pictures, inches)
    above = [texts.height(row) for row in titles] + [0.0] * (len(pictures) - len(titles))
    width = left + sum(columns) + _GAP * (len(columns) - 1)
    height = sum(above) + inches * len(pictures) + _GAP * (len(pictures) - 1)
    figure.set_size_inches(width, height)

    shown = []
    bottom = height + _GAP
    for row, places in enumerate(pictures):
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


def _check(
    pictures: Sequence[Sequence[np.ndarray | None]], titles: Sequence[Sequence[str]], labels: Sequence[str]
) -> None:
    if not any(picture is not None for row in pictures for picture in row):
        raise ValueError("expected at least one picture, got none")
    rows = [len(row) for row in pictures]
    given = [len(row) for row in titles]
    if len(given) > len(rows) or any(more > room for more, room in zip(given, rows, strict=False)):
        raise ValueError(f"expected at most a title for each picture, {rows} in the rows, got {given}")
    if labels and len(labels) != len(rows):
        raise ValueError(f"expected a label for each of {len(rows)} rows, got {len(labels)}")


def _widths(pictures: Sequence[Sequence[np.ndarray | None]], inches: float) -> list[float]:
    """How wide each column must be for its widest picture; an empty one is as wide as high."""
    proportions: list[list[float]] = [[] for _ in range(max(map(len, pictures)))]
    for row in pictures:
        for column, picture in zip(proportions, row, strict=False):
            if picture is not None:
                column.append(picture.shape[1] / picture.shape[0])
    return [inches * max(column, default=1.0) for column in proportions]
