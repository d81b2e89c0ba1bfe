"""Pictures of inputs and maps."""

import math
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def visualize(
    images: Any,
    titles: Sequence[str] | None = None,
    overlays: Sequence[Any] | None = None,
    overlay_alpha: float = 0.75,
    rows: int | None = None,
    cols: int | None = None,
    figsize: tuple[float, float] | None = None,
    cmap: str | None = None,
    overlay_cmap: str | None = None,
    to_file: str | None = None,
    to_buffer: IO[bytes] | None = None,
    subplots_ws: float = 0.0,
    subplots_hs: float = 0.0,
) -> "Figure":
    """Draws images in a grid, with maps over those that have one.

    Args:
        images: An image or a list of them: (height, width), (height, width, 1) or (height, width, 3);
            None leaves a place empty.
        titles: A title for each image.
        overlays: A map for each image, or None for an image without.
        overlay_alpha: How much of an image its map covers, from 0 to 1.
        rows: Rows of the grid. None: as many as needed.
        cols: Columns of the grid. None: as many as needed, 8 at most.
        figsize: Width and height in inches. None: 4 for each image.
        cmap: Matplotlib's name of the colour map for images of one channel.
        overlay_cmap: Likewise for the overlays.
        to_file: A path to write the picture to.
        to_buffer: A binary file to write the picture to.
        subplots_ws: Space between columns, relative to an image's width.
        subplots_hs: Space between rows, relative to an image's height.

    Returns:
        The figure, which a notebook shows.

    Raises:
        ValueError: If there is no image.

    Example:
        >>> figure = visualize([np.zeros([8, 8, 3]), np.ones([8, 8, 1])], titles=["image", "map"])
        >>> len(figure.axes)
        2
    """
    # At the first picture, not at import: matplotlib takes a while.
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from keras_fullgrad.figure import NotebookFigure

    if hasattr(images, "shape") and len(images.shape) <= 3:
        images = [images]
    images = [None if image is None else _displayable(image) for image in images]
    if not images:
        raise ValueError("expected at least one image, got none")
    if rows is None:
        cols = cols or min(8, len(images))
        rows = math.ceil(len(images) / cols)
    else:
        cols = cols or math.ceil(len(images) / rows)

    figure = NotebookFigure(figsize=figsize or (4 * cols, 4 * rows))
    FigureCanvasAgg(figure)
    for index, image in enumerate(images):
        axes = figure.add_subplot(rows, cols, index + 1)
        axes.axis("off")
        if titles is not None and index < len(titles):
            axes.set_title(titles[index])
        if image is None:
            continue
        axes.imshow(image, cmap=cmap)
        if overlays is not None and index < len(overlays) and overlays[index] is not None:
            axes.imshow(_displayable(overlays[index]), cmap=overlay_cmap, alpha=overlay_alpha)
    top = 1.0 if titles is None else 1 - 0.35 / figure.get_figheight()
    figure.subplots_adjust(0, 0, 1, top, wspace=subplots_ws, hspace=subplots_hs)
    for target in (to_file, to_buffer):
        if target is not None:
            figure.savefig(target, format=None if isinstance(target, str) else "png")
    return figure


def _displayable(image: Any) -> np.ndarray:
    image = np.asarray(image)
    return image[..., 0] if image.ndim > 2 and image.shape[-1] == 1 else image
