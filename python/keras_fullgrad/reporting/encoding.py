"""Pictures and maps as data URIs, small enough for a page of a hundred images."""

import base64
import io
import math
from typing import NamedTuple

import numpy as np

IMAGE_SIZE = 448
"""The longest side of an image, in pixels; larger ones are reduced."""

MAP_SIZE = 224
"""The longest side of a map."""

CELL_SIZE = 56
"""The longest side of a layer's own map."""

_BLOCK = 8  # JPEG codes blocks of so many pixels: cells made of whole blocks do not blur into each other.
_IMAGE_QUALITY = 88
_MAP_QUALITY = 90
_CELL_QUALITY = 80


class Sheet(NamedTuple):
    """Maps of one size in one grey picture, each from its least (black) to its greatest value (white).

    Attributes:
        uri: The picture.
        columns: How many maps stand side by side.
        cell: The height and the width of a map in it.
        least: The least value of each map.
        greatest: The greatest value of each map.
    """

    uri: str
    columns: int
    cell: tuple[int, int]
    least: list[float]
    greatest: list[float]


class Picture(NamedTuple):
    """A picture, with the size that a page keeps free for it until it is shown."""

    uri: str
    height: int
    width: int


def image(pixels: np.ndarray) -> Picture:
    """An image, (height, width, 3), uint8."""
    size = _fitted(pixels, IMAGE_SIZE)
    return Picture(_jpeg(_resized(pixels, *size), _IMAGE_QUALITY), *size)


def map(values: np.ndarray) -> str:
    """A map, (height, width), in greys from its least to its greatest value."""
    small = _resized(values.astype(np.float32), *_fitted(values, MAP_SIZE))
    return _jpeg(_grey(small), _MAP_QUALITY)


def sheet(maps: np.ndarray) -> Sheet:
    """The maps of all layers, (layers, height, width)."""
    cell = _cell(*maps.shape[1:])
    small = [_resized(each.astype(np.float32), *cell) for each in maps]
    # About square: canvases have a longest side.
    columns = math.ceil(math.sqrt(len(small)))
    cells = [_grey(each) for each in small] + [np.zeros(cell, np.uint8)] * (-len(small) % columns)
    rows = [np.concatenate(cells[start : start + columns], 1) for start in range(0, len(cells), columns)]
    least, greatest = ([float(end(each)) for each in small] for end in (np.min, np.max))
    return Sheet(_jpeg(np.concatenate(rows), _CELL_QUALITY), columns, cell, least, greatest)


def _cell(height: int, width: int) -> tuple[int, int]:
    """Whole blocks in about the proportions of the map."""
    scale = CELL_SIZE / max(height, width) / _BLOCK
    return max(1, round(height * scale)) * _BLOCK, max(1, round(width * scale)) * _BLOCK


def _fitted(pixels: np.ndarray, longest: int) -> tuple[int, int]:
    height, width = pixels.shape[:2]
    scale = min(1, longest / max(height, width))
    return max(1, round(scale * height)), max(1, round(scale * width))


def _resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    if pixels.shape[:2] == (height, width):
        return pixels
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def _grey(values: np.ndarray) -> np.ndarray:
    values = values - values.min()
    return np.round(values * (255 / (values.max() or 1))).astype(np.uint8)


def _jpeg(pixels: np.ndarray, quality: int) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
