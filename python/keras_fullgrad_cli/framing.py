"""Brings an image to the size that a net takes, and what the net says back onto the image."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from keras_fullgrad_cli.options import Resize

_SMOOTH = Image.Resampling.BILINEAR


class Box(NamedTuple):
    """A part of an image, in pixels; what is right of it or below is not in it."""

    left: int
    top: int
    right: int
    bottom: int


def framed(image: Image.Image, size: tuple[int, int], resize: Resize) -> Image.Image:
    """Brings an image to a size.

    Args:
        image: The image.
        size: The height and the width.
        resize: ``stretch``: squeezed as it must be; ``crop``: the middle in the proportions of ``size``;
            ``pad``: whole, in the middle of black.

    Returns:
        The image of that size.
    """
    height, width = size
    if resize is Resize.stretch:
        return image.resize((width, height), _SMOOTH)
    if resize is Resize.crop:
        return ImageOps.fit(image, (width, height), _SMOOTH)
    left, top, right, bottom = _padded(image.size, size)
    framed = Image.new(image.mode, (width, height))
    framed.paste(image.resize((right - left, bottom - top), _SMOOTH), (left, top))
    return framed


def carried_back(map: np.ndarray, size: tuple[int, int], resize: Resize) -> tuple[np.ndarray, Box]:
    """Finds what part of an image a map lies over.

    Args:
        map: The map of a framed image, (height, width, K).
        size: The width and the height of the image, before it was framed, or enlarged or reduced evenly.
        resize: How it was framed.

    Returns:
        The part of the map that lies over the image, and the part of the image that it lies over.
    """
    width, height = size
    whole = Box(0, 0, width, height)
    if resize is Resize.pad:
        left, top, right, bottom = _padded(size, map.shape[:2])
        return map[top:bottom, left:right], whole
    if resize is Resize.crop:
        scale = min(width / map.shape[1], height / map.shape[0])
        seen = max(1, round(map.shape[1] * scale)), max(1, round(map.shape[0] * scale))
        left, top = (width - seen[0]) // 2, (height - seen[1]) // 2
        return map, Box(left, top, left + seen[0], top + seen[1])
    return map, whole


def _padded(image: tuple[int, int], size: tuple[int, ...]) -> Box:
    """Where an image of a width and a height lies in a frame of a height and a width."""
    scale = min(size[1] / image[0], size[0] / image[1])
    width, height = max(1, round(image[0] * scale)), max(1, round(image[1] * scale))
    left, top = (size[1] - width) // 2, (size[0] - height) // 2
    return Box(left, top, left + width, top + height)
