"""Stores of all maps, which several processes may write to: a Zarr array, or Parquet files."""

import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from keras_fullgrad.reporting.files import write_whole
from keras_fullgrad_cli import folder as names
from keras_fullgrad_cli.options import Format
from keras_fullgrad_cli.results import Result


class Store(Protocol):
    """Where the maps of a run are put, each image whole or not at all."""

    def prepare(self, rows: int, shape: tuple[int, int, int]) -> None:
        """Creates the store where there is none.

        Args:
            rows: How many images there are.
            shape: The shape of a map.
        """

    def write(self, results: Sequence[Result]) -> None:
        """Writes maps."""

    def finish(self, records: Iterable[dict[str, Any]]) -> None:
        """Writes what is known of all images that are done, by what the index says of them."""


class ZarrStore:
    """All maps in one array, with paths, classes and logits in arrays beside it.

    Rows of images that could not be read hold NaN.
    """

    def __init__(self, folder: Path) -> None:
        _check_installed("zarr", "zarr 3", "zarr")
        self._path = folder / names.STORES[Format.zarr]

    def prepare(self, rows: int, shape: tuple[int, int, int]) -> None:
        """See :class:`Store`."""
        import zarr

        group: Any = zarr.open_group(self._path, mode="a")
        if "maps" not in group:
            chunks = (1, *shape)
            group.create_array(
                "maps", shape=(rows, *shape), chunks=chunks, dtype="float32", fill_value=np.nan
            )
        elif group["maps"].shape[0] < rows:
            group["maps"].resize((rows, *shape))

    def write(self, results: Sequence[Result]) -> None:
        """See :class:`Store`."""
        import zarr

        maps: Any = zarr.open_array(self._path / "maps", mode="r+")
        for result in results:
            maps[result.entry.place.row] = result.map

    def finish(self, records: Iterable[dict[str, Any]]) -> None:
        """Writes an empty path and NaN for images that could not be read."""
        import zarr

        # Each time it writes a chunk, Zarr takes a new name for it until it is whole.
        for left_by_a_kill in self._path.rglob("*.partial"):
            left_by_a_kill.unlink(missing_ok=True)
        group: Any = zarr.open_group(self._path, mode="r+")
        rows, _, _, classes = group["maps"].shape
        paths = np.full(rows, "", object)
        values: dict[str, np.ndarray] = {
            "classes": np.full((rows, classes), -1, np.int64),
            "logits": np.full((rows, classes), np.nan, np.float32),
        }
        for record in records:
            paths[record["row"]] = record["path"]
            for name, of_rows in values.items():
                of_rows[record["row"]] = record[name]
        group.create_array("paths", shape=rows, dtype=str, overwrite=True)[:] = paths
        for name, of_rows in values.items():
            group.create_array(name, data=of_rows, overwrite=True)


class ParquetStore:
    """Parquet files, one for the images that were computed together.

    Their columns are ``path``, ``classes``, ``labels`` and ``logits``, as in the index, and ``map``, an Arrow
    tensor of shape (height, width, K).
    """

    def __init__(self, folder: Path) -> None:
        _check_installed("pyarrow.parquet", "pyarrow", "ray")
        self._path = folder / names.STORES[Format.parquet]

    def prepare(self, rows: int, shape: tuple[int, int, int]) -> None:
        """See :class:`Store`."""
        self._path.mkdir(exist_ok=True)

    def write(self, results: Sequence[Result]) -> None:
        """See :class:`Store`."""
        import pyarrow as pa
        from pyarrow import parquet

        maps = np.stack([result.map for result in results]).astype(np.float32)
        columns = {
            "path": pa.array([_utf8(result.entry.source.path) for result in results]),
            "classes": pa.array([result.classes for result in results], pa.list_(pa.int64())),
            "labels": pa.array([result.labels for result in results], pa.list_(pa.string())),
            "logits": pa.array([result.logits for result in results], pa.list_(pa.float32())),
            "map": pa.FixedShapeTensorArray.from_numpy_ndarray(maps),
        }
        buffer = pa.BufferOutputStream()
        # Floats compress better with their bytes apart: first bytes are much alike, last ones noise.
        split = {"map.list.element": "BYTE_STREAM_SPLIT"}
        parquet.write_table(
            pa.table(columns), buffer, compression="zstd", use_dictionary=False, column_encoding=split
        )
        # A row is one image's: so is the name.
        name = f"{results[0].entry.place.row:09}.parquet"
        with write_whole(self._path / name) as file:
            file.write(buffer.getvalue())

    def finish(self, records: Iterable[dict[str, Any]]) -> None:
        """Nothing is left to write."""


STORES: dict[Format, type[ZarrStore] | type[ParquetStore]] = {
    Format.zarr: ZarrStore,
    Format.parquet: ParquetStore,
}
"""What makes each format's store in the folder of a run; ValueError where its package is not installed."""


def _check_installed(module: str, package: str, extra: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError:
        raise ValueError(
            f"expected {package} for --format {module.split('.')[-1]}: pip install 'keras-fullgrad[{extra}]'"
        ) from None


def _utf8(path: str) -> str:
    """A path as text, whatever the file was called."""
    return path.encode(errors="surrogateescape").decode(errors="replace")
