"""Computes activations of several operations in one pass over memory each way.

For SiLU TensorFlow takes two passes forward and six back (``docs/speed.md`` has the figures). ReLU and its
kin, ELU, tanh and the sigmoid take it one pass each way already.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.native import activations, loading

_KNOWN: dict[Callable[..., Any], activations.Activation] = {
    keras.activations.silu: "silu",
    keras.ops.silu: "silu",
    tf.nn.silu: "silu",
    keras.activations.hard_silu: "hard_silu",
    keras.ops.hard_silu: "hard_silu",
    keras.activations.gelu: "gelu",
    tf.nn.gelu: "gelu",
    keras.ops.gelu: "gelu_tanh",  # Which Keras approximates there by default.
}


def activate(function: Callable[..., Any], x: tf.Tensor) -> tf.Tensor | None:
    """Computes an activation natively.

    Args:
        function: The activation, as a layer has it.
        x: What it is called with.

    Returns:
        Its values; None where it is another one.

    Example:
        >>> float(activate(keras.activations.hard_silu, tf.constant(3.0)))
        3.0
        >>> activate(keras.activations.relu, tf.constant(3.0)) is None
        True
    """
    known = _known(function)
    if known is None or not isinstance(x, tf.Tensor) or x.dtype not in loading.TYPES:
        return None
    # TensorFlow rounds the constants of GELU to float32, in float64 too.
    if x.dtype == tf.float64 and known in ("gelu", "gelu_tanh"):
        return None
    return activations.activate(x, known)


def _known(function: Callable[..., Any]) -> activations.Activation | None:
    if isinstance(function, functools.partial):
        if _KNOWN.get(function.func) not in ("gelu", "gelu_tanh") or function.args:
            return None
        approximate = function.keywords.get("approximate")
        if set(function.keywords) != {"approximate"} or not isinstance(approximate, bool):
            return None
        return "gelu_tanh" if approximate else "gelu"
    try:
        return _KNOWN.get(function)
    except TypeError:  # Not hashable.
        return None
