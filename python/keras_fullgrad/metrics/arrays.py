"""Images, their classes and maps as arrays, checked before anything is computed."""

from typing import Any

import numpy as np


def as_images(x: Any) -> np.ndarray:
    """Takes images as an array, without a copy where they are one.

    Args:
        x: Images, (images, space, channels).

    Returns:
        The images.

    Raises:
        TypeError: If they are no array.
        ValueError: If they have no positions, or there is none.

    Example:
        >>> as_images([np.zeros([8, 8, 3])] * 2).shape
        (2, 8, 8, 3)
    """
    several = isinstance(x, (tuple, list)) and len({np.shape(each) for each in x}) > 1
    if isinstance(x, dict) or several:
        raise TypeError(
            f"expected x to be an array of images, the only input, got a {type(x).__name__} of several"
        )
    images = np.asarray(x)
    if images.dtype == object:
        raise TypeError(f"expected x to be an array of images, got {type(x).__name__}")
    if not 3 <= images.ndim <= 5 or len(images) == 0:
        raise ValueError(f"expected images of shape (images, space, channels), got {images.shape}")
    return images


def as_maps(maps: Any, axes: int) -> np.ndarray:
    """Takes maps of one class without their axis of classes.

    Args:
        maps: Maps, (images, space) or (images, space, 1).
        axes: How many axes of positions they have.

    Returns:
        The maps, (images, space).

    Raises:
        ValueError: If they are of another shape, of several classes, or not finite.

    Example:
        >>> as_maps(np.zeros([2, 8, 8, 1]), axes=2).shape
        (2, 8, 8)
    """
    maps = np.asarray(maps)
    of_one = maps[..., 0] if maps.ndim == axes + 2 and maps.shape[-1] == 1 else maps
    if of_one.ndim != axes + 1:
        raise ValueError(
            f"expected maps of one class over {axes} axes of positions, (images, space) or "
            f"(images, space, 1), got shape {maps.shape}"
        )
    if not np.isfinite(of_one).all():
        raise ValueError("expected maps of finite values, got NaN or infinity")
    return of_one
