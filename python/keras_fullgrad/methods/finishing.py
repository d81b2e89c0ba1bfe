"""What is done to maps when they are drawn: a filter, the size wanted, NaN where there is nothing to see."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps import filters, reference
from keras_fullgrad.terms.positions import axis_of_channels, size_along


def finished(
    found: Explanation,
    inputs: Any,
    source: tf.Tensor,
    postprocessing: filters.Filter | None,
    resizing: bool | Sequence[int] | None,
    channels_first: bool,
) -> Explanation:
    """Brings what a method returned to what a user asked for.

    Args:
        found: The explanation, tensors.
        inputs: The model's inputs.
        source: The input that the maps are drawn over.
        postprocessing: A filter of the maps. None: none.
        resizing: True: to the size of ``source``; a size: to that; False or None: not.
        channels_first: Whether the channels of ``source`` come before its positions, where maps of another
            size and a net without convolutions do not tell.

    Returns:
        The explanation, of types that NumPy has, with maps of NaN where the image or its logit is not finite.

    Example:
        >>> def resized(x):
        ...     found = Explanation(logits=tf.ones([1, 1]), maps=tf.ones([1, 4, 4, 1]))
        ...     return finished(found, x, x, None, True, False).maps
        >>> tf.function(resized)(tf.ones([1, 8, 8, 3])).shape
        TensorShape([1, 8, 8, 1])
    """
    if postprocessing is not None:
        maps = found.maps
        maps = postprocessing(maps, axis=tuple(range(1, maps.shape.rank - 1)))
        found = found.with_parts(lambda _: maps, "maps")
    if resizing is not None and resizing is not False:
        size = _size_of(source, found.maps, channels_first) if resizing is True else resizing
        found = found.with_parts(lambda maps: resized(maps, size), "maps", "terms")
    useless = _not_finite(inputs, found.logits)
    found = found.with_parts(lambda maps: _nan_where(useless, maps), "maps", "terms")
    return found.with_parts(_as_usual)


def _not_finite(inputs: Any, logits: tf.Tensor) -> tf.Tensor:
    """Tells which images hold NaN or infinity, or lead to logits that do, (images,)."""
    finite = [
        tf.reduce_all(tf.math.is_finite(tensor), axis=list(range(1, tensor.shape.rank)))
        for tensor in (*keras.tree.flatten(inputs), logits)
        if tensor.dtype.is_floating
    ]
    return ~tf.reduce_all(tf.stack(finite), axis=0)


def _nan_where(useless: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Maps of NaN in place of those that a filter would have made of NaN, which may look like any other."""
    rows = tf.reshape(useless, [-1, *[1] * (maps.shape.rank - 1)])
    return tf.where(rows, tf.constant(float("nan"), maps.dtype), maps)


def _size_of(source: tf.Tensor, maps: tf.Tensor, channels_first: bool) -> Sequence[int] | tf.Tensor:
    """The size of the input; where its channels are, the map tells if it is as large, else a convolution."""
    for size in (source.shape[2:], source.shape[1:-1]):
        if size.is_fully_defined() and size == maps.shape[1:-1]:
            return size
    axis = axis_of_channels(source)
    if axis is None:
        axis = 1 if channels_first else source.shape.rank - 1
    space = [each for each in range(1, source.shape.rank) if each != axis]
    return size_along(source, space)


def resized(maps: tf.Tensor, size: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """Resizes maps, (batch, space, K), by linear interpolation with half-pixel centres."""
    known = tf.get_static_value(size) if isinstance(size, tf.Tensor) else size
    if known is not None and tuple(maps.shape[1:-1]) == tuple(known):
        return maps
    for axis, wanted in enumerate(tf.unstack(tf.cast(size, tf.int32)), 1):
        maps = reference.resize_axis(maps, axis, wanted, "half_pixel")
    return maps


def _as_usual(part: tf.Tensor) -> tf.Tensor:
    """A part in a type that NumPy has itself."""
    return tf.cast(part, tf.float32) if part.dtype in (tf.float16, tf.bfloat16) else part
