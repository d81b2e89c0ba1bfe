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


class Pace:
    """Cuts batches into pieces, by what it saw of the pieces before.

    Where memory runs out, the images in a piece are halved for good. Batches of a size that nobody asked for
    are halved for a trial, and go on so while an image takes less time that way; a size's first run is slower
    than its others, so that few batches are better left whole.

    Example:
        >>> pace = Pace()
        >>> [list(range(8))[rows] for rows in pace.pieces(lambda rows: rows, images=8)]
        [[0, 1, 2, 3, 4, 5, 6, 7]]
    """

    def __init__(self) -> None:
        self._fitting: int | None = None
        self._fastest: int | None = None
        self._trial: int | None = None
        self._seconds: dict[int, float] = {}
        self._seen: set[int] = set()

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
            size = min(images - start, self._size(most, trying) or images)
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
            if most is not None and trying:
                self._note(size, (time.perf_counter() - began) / size, most)
            yield result
            start += size

    def _size(self, most: int | None, trying: bool) -> int | None:
        quickest = self._fastest or (self._trial if trying else None) or most
        wanted = None if most is None else quickest
        return min((size for size in (wanted, self._fitting) if size is not None), default=None)

    def _note(self, size: int, seconds: float, most: int) -> None:
        """Tries half of a size after its second run."""
        if self._fastest is not None or size != (self._trial or most):
            return
        if size not in self._seen:
            self._seen.add(size)
            return
        larger = self._seconds.get(2 * size, self._seconds.get(2 * size + 1))
        self._seconds[size] = seconds
        if larger is not None and seconds > _WORTHWHILE * larger:
            self._fastest = min(self._seconds, key=self._seconds.__getitem__)
        elif size == 1:
            self._fastest = 1
        else:
            self._trial = size // 2
