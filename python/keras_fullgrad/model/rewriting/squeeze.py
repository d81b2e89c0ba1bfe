"""Squeeze-and-excite: what goes back to a signal that is pooled, and scaled by what comes of that.

TensorFlow writes the gradient of the product, that of the mean at all positions, and their sum. Here the
activation before the signal reads what they are made of (`native.activations`), and none of them is written.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from keras_fullgrad.native import loading, scaling


def compute(layer: keras.Layer, inputs: Any) -> tf.Tensor | None:
    """Computes a mean over positions, or a product with one value for each image and channel.

    Args:
        layer: The layer that is called.
        inputs: What it is called with.

    Returns:
        Its output; None where it is another layer, or the signals are others.

    Example:
        >>> compute(keras.layers.Multiply(), [tf.ones([1, 2, 2, 3]), tf.ones([1, 1, 1, 3])]).shape
        TensorShape([1, 2, 2, 3])
        >>> compute(keras.layers.Multiply(), [tf.ones([1, 2, 2, 3]), tf.ones([1, 2, 2, 1])]) is None
        True
    """
    if type(layer) is layers.Multiply:
        return _product(*inputs) if isinstance(inputs, (list, tuple)) and len(inputs) == 2 else None
    if type(layer) is layers.GlobalAveragePooling2D and layer.data_format == "channels_last":
        if inputs.dtype not in loading.TYPES:
            return None
        mean = _mean(inputs)
        return mean if layer.keepdims else tf.squeeze(mean, [1, 2])
    return None


def _product(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor | None:
    if one.dtype not in loading.TYPES:
        return None
    if scaling.is_per_channel(other, one):
        return scaling.scale(one, other)
    return scaling.scale(other, one) if scaling.is_per_channel(one, other) else None


@tf.custom_gradient
def _mean(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """The mean over positions. What goes back is the same at all of them, which the graph is to tell."""

    def back(behind: tf.Tensor) -> tf.Tensor:
        positions = tf.shape(x)[1] * tf.shape(x)[2]
        wide = tf.cast(behind, tf.float32) if x.dtype.size == 2 else behind
        shared = tf.cast(wide / tf.cast(positions, wide.dtype), x.dtype)
        return tf.broadcast_to(shared, tf.shape(x))

    return keras.ops.mean(x, [1, 2], keepdims=True), back
