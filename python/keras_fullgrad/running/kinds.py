"""Kinds of data: arrays of any library, and what comes in batches."""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def is_stream(x: Any) -> bool:
    """Whether data comes in batches, as arrays do not, in lists and dictionaries neither.

    Args:
        x: The data.

    Returns:
        Whether it does.

    Example:
        >>> is_stream([np.ones([1, 3])]), is_stream(iter([np.ones([1, 3])]))
        (False, True)
    """
    return not all(map(_is_array, keras.tree.flatten(x)))


def _is_array(x: Any) -> bool:
    """Whether it is an array of NumPy or TensorFlow, or of anything else that NumPy can read by slices."""
    others = all(hasattr(x, name) for name in ("__array__", "__getitem__", "shape"))
    return isinstance(x, (np.ndarray, tf.Tensor)) or others


def as_array(x: Any) -> np.ndarray | tf.Tensor:
    """A part of an array, for what computes with it.

    Args:
        x: The part.

    Returns:
        NumPy's or TensorFlow's array.

    Example:
        >>> as_array(np.ones([1])).shape
        (1,)
    """
    return x if isinstance(x, (np.ndarray, tf.Tensor)) else np.asarray(x)


def check(x: Any) -> None:
    """Refuses names of files, and images of other libraries, which hold no array.

    Args:
        x: The data.

    Raises:
        TypeError: If it is such.

    Example:
        >>> check(np.ones([1, 8, 8, 3]))
    """
    for each in keras.tree.flatten(x):
        names = isinstance(each, (str, bytes, os.PathLike))
        text = isinstance(each, np.ndarray) and each.dtype.kind in "OSU"
        if names or text or (hasattr(each, "__array_interface__") and not _is_array(each)):
            raise TypeError(
                f"expected x to hold images as arrays, (images, height, width, channels), got "
                f"{type(each).__name__}{f' of {each.dtype}' if text else ''}: "
                "np.asarray(keras.utils.load_img(path, target_size=(224, 224)))[np.newaxis] reads one, to be "
                "preprocessed as the model takes it"
            )
