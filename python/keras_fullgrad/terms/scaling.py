"""Gradients in float16, scaled on their way back so that they do not vanish.

The smallest number of float16 is 6e-8, and gradients of a deep net are smaller. A backward pass is linear: at
a tensor that all goes through which depends on the input, the gradient may be multiplied by a power of two,
and all gradients before it are then too. Between two such tensors, as between the blocks of a residual net,
the numbers of float16 suffice.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from keras_fullgrad.terms.path import path

_SIZE = 2.0**4  # What the largest gradient at a cut is brought to: 2^12 times that can still be told.
_OPERATIONS = 16  # At least so many from one cut to the next.


class Gradient(NamedTuple):
    """A gradient.

    Attributes:
        tensor: The gradient, times the scale.
        scale: A power of two, float32; None: 1.
    """

    tensor: tf.Tensor
    scale: tf.Tensor | None = None

    def unscaled(self) -> tf.Tensor:
        """The gradient itself; of one that was scaled in float32."""
        return self.tensor if self.scale is None else tf.cast(self.tensor, tf.float32) / self.scale


def differentiate(
    target: tf.Tensor, signals: Sequence[tf.Tensor], inputs: Sequence[tf.Tensor], start: tf.Tensor
) -> list[Gradient | None]:
    """Differentiates by signals, with scales that keep the gradients within float16.

    Args:
        target: What is differentiated, in a graph.
        signals: What by.
        inputs: The model's inputs, which all signals depend on.
        start: The gradient at the target.

    Returns:
        The gradient at each signal; None where the target does not depend on it.

    Example:
        >>> def small(x):
        ...     y = tf.cast(x, tf.float16)
        ...     for _ in range(60):
        ...         y = y * 0.5
        ...     gradient, = differentiate(y, [x], [x], tf.ones_like(y))
        ...     return gradient.tensor / gradient.scale
        >>> float(tf.function(small, autograph=False)(tf.ones([1]))[0] * 2.0**60)
        1.0
    """
    order = {op: index for index, op in enumerate(target.graph.get_operations())}
    at = [order[signal.op] for signal in signals]
    found: list[Gradient | None] = [None] * len(signals)
    end, gradient, scale = target, start, tf.constant(1.0)
    for cut in [*reversed(_cuts(target, inputs)), None]:
        first = -1 if cut is None else order[cut.op]
        here = [i for i in range(len(signals)) if first < at[i] <= order[end.op]]
        sources = [signals[i] for i in here] + ([] if cut is None else [cut])
        results = tf.gradients(end, sources, gradient) if sources else []
        for i, result in zip(here, results, strict=False):
            found[i] = None if result is None else Gradient(result, scale)
        if cut is not None:
            end, (gradient, scale) = cut, _scaled(results[-1], scale)
    return found


def _scaled(gradient: tf.Tensor, scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The gradient times a power of two, and all that it was multiplied by so far."""
    largest = tf.reduce_max(tf.abs(tf.cast(gradient, tf.float32)))
    usual = tf.math.is_finite(largest) & (largest > 0)
    exponent = tf.round(tf.experimental.numpy.log2(_SIZE / tf.where(usual, largest, _SIZE)))
    factor = tf.pow(2.0, exponent)
    return tf.cast(tf.cast(gradient, tf.float32) * factor, gradient.dtype), scale * factor


def _cuts(target: tf.Tensor, inputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Tensors between inputs and target, in their order, that all that depends on the inputs goes through."""
    cuts, since = [], 0
    for step in path(target, inputs):
        since += 1
        if step.alone and step.tensor is not target and since >= _OPERATIONS:
            cuts.append(step.tensor)
            since = 0
    return cuts
