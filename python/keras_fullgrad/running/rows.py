"""Arrays that grow by rows, as results of batches come in."""

import numpy as np


class Rows:
    """An array that grows by rows: allocated once where it is known how many there will be.

    Example:
        >>> rows = Rows(np.zeros([1, 2]), rows=None)
        >>> rows.add(np.zeros([1, 2])), rows.add(np.ones([2, 2]))
        (None, None)
        >>> rows.array().shape
        (3, 2)
    """

    def __init__(self, first: np.ndarray, rows: int | None) -> None:
        """Prepares an array.

        Args:
            first: The first rows, which tell shape and type; they are still to be added.
            rows: How many there will be, where that is known.
        """
        self._whole = None if rows is None else np.empty((rows, *first.shape[1:]), first.dtype)
        self._parts: list[np.ndarray] = []
        self._filled = 0

    def add(self, part: np.ndarray) -> None:
        """Adds rows."""
        if self._whole is None:
            self._parts.append(part)
        else:
            self._whole[self._filled : self._filled + len(part)] = part
        self._filled += len(part)

    def array(self) -> np.ndarray:
        """All rows."""
        return np.concatenate(self._parts) if self._whole is None else self._whole
