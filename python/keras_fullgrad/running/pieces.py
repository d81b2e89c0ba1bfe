"""Batches in pieces that fit into memory."""

import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

import tensorflow as tf

Result = TypeVar("Result")


class Pieces:
    """Cuts batches where memory runs out: the images in a piece are halved, for good.

    Example:
        >>> [list(range(8))[rows] for rows in Pieces().run(lambda rows: rows, images=8)]
        [[0, 1, 2, 3, 4, 5, 6, 7]]
    """

    def __init__(self) -> None:
        self._fitting: int | None = None

    def run(self, compute: Callable[[slice], Result], images: int) -> Iterator[Result]:
        """Runs a batch, in one piece or in several.

        Args:
            compute: Computes some rows of the batch.
            images: How many rows the batch has.

        Yields:
            What ``compute`` returned, in the order of the rows.

        Raises:
            tf.errors.OpError: If memory does not do for one image: a ResourceExhaustedError, or oneDNN's
                AbortedError.
        """
        start = 0
        while start < images:
            size = min(images - start, self._fitting or images)
            try:
                result = compute(slice(start, start + size))
            except (tf.errors.ResourceExhaustedError, tf.errors.AbortedError) as error:
                if size == 1 or not _is_of_memory(error):
                    raise
                self._fitting = size // 2
                warnings.warn(
                    f"memory did not do for {size} images at a time; going on with {self._fitting}",
                    stacklevel=2,
                )
                continue
            yield result
            start += size


def _is_of_memory(error: tf.errors.OpError) -> bool:
    # oneDNN aborts, by its status of being out of memory.
    return isinstance(error, tf.errors.ResourceExhaustedError) or "Status: 1, message" in error.message
