"""Maps as pictures: arrays of 256 levels, to be shown, saved or put side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np

COLOURS = "inferno"
"""Matplotlib's name of the default colour map: perceptually even, and readable in grey."""

_GAP = 4


def coloured(map: Any, cmap: str = COLOURS) -> np.ndarray:
    """Colours a map from its least to its greatest value.

    Args:
        map: A map of one class, (height, width) or (height, width, 1), of any range.
        cmap: Matplotlib's name of a colour map.

    Returns:
        The picture, (height, width, 3), uint8.

    Raises:
        ValueError: If the map is of another shape, or the colour map is unknown.

    Example:
        >>> coloured(np.array([[0.0, 1.0]])).tolist()
        [[[0, 0, 3], [252, 254, 164]]]
    """
    return _rgb(_unit(_plane(map)), cmap)


def overlay(image: Any, map: Any, cmap: str = COLOURS, alpha: float = 0.75) -> np.ndarray:
    """Draws a map over its image: opaque where the map is high, clear where it is low.

    A position of value v, between the map's least (0) and greatest (1), is covered to ``alpha * sqrt(v)``.

    Args:
        image: (height, width), (height, width, 1) or (height, width, 3); integers from 0 to 255, or floats
            from 0 to 1.
        map: A map of one class, (height, width) or (height, width, 1), of any range; one of another size is
            resized to the image's.
        cmap: Matplotlib's name of a colour map.
        alpha: How much of the image the map's greatest value covers, from 0 to 1.

    Returns:
        The picture, (height, width, 3), uint8.

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
    values = _unit(_plane(map))
    if values.shape != picture.shape[:2]:
        from PIL import Image

        height, width = picture.shape[:2]
        resized = Image.fromarray(values.astype(np.float32)).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        values = np.asarray(resized)
    cover = alpha * np.sqrt(values)[..., np.newaxis]
    return np.round((1 - cover) * picture + cover * _rgb(values, cmap)).astype(np.uint8)


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
    largest = 255 if image.dtype.kind in "iub" else 1
    if not (image.min() >= 0 and image.max() <= largest):
        raise ValueError(
            f"expected an image of {image.dtype.name} with values from 0 to {largest}, "
            f"got {image.min():g} to {image.max():g}"
        )
    levels = np.round(image * (255 / largest)).astype(np.uint8)
    return np.broadcast_to(levels, (*levels.shape[:2], 3))


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Puts pictures of one height next to each other, with a white gap between them.

    Args:
        pictures: Pictures, (height, width, 3), uint8, as :func:`overlay` gives them.

    Returns:
        The picture, (height, all widths and gaps, 3), uint8.

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
    return np.concatenate(joined[:-1], axis=1)


def _plane(map: Any) -> np.ndarray:
    map = np.asarray(map)
    plane = map[..., 0] if map.ndim == 3 and map.shape[-1] == 1 else map
    if plane.ndim != 2 or plane.size == 0:
        raise ValueError(
            f"expected a map of one class, (height, width) or (height, width, 1), got shape {map.shape}"
        )
    return plane.astype(np.float64)


def _unit(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError("expected a map of finite values, got NaN or infinity")
    values = values - values.min()
    return values / (values.max() or 1)


def _rgb(values: np.ndarray, cmap: str) -> np.ndarray:
    # At the first picture, not at import: matplotlib takes a while.
    from matplotlib import colormaps

    if cmap not in colormaps:
        raise ValueError(f"expected the name of one of matplotlib's colour maps, got {cmap!r}")
    return colormaps[cmap](values, bytes=True)[..., :3]
