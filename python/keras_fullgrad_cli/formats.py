"""The forms that maps are written in: files of their own, and one array of all."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

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


class ZarrStore:
    """All maps in one Zarr array, with paths, classes and logits in arrays beside it.

    A row is written whole or not at all; those of images that could not be read hold NaN.
    """

    def __init__(self, path: Path, rows: int) -> None:
        """Opens the store, and creates it where there is none.

        Args:
            path: The folder of the store.
            rows: How many images there are.

        Raises:
            ValueError: If zarr is not installed.
        """
        try:
            import zarr
        except ImportError:
            raise ValueError(
                "expected zarr 3 for --format zarr: pip install 'keras-fullgrad[zarr]'"
            ) from None
        self._group: Any = zarr.open_group(path, mode="a")
        self._rows = rows

    def write(self, row: int, map: np.ndarray) -> None:
        """Writes the map of an image, (height, width, K)."""
        if "maps" not in self._group:
            shape = (self._rows, *map.shape)
            self._group.create_array(
                "maps", shape=shape, chunks=(1, *map.shape), dtype="float32", fill_value=np.nan
            )
        maps = self._group["maps"]
        if maps.shape[0] < self._rows:
            maps.resize((self._rows, *map.shape))
        maps[row] = map

    def finish(self, records: Iterable[dict[str, Any]]) -> None:
        """Writes what is known of each row: an empty path and NaN where an image could not be read."""
        found = list(records)
        classes = len(found[0]["classes"]) if found else 0
        paths = np.full(self._rows, "", object)
        values: dict[str, np.ndarray] = {
            "classes": np.full((self._rows, classes), -1, np.int64),
            "logits": np.full((self._rows, classes), np.nan, np.float32),
        }
        for record in found:
            paths[record["row"]] = record["path"]
            for name, of_rows in values.items():
                of_rows[record["row"]] = record[name]
        self._group.create_array("paths", shape=self._rows, dtype=str, overwrite=True)[:] = paths
        for name, of_rows in values.items():
            self._group.create_array(name, data=of_rows, overwrite=True)
