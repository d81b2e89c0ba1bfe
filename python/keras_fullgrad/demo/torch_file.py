"""Reads weights that PyTorch saved, without PyTorch, and without running what the file names."""

import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_TYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
}


class _View(NamedTuple):
    """A tensor: where its numbers lie in a storage."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Reader(pickle.Unpickler):
    """Knows dictionaries and tensors, and refuses all else."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.types: dict[str, type] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _View(storage, offset, shape, strides)
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"expected dictionaries of tensors alone, got {module}.{name}")

    def persistent_load(self, identifier: Any) -> str:
        _, dtype, storage, *_ = identifier
        self.types[storage] = dtype
        return str(storage)


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a state dictionary of PyTorch's format before version 1.6.

    Args:
        path: The file, a ``.pth``.

    Returns:
        The arrays, by name.

    Raises:
        pickle.UnpicklingError: If the file holds anything but dictionaries of tensors.

    Example:
        >>> read_state_dict("net.pth")  # doctest: +SKIP
    """
    with open(path, "rb") as file:
        for _ in ("magic number", "protocol", "system"):
            _Reader(file).load()
        reader = _Reader(file)
        views: dict[str, _View] = reader.load()
        storages = {}
        for storage in _Reader(file).load():
            (count,) = struct.unpack("<q", file.read(8))
            dtype = np.dtype(reader.types[storage])
            storages[storage] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    arrays = {}
    for name, view in views.items():
        numbers = storages[view.storage][view.offset :]
        steps = [stride * numbers.itemsize for stride in view.strides]
        arrays[name] = np.lib.stride_tricks.as_strided(numbers, view.shape, steps).copy()
    return arrays
