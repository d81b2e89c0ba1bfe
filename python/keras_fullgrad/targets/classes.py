"""Classes: as people have them, and the logits of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Labels = Sequence[str] | Mapping[str, int] | bool
"""The names of a model's classes, by which labels are given; or whether labels that data holds are used."""

Count = Callable[[], int | None]
"""Tells how many classes a model has, where that can be known."""


def as_classes(
    y: Any | None, images: int, labels: Labels = True, count: Count = lambda: None
) -> np.ndarray | None:
    """Brings classes to the shape (images, K), and checks them.

    Zeros and ones with a column for each class of the model are one-hot labels, which stand for one class
    each. Two columns of integers, of two classes, may as well list both: of lists they do, of arrays it is an
    error.

    Args:
        y: Classes: (images, K), (images,), one for all images, or None; or one-hot labels, (images, classes).
        images: How many images there are.
        labels: The names of the classes, where they are given by name: in their order, or with their numbers.
        count: Tells how many classes the model has; asked where zeros and ones are given.

    Returns:
        The classes, or None.

    Raises:
        ValueError: If classes and images are not as many, a class is negative, zeros and ones name several or
            may mean either, or a name is that of several classes.
        TypeError: If classes are not whole numbers.

    Example:
        >>> as_classes(3, images=2).tolist()
        [[3], [3]]
    """
    if y is None:
        return None
    listed = isinstance(y, (list, tuple))
    y = np.asarray(y)
    y = _by_name(y, labels) if y.dtype.kind in "OSU" else _whole(y, listed, count)
    if y.ndim == 0:
        y = np.full([images], y)
    if y.ndim == 1:
        y = y[:, np.newaxis]
    check_count(y, images)
    if y.min() < 0:
        raise ValueError(f"expected classes of 0 or more in y, got {y.min()}")
    return y


def check_count(y: Any, images: int) -> None:
    """Checks that there are classes for each image.

    Args:
        y: Classes, (images, K) or (images,).
        images: How many images there are.

    Raises:
        ValueError: If there are not as many.

    Example:
        >>> check_count([3, 5], images=2)
    """
    shape = np.shape(y)
    shape = (*shape, 1) if len(shape) == 1 else shape
    if len(shape) != 2 or shape[0] != images or shape[1] == 0:
        raise ValueError(f"expected y of shape ({images}, K) for {images} images, got {shape}")


def _by_name(y: np.ndarray, labels: Labels) -> np.ndarray:
    """Classes of labels that are names."""
    if isinstance(labels, bool):
        raise TypeError(
            f"expected y to hold classes as integers, or labels= to name them, got {y.dtype.name} such as "
            f"{y.flat[0]!r}"
            if y.size
            else f"expected y to hold classes as integers, got {y.dtype.name}"
        )
    numbers = labels.items() if isinstance(labels, Mapping) else zip(labels, range(len(labels)), strict=True)
    index: dict[str, list[int]] = {}
    for name, number in numbers:
        index.setdefault(name, []).append(number)
    names = [each.decode() if isinstance(each, bytes) else each for each in y.ravel().tolist()]
    for name in names:
        if len(index.get(name, [])) != 1:
            if name not in index:
                raise ValueError(f"expected names of the {len(index)} labels in y, got {name!r}")
            raise ValueError(
                f"expected names of one class in y, got {name!r} of {index[name]}: give its number"
            )
    return np.array([index[name][0] for name in names], np.int64).reshape(y.shape)


def _whole(y: np.ndarray, listed: bool, count: Count) -> np.ndarray:
    """Classes as integers; of one-hot labels the class of each image."""
    if y.dtype.kind not in "biuf":
        raise TypeError(f"expected y to hold classes as integers, got {y.dtype.name}")
    if y.size and not (np.isfinite(y).all() and (y == np.round(y)).all()):
        raise TypeError(f"expected y to hold classes as integers, got {y.dtype.name} that are not whole")
    if y.ndim == 2 and y.shape[1] > 1 and y.size and np.isin(y, [0, 1]).all():
        known = count()
        columns, classes = y.shape[1], 2 if known == 1 else known  # A single unit tells two apart.
        numbers = y.dtype.kind in "iu"
        if columns == 2 and numbers and (listed or classes not in (2, None)):
            return y.astype(np.int64)
        if columns == 2 and numbers:
            raise ValueError(
                "expected classes by number, got an array of zeros and ones in two columns, which may be one-"
                "hot labels or list both classes: y=labels.argmax(axis=1) explains the class that a label "
                "names, target=ke.targets.Class(y) both"
            )
        if classes not in (columns, None):
            raise ValueError(
                f"expected one-hot labels of the {classes} classes of the model, or classes by number, in y, "
                f"got zeros and ones of shape {y.shape}"
            )
        ones = y.sum(axis=1)
        if not (ones == 1).all():
            image = np.flatnonzero(ones != 1)[0]
            raise ValueError(
                f"expected one-hot labels, or classes by number, in y, got {int(ones[image])} classes of "
                f"image {image} as zeros and ones: y=[[3, 5], ...] lists classes, top= takes the highest"
            )
        return np.argmax(y, axis=1)
    return y.astype(np.int64)


def top_classes(logits: tf.Tensor, top: int = 1) -> tf.Tensor:
    """Finds the classes of the greatest logits; of equal ones the first.

    Args:
        logits: The logits, (batch, classes).
        top: How many classes.

    Returns:
        The classes, (batch, top), the highest first.

    Raises:
        ValueError: If there are not so many classes.

    Example:
        >>> top_classes(tf.constant([[1.0, 3.0, 2.0]]), top=2).numpy().tolist()
        [[1, 2]]
    """
    check_top(top, logits.shape[-1])
    return tf.math.top_k(logits, top).indices


def check_top(top: int, classes: int | None) -> None:
    """Checks how many of the top classes are to be explained.

    Args:
        top: How many.
        classes: How many the model has, where that is known.

    Raises:
        ValueError: If there are not so many classes.

    Example:
        >>> check_top(2, classes=10)
    """
    if top < 1 or (classes is not None and top > classes):
        raise ValueError(f"expected top from 1 to the {classes} classes of the model, got {top}")


def gather(outputs: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Takes the logits of some classes, others for each image.

    Args:
        outputs: All logits, (batch, classes).
        classes: Which to take, (batch, K), or (1, K) for all images.

    Returns:
        The logits, (batch, K).

    Raises:
        tf.errors.InvalidArgumentError: When it is run, if a class is beyond the last or negative.

    Example:
        >>> gather(tf.constant([[1, 2], [3, 4]]), tf.constant([[1], [0]])).numpy().tolist()
        [[2], [3]]
    """
    classes = within(classes, tf.shape(outputs)[-1])
    if classes.shape[0] == 1 and outputs.shape[0] != 1:
        classes = tf.broadcast_to(classes, [tf.shape(outputs)[0], tf.shape(classes)[1]])
    return tf.gather(outputs, classes, axis=-1, batch_dims=-1)


def within(indices: tf.Tensor, count: tf.Tensor | int, what: str = "classes within the logits") -> tf.Tensor:
    """Checks indices when they are used: on a GPU a gather beyond the end gives 0, and no error.

    Args:
        indices: The indices.
        count: How many there are to choose from.
        what: What was expected.

    Returns:
        The same indices.

    Raises:
        tf.errors.InvalidArgumentError: When it is run, if one is beyond the last or negative.

    Example:
        >>> within(tf.constant([0, 1]), 2).numpy().tolist()
        [0, 1]
    """
    last = tf.cast(count - 1, indices.dtype)
    checks = [
        tf.debugging.assert_less_equal(indices, last, f"expected {what}"),
        tf.debugging.assert_non_negative(indices, f"expected {what}, from 0"),
    ]
    # Before TensorFlow's own check in the gather, whose message tells less.
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.identity(indices)
