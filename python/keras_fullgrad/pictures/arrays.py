"""Pictures as arrays of 256 levels: maps in colours, alone or over their image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from keras_fullgrad.pictures.picture import Picture, as_picture

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

Colours: TypeAlias = "str | Colormap"

COLOURS = "inferno"
"""Matplotlib's name of the default colour map: perceptually even, and readable in grey."""

ALPHA = 0.75
"""How much of an image the greatest value of its map covers, unless told otherwise."""

_GAP = 4


def coloured(map: Any, cmap: Colours = COLOURS, limits: tuple[float, float] | None = None) -> Picture:
    """Colours a map from its least to its greatest value.

    Args:
        map: A map of one class, (height, width) or (height, width, 1), of any range.
        cmap: A colour map, or matplotlib's name of one.
        limits: The values of the first and the last colour: the same for maps to be compared, ``(-v, v)`` for
            a map with signs. None: the map's least and greatest.

    Returns:
        The picture, (height, width, 3), uint8; a notebook shows it.

    Raises:
        ValueError: If the map is of another shape or not finite, the colour map is unknown, or the limits do
            not increase.

    Example:
        >>> coloured(np.array([[0.0, 1.0]])).tolist()
        [[[0, 0, 3], [252, 254, 164]]]
    """
    return as_picture(_rgb(unit(as_map(map), limits), cmap))


def overlay(image: Any, map: Any, cmap: Colours = COLOURS, alpha: float = ALPHA) -> Picture:
    """Draws a map over its image: opaque where the map is high, clear where it is low.

    A position of value v, between the map's least (0) and greatest (1), is covered to ``alpha * sqrt(v)``.

    Args:
        image: (height, width), (height, width, 1) or (height, width, 3); integers from 0 to 255, or floats
            from 0 to 1.
        map: A map of one class, (height, width) or (height, width, 1), of any range; one of another size is
            resized to the image's.
        cmap: A colour map, or matplotlib's name of one.
        alpha: How much of the image the map's greatest value covers, from 0 to 1.

    Returns:
        The picture, (height, width, 3), uint8; a notebook shows it.

    Raises:
        ValueError: If the image or the map is of another shape, the image's values are beyond its range,
            the colour map is unknown, or ``alpha`` is not from 0 to 1.

    Example:
        >>> overlay(np.full([4, 6], 128, np.uint8), np.eye(4, 6)).shape
        (4, 6, 3)
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"expected alpha from 0 to 1, got {alpha}")
    picture = displayable(image)
    values = resized(unit(as_map(map)), picture.shape[:2])
    covered = alpha * np.sqrt(values)[..., np.newaxis]
    return as_picture(np.round((1 - covered) * picture + covered * _rgb(values, cmap)))


def displayable(image: Any) -> np.ndarray:
    """Brings an image of any common kind to three channels of 256 levels.

    Args:
        image: (height, width), (height, width, 1) or (height, width, 3); integers from 0 to 255, or floats
            from 0 to 1.

    Returns:
        The image, (height, width, 3), uint8.

    Raises:
        ValueError: If the image is of another shape, or its values are beyond its range.

    Example:
        >>> displayable(np.ones([1, 1])).tolist()
        [[[255, 255, 255]]]
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or image.size == 0:
        raise ValueError(
            "expected an image of shape (height, width), (height, width, 1) or (height, width, 3), "
            f"got {image.shape}"
        )
    largest = 255 if image.dtype.kind in "iu" else 1
    if not (image.min() >= 0 and image.max() <= largest):
        raise ValueError(
            f"expected an image of {image.dtype.name} with values from 0 to {largest}, "
            f"got {image.min():g} to {image.max():g}"
        )
    levels = np.round(image * (255 / largest)).astype(np.uint8)
    return np.broadcast_to(levels, (*levels.shape[:2], 3))


def side_by_side(pictures: Sequence[np.ndarray]) -> Picture:
    """Puts pictures of one height next to each other, with a white gap between them.

    Args:
        pictures: Pictures, (height, width, 3), uint8, as :func:`overlay` gives them.

    Returns:
        The picture, (height, all widths and gaps, 3), uint8; a notebook shows it.

    Raises:
        ValueError: If there is none, or heights differ.

    Example:
        >>> side_by_side([np.zeros([4, 6, 3], np.uint8)] * 2).shape
        (4, 16, 3)
    """
    heights = {picture.shape[0] for picture in pictures}
    if len(heights) != 1:
        raise ValueError(f"expected pictures of one height, got heights {sorted(heights)}")
    gap = np.full((heights.pop(), _GAP, 3), 255, np.uint8)
    joined = [part for picture in pictures for part in (picture, gap)]
    return as_picture(np.concatenate(joined[:-1], axis=1))


def as_map(map: Any) -> np.ndarray:
    """Brings a map of one class to two dimensions.

    Args:
        map: A map, (height, width) or (height, width, 1).

    Returns:
        The map, (height, width), float64.

    Raises:
        ValueError: If the map is of another shape, or holds a value that is not finite.

    Example:
        >>> as_map(np.ones([4, 6, 1])).shape
        (4, 6)
    """
    map = np.asarray(map)
    values = map[..., 0] if map.ndim == 3 and map.shape[-1] == 1 else map
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            f"expected a map of one class, (height, width) or (height, width, 1), got shape {map.shape}"
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("expected a map of finite values, got NaN or infinity")
    return values


def resized(values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Resizes a map, linearly, where it is of another size.

    Args:
        values: A map, (height, width).
        size: The height and the width wanted.

    Returns:
        The map of that size.

    Example:
        >>> resized(np.eye(4), (8, 6)).shape
        (8, 6)
    """
    if values.shape == size:
        return values
    from PIL import Image

    height, width = size
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def colour_map(cmap: Colours) -> "Colormap":
    """Finds a colour map by its name.

    Args:
        cmap: Matplotlib's name of a colour map, or a colour map.

    Returns:
        The colour map.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> colour_map("inferno").N
        256
    """
    # At the first picture, not at import: matplotlib takes a while.
    from matplotlib import colormaps
    from matplotlib.colors import Colormap

    if isinstance(cmap, Colormap):
        return cmap
    if cmap not in colormaps:
        raise ValueError(f"expected the name of one of matplotlib's colour maps, got {cmap!r}")
    return colormaps[cmap]


def unit(values: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Brings values to a range from 0 to 1.

    Args:
        values: The values.
        limits: What becomes 0 and 1; beyond, values are cut. None: the least and the greatest.

    Returns:
        The values in that range; of one value everywhere, 0.

    Raises:
        ValueError: If the limits do not increase.

    Example:
        >>> unit(np.array([2.0, 3.0, 4.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    least, greatest = (values.min(), values.max()) if limits is None else limits
    if limits is not None and not least < greatest:
        raise ValueError(f"expected limits that increase, got {limits}")
    return np.clip((values - least) / ((greatest - least) or 1), 0, 1)


def _rgb(values: np.ndarray, cmap: Colours) -> np.ndarray:
    return colour_map(cmap)(values, bytes=True)[..., :3]
