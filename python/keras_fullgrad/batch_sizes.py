"""How many images to compute at a time: as many as fit into memory, and as run fastest."""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

import tensorflow as tf

Result = TypeVar("Result")

BATCHES_FOR_TRIALS = 16
"""With so many batches to come, trials of smaller ones are worth what they take."""

_WORTHWHILE = 0.97


class BatchSize:
    """Cuts batches into pieces, by what it saw of the pieces before.

    Where memory runs out, the images in a piece are halved for good. Batches of a size that nobody asked for
    are halved for a trial, and go on so while an image takes less time that way; a size's first run is slower
    than its others, so that few batches are better left whole.

    Example:
        >>> batch_size = BatchSize()
        >>> [list(range(8))[rows] for rows in batch_size.pieces(lambda rows: rows, images=8)]
        [[0, 1, 2, 3, 4, 5, 6, 7]]
    """

    def __init__(self) -> None:
        self._fitting: int | None = None
        # For one image, in the first two runs of a size.
        self._seconds: dict[int, list[float]] = {}

    def pieces(
        self, run: Callable[[slice], Result], images: int, most: int | None = None, trying: bool = False
    ) -> Iterator[Result]:
        """Runs a batch, in one piece or in several.

        Args:
            run: Computes some rows of the batch.
            images: How many rows the batch has.
            most: The images in a whole batch where nobody asked for a size: pieces may be smaller. None: this
                size was asked for.
            trying: Whether there is enough to come for a trial of a smaller size to pay.

        Yields:
            What ``run`` returned, in the order of the rows.

        Raises:
            tf.errors.ResourceExhaustedError: If memory does not do for one image.
        """
        start = 0
        while start < images:
            wanted = images if most is None else self._fastest(most, trying)
            size = min(images - start, wanted, self._fitting or images)
            began = time.perf_counter()
            try:
                result = run(slice(start, start + size))
            except tf.errors.ResourceExhaustedError:
                if size == 1:
                    raise
                self._fitting = size // 2
                warnings.warn(
                    f"memory did not do for {size} images at a time; going on with {self._fitting}",
                    stacklevel=2,
                )
                continue
            timed = self._seconds.setdefault(size, [])
            if most is not None and trying and size == wanted and len(timed) < 2:
                timed.append((time.perf_counter() - began) / size)
            yield result
            start += size

    def _fastest(self, most: int, trying: bool) -> int:
        """The fastest of the sizes that were tried; while that is open, the next to try, or the whole."""
        size = most
        while len(self._seconds.get(size, ())) == 2:
            half = size // 2
            if half == 0:
                return size
            if len(self._seconds.get(half, ())) == 2:
                seconds = {each: self._seconds[each][1] for each in (size, half)}
                if seconds[half] > _WORTHWHILE * seconds[size]:
                    return min(seconds, key=seconds.__getitem__)
            size = half
        return size if trying else most
