"""Activations, and the gradients before them, each in one pass over memory.

TensorFlow computes those that are made of several operations one operation after another. Keras's own
functions are the specification of these here: values and gradients are held to them.
"""

from collections.abc import Iterator
from typing import Literal

import tensorflow as tf

from keras_fullgrad.native import loading, scaling

OP = f"{loading.OPS}Activate"
"""The op's name in graphs."""

Activation = Literal["silu", "hard_silu", "gelu", "gelu_tanh"]


def activate(x: tf.Tensor, activation: Activation) -> tf.Tensor:
    """Computes an activation; the gradient before it is computed natively too.

    Args:
        x: A tensor of float16, bfloat16, float32 or float64; 16 bits are computed in float32.
        activation: Which: ``silu``, ``hard_silu``, ``gelu``, or ``gelu_tanh``, its approximation.

    Returns:
        The values, a tensor like ``x``.

    Raises:
        RuntimeError: If there is no native library.
        LookupError: If the gradient's gradient is asked for.

    Example:
        >>> float(activate(tf.constant(3.0), "hard_silu"))
        3.0
    """
    return loading.library().keras_fullgrad_activate(x, activation=activation)


@tf.RegisterGradient(OP)
def _gradient(op: tf.Operation, behind: tf.Tensor) -> tf.Tensor:
    (x,) = op.inputs
    branches = [(behind, None)] if tf.executing_eagerly() else list(_branches(behind, x))
    return loading.library().keras_fullgrad_activate_grad(
        x,
        [gradient for gradient, _ in branches],
        [factor for _, factor in branches if factor is not None],
        activation=op.get_attr("activation"),
        has_factor=[factor is not None for _, factor in branches],
    )


def _branches(behind: tf.Tensor, x: tf.Tensor) -> Iterator[tuple[tf.Tensor, tf.Tensor | None]]:
    """The gradients that were added up to the one behind a signal, each with a factor that it was scaled by.

    So that what they are made of is read once, and neither a product nor the sum is written.
    """
    if loading.sees_gpus():  # The kernel there takes one.
        yield behind, None
        return
    for part in behind.op.inputs if behind.op.type == "AddN" else [behind]:
        if part.op.type == scaling.OP:
            yield part.op.inputs[0], part.op.inputs[1]
        elif part.op.type == "BroadcastTo" and scaling.is_per_channel(part.op.inputs[0], x):
            yield part.op.inputs[0], None
        else:
            yield part, None


loading.refuse_gradient(f"{OP}Grad", "the gradient of a native activation")
