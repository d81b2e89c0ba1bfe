"""The forms that a map is written in, as a file of its own."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from keras_fullgrad import pictures
from keras_fullgrad_cli.options import Format

Encoder = Callable[[np.ndarray, np.ndarray, str, float], bytes]
"""From pixels (height, width, channels), a map (height, width, K), a colour map and a strength to a file."""


def overlay(pixels: np.ndarray, map: np.ndarray, cmap: str, alpha: float) -> bytes:
    """A PNG of the map over the image; of several classes side by side."""
    return _png([pictures.overlay(pixels, each, cmap, alpha) for each in np.moveaxis(map, -1, 0)])


def coloured(pixels: np.ndarray, map: np.ndarray, cmap: str, alpha: float) -> bytes:
    """A PNG of the map alone; of several classes side by side."""
    return _png([pictures.coloured(each, cmap) for each in np.moveaxis(map, -1, 0)])


def array(pixels: np.ndarray, map: np.ndarray, cmap: str, alpha: float) -> bytes:
    """NumPy's file of the map, float32."""
    buffer = io.BytesIO()
    np.save(buffer, map.astype(np.float32))
    return buffer.getvalue()


ENCODERS: dict[Format, tuple[str, Encoder]] = {
    Format.overlay: (".overlay.png", overlay),
    Format.map: (".map.png", coloured),
    Format.npy: (".npy", array),
}
"""The ending of each format's files, and what makes one."""


def _png(drawn: list[np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pictures.side_by_side(drawn)).save(buffer, "PNG")
    return buffer.getvalue()
