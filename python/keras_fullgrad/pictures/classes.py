"""Maps of several classes of one image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fullgrad.pictures.arrays import ALPHA, COLOURS, Colours, displayable, overlay
from keras_fullgrad.pictures.grids import grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def class_grid(
    image: Any, map: Any, names: Sequence[str] | None = None, cmap: Colours = COLOURS, alpha: float = ALPHA
) -> "Figure":
    """Draws an image, and beside it the map of each class over the image in grey.

    Each map is drawn from its own least to its own greatest value.

    Args:
        image: (height, width), (height, width, 1) or (height, width, 3); integers from 0 to 255, or floats
            from 0 to 1.
        map: The image's map of K classes, (height, width, K).
        names: The name of each class.
        cmap: A colour map, or matplotlib's name of one.
        alpha: How much of the image a map's greatest value covers, from 0 to 1.

    Returns:
        The figure.

    Raises:
        ValueError: If the map is of another shape, names are not K, or as :func:`overlay`.

    Example:
        >>> figure = class_grid(np.zeros([8, 8]), np.random.rand(8, 8, 2), names=["cat", "dog"])
        >>> [axes.get_title() for axes in figure.axes]
        ['image', 'cat', 'dog']
    """
    map = np.asarray(map)
    if map.ndim != 3:
        raise ValueError(f"expected a map of K classes, (height, width, K), got shape {map.shape}")
    classes = map.shape[-1]
    if names is not None and len(names) != classes:
        raise ValueError(f"expected a name for each of {classes} classes, got {len(names)}")
    picture = displayable(image)
    grey = picture.mean(-1).astype(np.uint8)  # Below colours of an image those of the map are hard to tell.
    drawn = [overlay(grey, map[..., k], cmap, alpha) for k in range(classes)]
    return grid([[picture, *drawn]], titles=None if names is None else [["image", *names]])
