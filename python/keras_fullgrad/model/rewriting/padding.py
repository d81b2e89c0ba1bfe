"""Pads in the convolution: a padding layer before it takes a pass over memory forward, and one back."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from keras_fullgrad.model.listening import Application

_PADDINGS = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
_CONVOLUTIONS = (
    *(layers.Conv1D, layers.Conv2D, layers.Conv3D),
    *(layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.SeparableConv1D, layers.SeparableConv2D),
)


class Same:
    """A convolution as its ``call`` sees it, which pads by itself.

    Args:
        layer: The layer.

    Example:
        >>> layer = keras.layers.Conv2D(2, 3)
        >>> type(layer).call(Same(layer), layer(tf.ones([1, 8, 8, 3]))[..., :1] * tf.ones(3)).shape
        TensorShape([1, 6, 6, 2])
    """

    padding = "same"

    def __init__(self, layer: keras.Layer) -> None:
        self._layer = layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolves."""
        return type(self._layer).convolution_op(self, inputs, kernel)


def unpadded(applications: Sequence[Application], layer: keras.Layer, inputs: tf.Tensor) -> tf.Tensor | None:
    """Finds what to give a convolution that pads by itself, with the same windows.

    Args:
        applications: The calls of layers so far.
        layer: The convolution.
        inputs: What it is called with.

    Returns:
        What the padding layer before it took in; None where there is none, or where it pads otherwise than
        ``padding="same"`` does.

    Example:
        >>> x = tf.ones([1, 8, 8, 3])
        >>> pad = keras.layers.ZeroPadding2D(((0, 1), (0, 1)))
        >>> made = pad(x)
        >>> seen = [Application(pad, x, made, made, made)]
        >>> unpadded(seen, keras.layers.Conv2D(2, 3, strides=2), made) is x
        True
    """
    if type(layer) not in _CONVOLUTIONS or layer.padding != "valid":
        return None
    before = next((a for a in reversed(applications) if a.output is inputs), None)
    if before is None or type(before.layer) not in _PADDINGS or before.made is not inputs:
        return None
    formats = {getattr(each, "data_format", "channels_last") for each in (before.layer, layer)}
    padded = before.layer.padding
    padded = [padded] if isinstance(before.layer, layers.ZeroPadding1D) else padded
    first = 2 if formats == {"channels_first"} else 1
    sizes = before.input.shape[first : first + len(padded)]
    windows = zip(sizes, padded, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    return before.input if len(formats) == 1 and all(_as_same(*each) for each in windows) else None


def _as_same(size: int | None, padded: tuple[int, int], window: int, stride: int, dilation: int) -> bool:
    """Whether windows along one axis lie where ``padding="same"`` would lay them."""
    reach = (window - 1) * dilation
    if size is None:  # Where the first lies then depends on the size, unless there is one for each position.
        return stride == 1 and padded == (reach // 2, reach - reach // 2)
    count = -(-size // stride)
    missing = max((count - 1) * stride + reach + 1 - size, 0)
    return padded[0] == missing // 2 and (size + sum(padded) - reach - 1) // stride + 1 == count
