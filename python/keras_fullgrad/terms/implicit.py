"""Implicit biases: what a layer that is not linear adds beyond its dependence on what it takes in."""

from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.model.exposing import ExposedModel
from keras_fullgrad.terms import forward_mode


def total_biases(model: ExposedModel, inputs: Any) -> list[tf.Tensor | None]:
    r"""Computes what is left of each signal without its dependence on the signals before, :math:`z - J z`.

    The Jacobian's product with the signals themselves is the derivative by a common factor of theirs,
    taken by forward-mode differentiation. Each signal goes on as a constant times that factor, so that
    no signal sees beyond those that it was computed from.

    Args:
        model: The model.
        inputs: Its inputs, tensors.

    Returns:
        For each signal, in the order in which `listening` meets them, its explicit and implicit biases. None
        for a signal that does not depend on the inputs, such as one made of positions: it is a bias of the
        layer that takes it in.

    Raises:
        NotImplementedError: If TensorFlow cannot differentiate an operation in forward mode.

    Example:
        >>> from keras_fullgrad.model.exposing import expose
        >>> dense = keras.layers.Dense(2, bias_initializer="ones")
        >>> model = keras.Sequential([keras.Input([3]), dense])
        >>> [total.numpy().tolist() for total in total_biases(expose(model), tf.zeros([1, 3]))]
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

        model.signals(keras.tree.map_structure(scaled, inputs), substitute=measure)
    return totals
