"""Activations, and the gradients before them, each in one pass over memory.

TensorFlow computes those that are made of several operations one operation after another. Keras's own
functions are the specification of these here: values and gradients are held to them.
"""

from typing import Literal

import tensorflow as tf

from keras_fullgrad.native import loading

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
    library, reason = loading.load()
    if library is None:
        raise RuntimeError(f"native activations need the native library: {reason}")
    return library.keras_fullgrad_activate(x, activation=activation)


@tf.RegisterGradient(OP)
def _gradient(op: tf.Operation, behind: tf.Tensor) -> tf.Tensor:
    activation = op.get_attr("activation")
    return loading.load()[0].keras_fullgrad_activate_grad(op.inputs[0], behind, activation=activation)


@tf.RegisterGradient(f"{OP}Grad")
def _no_gradient(op: tf.Operation, behind: tf.Tensor) -> None:
    raise LookupError(
        f"expected no gradient of the gradient of a native {op.get_attr('activation').decode()}, which has "
        "none; with fold_batch_norms=False the model runs in TensorFlow's own operations, which have"
    )
