"""Pictures of inputs and maps."""

import math
from collections.abc import Sequence
from os import PathLike
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from keras_fullgrad import pictures
from keras_fullgrad.pictures import arrays

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAD = 0.03  # Inches between a title and the image above it.


def visualize(
    images: Any,
    titles: Sequence[str] | str | None = None,
    overlays: Any | None = None,
    overlay_alpha: float = pictures.ALPHA,
    rows: int | None = None,
    cols: int | None = None,
    figsize: tuple[float, float] | None = None,
    cmap: "arrays.Colours | None" = None,
    overlay_cmap: "arrays.Colours | None" = None,
    to_file: str | PathLike[str] | None = None,
    to_buffer: IO[bytes] | None = None,
    subplots_ws: float = 0.0,
    subplots_hs: float = 0.0,
) -> "Figure":
    """Draws images in a grid, with maps over those that have one.

    Images of one channel are drawn from their least to their greatest value: those of integers, and those
    with a map over them, in grey, as photographs; others in inferno, as maps. A photograph of floats is drawn
    in grey too as :func:`keras_fullgrad.pictures.displayable` gives it.

    Args:
        images: An image or several: (height, width), (height, width, 1) or (height, width, 3), the latter
            integers from 0 to 255 or floats from 0 to 1; None leaves a place empty.
        titles: A title for each image, or for the first ones. They are as small as the widest must be to fit
            its column.
        overlays: A map of one class for each image, or for the first ones; None for an image without. Maps
            of another size are resized to their images'.
        overlay_alpha: How much of an image its map's greatest value covers, from 0 to 1; what is lower covers
            less, as in :func:`keras_fullgrad.overlay`.
        rows: Rows of the grid. None: as many as needed.
        cols: Columns of the grid. None: as many as needed, 8 at most.
        figsize: Width and height in inches. None: 4 for each image, and room for the titles.
        cmap: A colour map for images of one channel, or matplotlib's name of one. None: see above.
        overlay_cmap: Likewise for the overlays. None: inferno.
        to_file: A path to write the picture to; its ending tells the format.
        to_buffer: A binary file to write the picture to, as PNG.
        subplots_ws: Space between columns, relative to an image's width.
        subplots_hs: Space between rows, relative to an image's height.

    Returns:
        The figure, which a notebook shows.

    Raises:
        ValueError: If there is no image, images or maps are of a wrong shape or range, there are more titles
            or overlays than images, or the grid has too few places.

    Example:
        >>> figure = visualize([np.zeros([8, 8, 3]), np.ones([8, 8, 1])], titles=["image", "map"])
        >>> len(figure.axes)
        2
    """
    # At the first picture, not at import: matplotlib takes a while.
    from keras_fullgrad.pictures.figure import NotebookFigure

    if _is_one(images):
        images, overlays = [images], [overlays] if _is_one(overlays) else overlays
    images, overlays = list(images), list(() if overlays is None else overlays)
    titles = [titles] if isinstance(titles, str) else list(() if titles is None else titles)
    rows, cols = _geometry(len(images), rows, cols)
    for name, given in (("titles", titles), ("overlays", overlays)):
        if len(given) > len(images):
            raise ValueError(f"expected at most as many {name} as the {len(images)} images, got {len(given)}")
    if not 0 <= overlay_alpha <= 1:
        raise ValueError(f"expected overlay_alpha from 0 to 1, got {overlay_alpha}")
    overlays += [None] * (len(images) - len(overlays))
    drawn = [
        _drawn(index, image, overlay, cmap, overlay_cmap, overlay_alpha)
        for index, (image, overlay) in enumerate(zip(images, overlays, strict=True))
    ]

    pad = _PAD if titles else 0.0
    width, height = figsize or (4 * cols, (4 + 2 * pad) * rows)
    figure = NotebookFigure(figsize=(width, height))
    for index, layers in enumerate(drawn):
        axes = figure.add_subplot(rows, cols, index + 1)
        axes.set_axis_off()
        if index < len(titles):
            axes.set_title(titles[index], y=1)
        for values, style in layers:
            axes.imshow(values, **style)
    spaces = {"wspace": _between(subplots_ws, cols), "hspace": _between(subplots_hs, rows)}
    figure.arrange([width / cols] * cols, grow=figsize is None, h_pad=pad, **spaces)
    if to_file is not None:
        figure.savefig(to_file)
    if to_buffer is not None:
        figure.savefig(to_buffer, format="png")
    return figure


def _is_one(images: Any) -> bool:
    return hasattr(images, "shape") and len(images.shape) <= 3


def _geometry(count: int, rows: int | None, cols: int | None) -> tuple[int, int]:
    if not count:
        raise ValueError("expected at least one image, got none")
    if rows is None:
        cols = min(8, count) if cols is None else cols
        rows = math.ceil(count / max(cols, 1))
    elif cols is None:
        cols = math.ceil(count / max(rows, 1))
    if rows < 1 or cols < 1 or rows * cols < count:
        raise ValueError(f"expected a grid with places for {count} images, got {rows} rows of {cols}")
    return rows, cols


def _between(space: float, count: int) -> float:
    """From a share of an image to the measure of matplotlib's layout: a share of all, times the images."""
    return count * space / (count + space * (count - 1))


def _drawn(
    index: int,
    image: Any,
    overlay: Any,
    cmap: "arrays.Colours | None",
    overlay_cmap: "arrays.Colours | None",
    alpha: float,
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """What is drawn in a place, from below, and how."""
    layers: list[tuple[np.ndarray, dict[str, Any]]] = []
    if image is None:
        return layers
    try:
        image = np.asarray(image)
        if image.ndim == 2 or (image.ndim == 3 and image.shape[-1] == 1):
            photograph = image.dtype.kind in "iu" or overlay is not None
            colours = cmap or ("gray" if photograph else pictures.COLOURS)
            layers.append((arrays.as_map(image), {"cmap": pictures.colour_map(colours)}))
        else:
            layers.append((pictures.displayable(image), {}))
        if overlay is not None:
            values = arrays.resized(arrays.as_map(overlay), image.shape[:2])
            style = {"cmap": pictures.colour_map(overlay_cmap or pictures.COLOURS)}
            layers.append((values, style | {"alpha": alpha * np.sqrt(arrays.unit(values))}))
    except ValueError as error:
        raise ValueError(f"image {index}: {error}") from None
    return layers
