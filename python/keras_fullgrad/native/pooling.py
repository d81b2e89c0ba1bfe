"""Pooling by the largest value, whose gradient TensorFlow computes one value after another on CPUs."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_fullgrad.native import loading


def max_pool(x: tf.Tensor, window: Sequence[int], strides: Sequence[int], padding: str) -> tf.Tensor:
    """Takes the largest value of each window; what goes back goes to the first position that has it.

    Args:
        x: (batch, height, width, channels), of float32 or float64.
        window: The size of windows, (height, width).
        strides: From one window to the next.
        padding: ``SAME`` or ``VALID``.

    Returns:
        The largest values, (batch, windows, windows, channels).

    Raises:
        RuntimeError: If there is no native library and a gradient is asked for.

    Example:
        >>> x = tf.reshape(tf.range(4.0), [1, 2, 2, 1])
        >>> max_pool(x, [2, 2], [2, 2], "VALID").numpy().ravel().tolist()
        [3.0]
    """

    @tf.custom_gradient
    def pooled(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
        y = tf.nn.max_pool2d(x, window, strides, padding)

        def back(behind: tf.Tensor) -> tf.Tensor:
            options = {"window": list(window), "strides": list(strides), "padding": padding}
            return loading.library().keras_fullgrad_max_pool_grad(x, y, behind, **options)

        return y, back

    return pooled(x)


loading.refuse_gradient(f"{loading.OPS}MaxPoolGrad", "the gradient of a native max pooling")
