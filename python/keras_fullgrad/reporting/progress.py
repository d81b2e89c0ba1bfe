"""How far a report is."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import keras

Piece = TypeVar("Piece")

PASSES = 2
"""How often all images are gone through: their logits are taken apart, then their maps are drawn."""


class Progress:
    """Tells callbacks of each batch, as `predict` does, and shows a progress bar.

    Args:
        model: The model.
        images: How many images are gone through.
        batch_size: The images in a batch.
        callbacks: Keras callbacks.
        verbose: 0 for no progress bar, 1 or "auto" for one.

    Example:
        >>> from types import SimpleNamespace
        >>> batches = []
        >>> told = keras.callbacks.LambdaCallback()
        >>> told.on_predict_batch_end = lambda batch, logs=None: batches.append(batch)
        >>> progress = Progress(keras.Sequential(), 3, 2, [told], 0)
        >>> pieces = [SimpleNamespace(logits=[0, 0]), SimpleNamespace(logits=[0])]
        >>> for _ in range(PASSES):
        ...     _ = list(progress.over(pieces))
        >>> batches
        [0, 1, 2, 3]
    """

    def __init__(
        self,
        model: keras.Model,
        images: int,
        batch_size: int,
        callbacks: Sequence[keras.callbacks.Callback],
        verbose: str | int,
    ) -> None:
        self._batch_size = batch_size
        self._steps = PASSES * -(-images // batch_size)
        self._told = 0
        self._callbacks = keras.callbacks.CallbackList(
            list(callbacks),
            add_progbar=verbose != 0,
            verbose=1 if verbose == "auto" else verbose,
            model=model,
            epochs=1,
            steps=self._steps,
        )

    def over(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Goes through all images once.

        Args:
            pieces: What is computed of them, with the ``logits`` of some images each.

        Yields:
            The pieces.
        """
        if not self._told:
            self._callbacks.on_predict_begin()
        before, images = self._told, 0
        for piece in pieces:
            yield piece
            of_piece: Any = piece
            images += len(of_piece.logits)
            # A batch may come in several pieces, where memory asks for it.
            while self._told < before + -(-images // self._batch_size):
                self._callbacks.on_predict_batch_begin(self._told)
                self._callbacks.on_predict_batch_end(self._told)
                self._told += 1
        if self._told == self._steps:
            self._callbacks.on_predict_end()
