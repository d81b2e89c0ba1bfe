"""What layers amount to as affine maps: their biases, and where these run."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

NORMALIZATION_LAYERS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)


def has_bias(layer: keras.Layer) -> bool:
    """Tells whether a layer adds a bias: a weight of that name, or what a normalization amounts to.

    Args:
        layer: The layer, built.

    Returns:
        Whether :func:`bias` finds one.

    Example:
        >>> has_bias(keras.layers.ReLU())
        False
    """
    if isinstance(layer, keras.layers.Rescaling):
        return bool(np.any(layer.offset))
    return isinstance(layer, (*NORMALIZATION_LAYERS, keras.layers.Normalization)) or _is_weight(
        getattr(layer, "bias", None)
    )


def _is_weight(value: Any) -> bool:
    return isinstance(value, (keras.Variable, tf.Variable, tf.Tensor))


def bias(layer: keras.Layer, slope_of_norm: tf.Tensor | None = None) -> tf.Tensor:
    r"""Computes the bias that a layer adds to its linear part.

    That of a batch norm is :math:`\beta - \mu\gamma / \sqrt{\sigma^2 + \epsilon}`, with the layer's
    own :math:`\epsilon`; that of a layer or group norm, whose statistics belong to the image, is
    :math:`\beta`.

    Args:
        layer: The layer.
        slope_of_norm: The slope of a batch norm, if it is known already.

    Returns:
        The bias.

    Raises:
        ValueError: If the layer has no bias, or is not built.

    Example:
        >>> dense = keras.layers.Dense(3)
        >>> dense.build([None, 2])
        >>> bias(dense).numpy().tolist()
        [0.0, 0.0, 0.0]
    """
    if not layer.built:
        raise ValueError(f"expected layer '{layer.name}' to be built, got one that was never called")
    if isinstance(layer, keras.layers.BatchNormalization):
        shift = tf.convert_to_tensor(layer.moving_mean) * (
            slope(layer) if slope_of_norm is None else slope_of_norm
        )
        return tf.cast(layer.beta, shift.dtype) - shift if layer.center else -shift
    if isinstance(layer, keras.layers.Rescaling):
        return tf.reshape(tf.convert_to_tensor(layer.offset, layer.compute_dtype), [-1])
    if isinstance(layer, keras.layers.Normalization):
        return layer(tf.zeros_like(layer.mean))[0]
    if isinstance(layer, NORMALIZATION_LAYERS):
        if layer.center:
            return tf.convert_to_tensor(layer.beta)
        return tf.zeros(layer.gamma.shape if layer.scale else [1], layer.variable_dtype)
    if not has_bias(layer):
        raise ValueError(
            f"expected layer '{layer.name}' to have a bias, got {type(layer).__name__} without one"
        )
    return tf.convert_to_tensor(layer.bias)


def slope(norm: keras.layers.BatchNormalization) -> tf.Tensor:
    r"""The derivative of a batch norm at inference, :math:`\gamma / \sqrt{\sigma^2 + \epsilon}`.

    Args:
        norm: The batch norm, built.

    Returns:
        The derivative, (channels,).

    Example:
        >>> norm = keras.layers.BatchNormalization(epsilon=3.0)
        >>> norm.build([None, 2])
        >>> slope(norm).numpy().tolist()
        [0.5, 0.5]
    """
    slope = tf.math.rsqrt(tf.convert_to_tensor(norm.moving_variance) + norm.epsilon)
    # Within a call in mixed precision Keras hands out gamma and beta in the narrow type.
    return slope * tf.cast(norm.gamma, slope.dtype) if norm.scale else slope


def channel_axis(layer: keras.Layer) -> int:
    """Tells along which axis of its signal a layer's bias runs.

    Args:
        layer: The layer.

    Returns:
        The axis, as the layer counts it: -1 but for layers with channels first.

    Example:
        >>> channel_axis(keras.layers.Conv2D(4, 3, data_format="channels_first"))
        1
    """
    if isinstance(layer, NORMALIZATION_LAYERS):
        axis = layer.axis
        return axis if isinstance(axis, int) else axis[0] if len(axis) == 1 else -1
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def along_channels(layer: keras.Layer | None, vector: tf.Tensor, signal: tf.Tensor) -> tf.Tensor:
    """Shapes a vector of channels to be broadcast over a layer's signal.

    Args:
        layer: The layer. None: one whose channels are last.
        vector: (channels,); other shapes are taken to fit already.
        signal: The signal, (batch, ...).

    Returns:
        The vector, with an axis of 1 for each axis of the signal after that of the channels.

    Example:
        >>> conv = keras.layers.Conv2D(4, 3, data_format="channels_first")
        >>> along_channels(conv, tf.ones([4]), tf.ones([1, 4, 5, 5])).shape
        TensorShape([4, 1, 1])
    """
    rank = signal.shape.rank
    axis = -1 if layer is None else channel_axis(layer)
    if vector.shape.rank != 1 or not rank or axis % rank == rank - 1:
        return vector
    return tf.reshape(vector, [-1] + [1] * (rank - 1 - axis % rank))


def apply(layer: keras.Layer | None, slope: tf.Tensor, bias: tf.Tensor, signal: tf.Tensor) -> tf.Tensor:
    """Applies an affine map to each channel of a signal: ``slope * signal + bias``.

    Args:
        layer: The layer that does so. None: one whose channels are last.
        slope: (channels,).
        bias: (channels,).
        signal: The signal, (batch, ...).

    Returns:
        The signal that comes out, of the same shape.

    Example:
        >>> apply(None, tf.constant([2.0]), tf.constant([1.0]), tf.constant([[3.0]])).numpy().tolist()
        [[7.0]]
    """
    slope, bias = (along_channels(layer, vector, signal) for vector in (slope, bias))
    if signal.dtype == tf.float32 and signal.shape.rank == 4 and slope.shape.rank == 1:
        return _apply_in_one_pass(slope, bias, signal)
    return signal * slope + bias


@tf.custom_gradient
def _apply_in_one_pass(slope: tf.Tensor, bias: tf.Tensor, signal: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    # A product and a sum go over memory twice. For images TensorFlow has an operation that does both at once,
    # but its own gradient takes more passes than this one.
    output = tf.raw_ops.FusedBatchNormV3(
        x=signal,
        scale=slope,
        offset=bias,
        mean=tf.zeros_like(bias),
        variance=tf.ones_like(slope),
        epsilon=0.0,
        is_training=False,
    ).y

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        of_slope = tf.reduce_sum(upstream * signal, axis=[0, 1, 2])
        return of_slope, tf.reduce_sum(upstream, axis=[0, 1, 2]), upstream * slope

    return output, gradient
