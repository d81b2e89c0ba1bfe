"""The map in plain TensorFlow, written to be read: the specification of the native op.

Every native path is held to this module, which also runs where there is no native library, for
any ``psi`` that the native op does not know, and as the benchmarks' rival.
"""

from collections.abc import Sequence

import tensorflow as tf

from keras_fullgrad.maps.filters import Filter, absolute_normalize


def saliency_map(
    gradients: Sequence[tf.Tensor],
    weights: Sequence[tf.Tensor],
    size: tf.Tensor | Sequence[int],
    *,
    psi: Filter = absolute_normalize,
    channels: str = "mean",
    resize: str = "half_pixel",
    layout: str = "channels_last",
) -> tf.Tensor:
    """Sums weighted gradients into maps: ``sum over terms of resize(reduce(psi(weight * gradient)))``.

    Args:
        gradients: One tensor for each term, (batch, space, channels) for ``channels_last``,
            (batch, channels, space) for ``channels_first``; 1 to 3 spatial dimensions.
        weights: One tensor for each term: (channels,), or of the gradient's shape.
        size: The spatial size of the maps.
        psi: The filter of each term, called with the term and its spatial axes.
        channels: ``mean`` or ``sum``.
        resize: ``half_pixel`` or ``aligned_corners``.
        layout: ``channels_last`` or ``channels_first``.

    Returns:
        The maps, (batch, size), in float64 where a gradient is, in float32 elsewhere.

    Example:
        >>> saliency_map([tf.ones([2, 4, 4, 3])], [tf.ones([3])], [8, 8]).shape
        TensorShape([2, 8, 8])
    """
    wide = any(gradient.dtype == tf.float64 for gradient in gradients)
    dtype = tf.float64 if wide else tf.float32
    spatial_rank = gradients[0].shape.rank - 2
    size = tf.convert_to_tensor(size)
    channel_axis = -1 if layout == "channels_last" else 1
    spatial_axis = tuple(range(1, spatial_rank + 1) if channel_axis == -1 else range(2, spatial_rank + 2))
    reduce = tf.reduce_mean if channels == "mean" else tf.reduce_sum

    maps = []
    for gradient, weight in zip(gradients, weights, strict=True):
        gradient, weight = tf.cast(gradient, dtype), tf.cast(weight, dtype)
        if weight.shape.rank == 1 and channel_axis == 1:
            weight = tf.reshape(weight, [-1] + [1] * spatial_rank)
        term_map = reduce(psi(weight * gradient, spatial_axis), axis=channel_axis)
        for axis in range(spatial_rank):
            term_map = resize_axis(term_map, axis + 1, size[axis], resize)
        maps.append(term_map)
    return tf.add_n(maps)


def resize_axis(x: tf.Tensor, axis: int, target: tf.Tensor, resize: str) -> tf.Tensor:
    """Resizes one axis by linear interpolation.

    Target position p lies at ``(2 p + 1) source / (2 target) - 1/2`` of the source with half-pixel
    centres, at ``p (source - 1) / (target - 1)`` with aligned corners; outside the source, the
    nearest position counts.

    Args:
        x: The tensor.
        axis: The axis to resize.
        target: Its new size.
        resize: ``half_pixel`` or ``aligned_corners``.

    Returns:
        The resized tensor.

    Example:
        >>> resize_axis(tf.constant([0.0, 1.0]), 0, tf.constant(3), "aligned_corners").numpy().tolist()
        [0.0, 0.5, 1.0]
    """
    source = tf.cast(tf.shape(x)[axis], tf.int64)
    target = tf.cast(target, tf.int64)
    position = tf.range(target)
    if resize == "half_pixel":
        numerator, denominator = tf.maximum((2 * position + 1) * source - target, 0), 2 * target
    else:
        numerator, denominator = position * (source - 1), tf.maximum(target - 1, 1)
    lower = tf.minimum(numerator // denominator, source - 1)
    upper = tf.minimum(lower + 1, source - 1)
    fraction = tf.where(lower == upper, tf.zeros([], tf.float64), (numerator % denominator) / denominator)
    fraction = tf.reshape(tf.cast(fraction, x.dtype), [-1] + [1] * (x.shape.rank - axis - 1))

    below, above = tf.gather(x, lower, axis=axis), tf.gather(x, upper, axis=axis)
    # A position that lies on a source position takes nothing from its neighbour, not even a NaN.
    return tf.where(fraction == 0, below, below + (above - below) * fraction)
