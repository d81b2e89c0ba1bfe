"""Computes convolutions of one channel a group as depthwise ones: the same sums, by a kernel made for them.

ConvNeXt of keras.applications is written with ``Conv2D(groups=channels)``, and most of its time goes there
(``docs/speed.md`` has the figures).
"""

from typing import Any

import keras
import tensorflow as tf


class Depthwise:
    """A convolution as its ``call`` sees it, which it computes as a depthwise one.

    Args:
        layer: The layer, one that :func:`is_depthwise`.

    Example:
        >>> layer = keras.layers.Conv2D(4, 3, groups=4)
        >>> x = tf.random.stateless_normal([1, 8, 8, 4], [1, 2])
        >>> bool(np.allclose(layer(x), type(layer).call(Depthwise(layer), x), atol=1e-6))
        True
    """

    def __init__(self, layer: keras.layers.Conv2D) -> None:
        self._layer = layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolves each channel by its own kernels."""
        return convolve(self._layer, inputs, kernel)


def is_depthwise(layer: keras.Layer) -> bool:
    """Tells whether a layer is a convolution that TensorFlow can compute as a depthwise one.

    Args:
        layer: The layer, built.

    Returns:
        Whether it is a ``Conv2D``, and of no other class, of one channel a group.

    Example:
        >>> layer = keras.layers.Conv2D(8, 3, groups=4)
        >>> layer.build([None, 8, 8, 4])
        >>> is_depthwise(layer)
        True
    """
    if type(layer) is not keras.layers.Conv2D:
        return False
    one_channel = layer.groups > 1 and layer.kernel.shape[-2] == 1
    even = len(set(layer.strides)) == 1  # All that TensorFlow has.
    steps_or_gaps = set(layer.strides) == {1} or set(layer.dilation_rate) == {1}
    return one_channel and even and steps_or_gaps and layer.data_format == "channels_last"


def convolve(layer: keras.layers.Conv2D, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves each channel by its own kernels.

    Args:
        layer: The layer, one that :func:`is_depthwise`.
        inputs: (batch, height, width, channels).
        kernel: (height, width, 1, filters), as a grouped convolution has it: those of each channel together.

    Returns:
        (batch, height, width, filters).

    Example:
        >>> layer = keras.layers.Conv2D(4, 3, groups=2)
        >>> convolve(layer, tf.ones([1, 8, 8, 2]), tf.ones([3, 3, 1, 4])).shape
        TensorShape([1, 6, 6, 4])
    """
    kernel = tf.convert_to_tensor(kernel)
    height, width, _, filters = kernel.shape
    return tf.nn.depthwise_conv2d(
        inputs,
        tf.reshape(kernel, [height, width, layer.groups, filters // layer.groups]),
        strides=[1, *layer.strides, 1],
        padding=layer.padding.upper(),
        dilations=layer.dilation_rate,
    )
