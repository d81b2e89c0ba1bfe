"""Cuts data of every kind that Keras takes into batches of inputs and classes."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

Batch = tuple[Any, Any | None]

POSITIONS = 2**20
"""Without a batch size, about as many positions go into a batch: 4 images of 512x512, 20 of 224x224."""

LARGEST = 32


class Batches(NamedTuple):
    """Batches of inputs and classes.

    Attributes:
        batches: Yields inputs and classes, or inputs and None.
        images: How many images there are, where that is known.
        steps: How many batches there are, where that is known.
    """

    batches: Iterator[Batch]
    images: int | None
    steps: int | None


def cut(x: Any, y: Any | None = None, batch_size: int | None = None, steps: int | None = None) -> Batches:
    """Cuts data into batches.

    Args:
        x: An array, a tensor, a `tf.data.Dataset`, a Keras `PyDataset`, or an iterable; the latter
            three yield batches of inputs, or tuples of inputs and classes.
        y: Classes for an array or a tensor: (images, K), (images,), one class for all, or None.
        batch_size: The images in a batch. None: as many as have about :data:`POSITIONS` positions
            for arrays, and the batches as they come for the rest.
        steps: At most as many batches.

    Returns:
        The batches.

    Raises:
        ValueError: If there is no image, classes and images are not as many, or a size is not
            positive.
        TypeError: If the data is of another kind, or classes are not integers.

    Example:
        >>> [inputs.shape[0] for inputs, _ in cut(np.zeros([5, 8, 8, 3]), batch_size=2).batches]
        [2, 2, 1]
    """
    for name, value in (("batch_size", batch_size), ("steps", steps)):
        if value is not None and value < 1:
            raise ValueError(f"expected {name} to be at least 1, got {value}")
    if isinstance(x, (list, tuple)):
        x = np.asarray(x)
    if not isinstance(x, (np.ndarray, tf.Tensor)):
        if y is not None:
            raise ValueError(f"expected no y beside a {type(x).__name__}: its batches hold the classes")
        return _cut_stream(x, batch_size, steps)

    images = 0 if len(x.shape) == 0 else int(x.shape[0])
    if images == 0:
        raise ValueError(f"expected at least one image, got inputs of shape {tuple(x.shape)}")
    batch_size = batch_size or default_size(x.shape)
    y = classes(y, images)
    count = -(-images // batch_size)
    if steps is not None and steps < count:
        count, images = steps, steps * batch_size
    pieces = (slice(i * batch_size, (i + 1) * batch_size) for i in range(count))
    return Batches(((x[p], None if y is None else y[p]) for p in pieces), images, count)


def default_size(shape: tuple[int, ...]) -> int:
    """The images in a batch where nobody chose: about :data:`POSITIONS` positions, 32 images at most."""
    per_image = int(np.prod(shape[1:-1])) or 1
    return max(1, min(LARGEST, POSITIONS // per_image))


def classes(y: Any | None, images: int) -> np.ndarray | None:
    """Brings classes to the shape (images, K), and checks them.

    Args:
        y: Classes: (images, K), (images,), one for all images, or None.
        images: How many images there are.

    Returns:
        The classes, or None.

    Raises:
        ValueError: If classes and images are not as many, or a class is negative.
        TypeError: If classes are not integers.

    Example:
        >>> classes(3, images=2).tolist()
        [[3], [3]]
    """
    if y is None:
        return None
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        raise TypeError(f"expected y to hold classes as integers, got {y.dtype.name}")
    if y.ndim == 0:
        y = np.full([images], y)
    if y.ndim == 1:
        y = y[:, np.newaxis]
    if y.ndim != 2 or len(y) != images or y.shape[1] == 0:
        raise ValueError(f"expected y of shape ({images}, K) for {images} images, got {y.shape}")
    if y.min() < 0:
        raise ValueError(f"expected classes of 0 or more in y, got {y.min()}")
    return y.astype(np.int64)


def _cut_stream(data: Any, batch_size: int | None, steps: int | None) -> Batches:
    count: int | None
    if isinstance(data, keras.utils.PyDataset):
        count = data.num_batches
        stream: Iterable[Any] = map(data.__getitem__, range(len(data)))
    elif isinstance(data, tf.data.Dataset):
        count, stream = int(data.cardinality()), data
        if count == 0:
            raise ValueError("expected at least one batch, got an empty dataset")
        count = count if count > 0 else None
    elif isinstance(data, Iterable):
        count, stream = None, data
    else:
        raise TypeError(
            "expected x to be an array, a tensor, a tf.data.Dataset, a keras PyDataset or an iterable "
            f"of batches, got {type(data).__name__}"
        )

    def batches() -> Iterator[Batch]:
        for element in stream:
            x, y = element[:2] if isinstance(element, tuple) and len(element) > 1 else (element, None)
            if isinstance(x, tuple):
                (x,) = x
            yield from cut(x, y, batch_size or max(1, len(x))).batches

    known = None if batch_size is not None else count
    if steps is None:
        return Batches(batches(), None, known)
    return Batches(itertools.islice(batches(), steps), None, steps)
