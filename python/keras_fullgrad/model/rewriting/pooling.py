"""Poolings by the largest value, of which TensorFlow takes one value after another on the way back."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from keras_fullgrad.native import pooling


def compute(layer: keras.Layer, inputs: Any) -> tf.Tensor | None:
    """Computes a pooling by the largest value, with a gradient of this library's own.

    Args:
        layer: The layer that is called.
        inputs: What it is called with.

    Returns:
        Its output; None where it is another layer, or the signal of another type or layout.

    Example:
        >>> compute(keras.layers.MaxPooling2D(2), tf.ones([1, 4, 4, 3])).shape
        TensorShape([1, 2, 2, 3])
        >>> compute(keras.layers.AveragePooling2D(2), tf.ones([1, 4, 4, 3])) is None
        True
    """
    if type(layer) is not layers.MaxPooling2D or layer.data_format != "channels_last":
        return None
    if inputs.dtype not in (tf.float32, tf.float64):
        return None
    return pooling.max_pool(inputs, layer.pool_size, layer.strides, layer.padding.upper())
