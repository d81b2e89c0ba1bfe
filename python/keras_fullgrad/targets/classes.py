"""Classes: as people have them, and the logits of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Labels = Sequence[str] | bool
"""The names of a model's classes, by which labels are given; or whether labels that data holds are used."""


def as_classes(y: Any | None, images: int, labels: Labels = True) -> np.ndarray | None:
    """Brings classes to the shape (images, K), and checks them.

    Args:
        y: Classes: (images, K), (images,), one for all images, or None. One-hot labels, (images, classes),
            stand for one class each.
        images: How many images there are.
        labels: The names of the classes, where they are given by name.

    Returns:
        The classes, or None.

    Raises:
        ValueError: If classes and images are not as many, a class is negative, or zeros and ones name
            several.
        TypeError: If classes are not whole numbers.

    Example:
        >>> as_classes(3, images=2).tolist()
        [[3], [3]]
    """
    if y is None:
        return None
    y = np.asarray(y)
    y = _by_name(y, labels) if y.dtype.kind in "OSU" else _whole(y)
    if y.ndim == 0:
        y = np.full([images], y)
    if y.ndim == 1:
        y = y[:, np.newaxis]
    if y.ndim != 2 or len(y) != images or y.shape[1] == 0:
        raise ValueError(f"expected y of shape ({images}, K) for {images} images, got {y.shape}")
    if y.min() < 0:
        raise ValueError(f"expected classes of 0 or more in y, got {y.min()}")
    return y


def _by_name(y: np.ndarray, labels: Labels) -> np.ndarray:
    """Classes of labels that are names."""
    if isinstance(labels, bool):
        raise TypeError(
            f"expected y to hold classes as integers, or labels= to name them, got {y.dtype.name} such as "
            f"{y.flat[0]!r}"
            if y.size
            else f"expected y to hold classes as integers, got {y.dtype.name}"
        )
    index = {name: number for number, name in enumerate(labels)}
    names = [each.decode() if isinstance(each, bytes) else each for each in y.ravel().tolist()]
    unknown = [name for name in names if name not in index]
    if unknown:
        raise ValueError(f"expected names of the {len(index)} labels in y, got {unknown[0]!r}")
    return np.array([index[name] for name in names], np.int64).reshape(y.shape)


def _whole(y: np.ndarray) -> np.ndarray:
    """Classes as integers; of one-hot labels the class of each image."""
    if y.dtype.kind not in "biuf":
        raise TypeError(f"expected y to hold classes as integers, got {y.dtype.name}")
    if y.size and not (np.isfinite(y).all() and (y == np.round(y)).all()):
        raise TypeError(f"expected y to hold classes as integers, got {y.dtype.name} that are not whole")
    if y.ndim == 2 and y.size and np.isin(y, [0, 1]).all():
        ones = y.sum(axis=1)
        # A list of classes names none twice, but lists of two may be of the classes 0 and 1 in either order.
        one_hot = (
            y.shape[1] > 2 or y.dtype.kind in "bf" or (y.shape[1] == 2 and len(np.unique(y, axis=0)) > 1)
        )
        if one_hot and y.shape[1] > 1:
            if not (ones == 1).all():
                image = np.flatnonzero(ones != 1)[0]
                raise ValueError(
                    f"expected one-hot labels, or classes by number, in y, got {int(ones[image])} classes of "
                    f"image {image} as zeros and ones: y=[[3, 5], ...] lists classes, top= takes the highest"
                )
            return np.argmax(y, axis=1)
    return y.astype(np.int64)


def as_one_class(y: Any | None, images: int) -> np.ndarray | None:
    """Takes one class for each image.

    Args:
        y: Classes: (images,), (images, 1), one for all images, or None.
        images: How many images there are.

    Returns:
        The classes, (images, 1), or None.

    Raises:
        ValueError: If there are not as many, or several for an image.
        TypeError: If they are not integers.

    Example:
        >>> as_one_class([3, 5], images=2).tolist()
        [[3], [5]]
    """
    classes = as_classes(y, images)
    if classes is not None and classes.shape[1] != 1:
        raise ValueError(f"expected one class for each image in y, got shape {classes.shape}")
    return classes


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
