"""Filters of a signal: a rectifier, then a rescale, over the axes that hold positions.

Each takes a tensor and the axes of its positions, and can be the ``psi`` of
:func:`keras_fullgrad.full_gradients` or the ``postprocessing`` of
:func:`keras_fullgrad.explain.explain`. Those listed in :data:`NATIVE` run inside the native op.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

SPATIAL_AXIS = (-3, -2)
"""Height and width of a batch of images, channels last."""

Filter = Callable[..., tf.Tensor]


def normalize(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Rescales each image and channel to [0, 1]: ``(x - min) / (max - min)``, 0 where max = min.

    Args:
        x: The signal, (batch, space, channels) for the default axis.
        axis: The axes that hold positions.

    Returns:
        The rescaled signal, of the shape of ``x``.

    Example:
        >>> normalize(tf.constant([[[[1.0], [3.0]], [[2.0], [5.0]]]])).numpy().ravel().tolist()
        [0.0, 0.5, 0.25, 1.0]
    """
    x = tf.convert_to_tensor(x)
    x -= tf.reduce_min(x, axis=axis, keepdims=True)
    return tf.math.divide_no_nan(x, tf.reduce_max(x, axis=axis, keepdims=True))


def normalize_per_sample(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Rescales each image as the FullGrad authors do: ``(x - min) / (max(x - min) + 1e-6)``.

    Minimum and maximum are taken over all positions and channels of one image.

    Args:
        x: The signal, with the batch as its first axis.
        axis: Not used, since all axes but the batch count; there so that filters are called alike.

    Returns:
        The rescaled signal, of the shape of ``x``.

    Example:
        >>> round(float(normalize_per_sample(tf.constant([[[[1.0, 9.0]]]])).numpy().max()), 3)
        1.0
    """
    del axis
    x = tf.convert_to_tensor(x)
    everything = range(1, x.shape.rank)
    x -= tf.reduce_min(x, axis=everything, keepdims=True)
    return x / (tf.reduce_max(x, axis=everything, keepdims=True) + 1e-6)


def absolute(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Takes absolute values: ``|x|``.

    Args:
        x: The signal.
        axis: Not used; there so that filters are called alike.

    Returns:
        The filtered signal, of the shape of ``x``.

    Example:
        >>> absolute(tf.constant([-2.0, 3.0])).numpy().tolist()
        [2.0, 3.0]
    """
    del axis
    return tf.abs(x)


def positive(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Retains positive values: ``max(x, 0)``.

    Args:
        x: The signal.
        axis: Not used; there so that filters are called alike.

    Returns:
        The filtered signal, of the shape of ``x``.

    Example:
        >>> positive(tf.constant([-2.0, 3.0])).numpy().tolist()
        [0.0, 3.0]
    """
    del axis
    x = tf.convert_to_tensor(x)
    return tf.maximum(x, tf.zeros([], x.dtype))


def negative(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Retains negative values: ``min(x, 0)``.

    Args:
        x: The signal.
        axis: Not used; there so that filters are called alike.

    Returns:
        The filtered signal, of the shape of ``x``.

    Example:
        >>> negative(tf.constant([-2.0, 3.0])).numpy().tolist()
        [-2.0, 0.0]
    """
    del axis
    x = tf.convert_to_tensor(x)
    return tf.minimum(x, tf.zeros([], x.dtype))


def identity(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Leaves the signal, signs and all, as it is.

    Args:
        x: The signal.
        axis: Not used; there so that filters are called alike.

    Returns:
        The signal.

    Example:
        >>> identity(tf.constant([-2.0, 3.0])).numpy().tolist()
        [-2.0, 3.0]
    """
    del axis
    return tf.convert_to_tensor(x)


def absolute_normalize(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Takes absolute values, then :func:`normalize`: the default ``psi``."""
    return normalize(absolute(x), axis)


def positive_normalize(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Retains positive values, then :func:`normalize`."""
    return normalize(positive(x), axis)


def negative_normalize(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Retains negative values, then :func:`normalize`."""
    return normalize(negative(x), axis)


def absolute_normalize_per_sample(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Takes absolute values, then :func:`normalize_per_sample`: the authors' ``psi``."""
    return normalize_per_sample(absolute(x), axis)


def positive_normalize_per_sample(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Retains positive values, then :func:`normalize_per_sample`."""
    return normalize_per_sample(positive(x), axis)


def negative_normalize_per_sample(x: tf.Tensor, axis: Sequence[int] = SPATIAL_AXIS) -> tf.Tensor:
    """Retains negative values, then :func:`normalize_per_sample`."""
    return normalize_per_sample(negative(x), axis)


NATIVE: dict[Filter, tuple[str, str]] = {
    absolute: ("absolute", "none"),
    positive: ("positive", "none"),
    negative: ("negative", "none"),
    identity: ("identity", "none"),
    absolute_normalize: ("absolute", "per_channel"),
    positive_normalize: ("positive", "per_channel"),
    negative_normalize: ("negative", "per_channel"),
    normalize: ("identity", "per_channel"),
    absolute_normalize_per_sample: ("absolute", "per_sample"),
    positive_normalize_per_sample: ("positive", "per_sample"),
    negative_normalize_per_sample: ("negative", "per_sample"),
    normalize_per_sample: ("identity", "per_sample"),
}
"""The rectifier and the rescale, in the native op's words, of each filter that it knows."""

ALIASES: dict[Callable[..., tf.Tensor], Filter] = {
    tf.abs: absolute,
    tf.nn.relu: positive,
    tf.identity: identity,
}
"""TensorFlow's own names for filters; their second parameter is not an axis."""
