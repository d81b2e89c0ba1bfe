"""A signal times a factor for each image and channel, as squeeze-and-excite has it, and both gradients."""

import tensorflow as tf

from keras_fullgrad.native import loading

OP = f"{loading.OPS}Scale"
"""The op's name in graphs."""


def scale(x: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies each channel of each image by a factor.

    Args:
        x: (batch, space, channels), of float16, bfloat16, float32 or float64.
        factor: (batch, 1, ..., channels), of the same type.

    Returns:
        The product, like ``x``.

    Raises:
        RuntimeError: If there is no native library.
        tf.errors.InvalidArgumentError: If the factor is of another shape.

    Example:
        >>> scale(tf.ones([1, 2, 2, 3]), 2 * tf.ones([1, 1, 1, 3]))[0, 0, 0].numpy().tolist()
        [2.0, 2.0, 2.0]
    """
    return loading.library().keras_fullgrad_scale(x, factor)


def is_per_channel(factor: tf.Tensor, x: tf.Tensor) -> bool:
    """Tells whether one tensor has a value for each image and channel of another.

    Args:
        factor: The one.
        x: The other, (batch, space, channels).

    Returns:
        Whether it is (batch, 1, ..., channels), as far as shapes are known.

    Example:
        >>> is_per_channel(tf.ones([2, 1, 1, 3]), tf.ones([2, 4, 4, 3]))
        True
    """
    if factor.dtype != x.dtype or None in (factor.shape.rank, x.shape.rank) or x.shape.rank < 3:
        return False
    (batch, *space, channels), of_x = factor.shape.as_list(), x.shape.as_list()
    return len(of_x) == len(factor.shape) and (
        (batch, channels) == (of_x[0], of_x[-1]) and channels is not None and set(space) == {1}
    )


@tf.RegisterGradient(OP)
def _gradients(op: tf.Operation, behind: tf.Tensor) -> list[tf.Tensor]:
    x, factor = op.inputs
    return [scale(behind, factor), loading.library().keras_fullgrad_sums_of_products(x, behind)]


loading.refuse_gradient(f"{loading.OPS}SumsOfProducts", "the gradient of a factor")
