"""Implicit biases: what a layer that is not linear adds beyond its dependence on what it takes in."""

from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.model.exposing import ExposedModel
from keras_fullgrad.targets.target import Target
from keras_fullgrad.terms import forward_mode


def total_biases(
    model: ExposedModel, inputs: Any, target: Target, top: int = 1
) -> tuple[list[tf.Tensor | None], tf.Tensor | None]:
    r"""Computes what is left of each signal without its dependence on the signals before, :math:`z - J z`.

    The Jacobian's product with the signals themselves is the derivative by a common factor of theirs,
    taken by forward-mode differentiation. Each signal goes on as a constant times that factor, so that
    no signal sees beyond those that it was computed from.

    Args:
        model: The model.
        inputs: Its inputs, tensors.
        target: What is explained.
        top: How many classes, where the target is to find them.

    Returns:
        For each signal, in the order in which `listening` meets them, its explicit and implicit biases. None
        for a signal that does not depend on the inputs, such as one made of positions: it is a bias of the
        layer that takes it in. And that of what is explained, (batch, K): what a target that is not linear
        adds, and what the model computes after its last layer.

    Raises:
        NotImplementedError: If TensorFlow cannot differentiate an operation in forward mode.

    Example:
        >>> from keras_fullgrad.model.exposing import expose
        >>> from keras_fullgrad.targets import Class
        >>> dense = keras.layers.Dense(2, bias_initializer="ones")
        >>> model = keras.Sequential([keras.Input([3]), dense])
        >>> of_signals, _ = total_biases(expose(model), tf.zeros([1, 3]), Class(0))
        >>> [total.numpy().tolist() for total in of_signals]
        [[[0.0, 0.0, 0.0]], [[1.0, 1.0]]]
    """
    totals: list[tf.Tensor | None] = []
    factor = tf.constant(1.0)
    with forward_mode.accumulating(factor, tf.constant(1.0)) as accumulator:

        def scaled(signal: tf.Tensor) -> tf.Tensor:
            if not signal.dtype.is_floating:
                return signal
            return tf.stop_gradient(signal) * tf.cast(factor, signal.dtype)

        def measure(_: keras.Layer, signal: tf.Tensor) -> tf.Tensor:
            product = accumulator.jvp(signal)
            if product is None:
                totals.append(None)
                return signal
            totals.append(signal - product)
            return scaled(signal)

        inputs = keras.tree.map_structure(scaled, inputs)
        heard = model.signals(inputs, substitute=measure, output=target.output)
        values = target.explain(heard.outputs, top, heard.binary).values
        product = accumulator.jvp(values)
    return totals, None if product is None else values - product
