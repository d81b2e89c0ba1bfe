"""Where a graph adds a weight: what shows whether a layer's bias is one, and which signal holds it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

_PASSED_ON = {"BroadcastTo", "Cast", "ExpandDims", "Identity", "ReadVariableOp", "Reshape", "Squeeze"}
_ADDED = {"Add", "AddV2", "BiasAdd"}


class Addition(NamedTuple):
    """A sum of a signal and a weight.

    Attributes:
        signal: The sum.
        bias: The weight, as it was added.
    """

    signal: tf.Tensor
    bias: tf.Tensor


def is_known(layer: keras.Layer) -> bool:
    """Tells whether a layer is one of Keras itself, which add what is called their bias.

    Args:
        layer: The layer.

    Returns:
        Whether its own class is.

    Example:
        >>> is_known(keras.layers.Dense(2))
        True
    """
    return type(layer).__module__.startswith("keras.")


def additions(graph: tf.Graph, weight: Any) -> list[Addition] | None:
    """Finds the sums that a weight is added in.

    Args:
        graph: The graph that a model was called in.
        weight: A variable.

    Returns:
        The sums, in their order. None where the weight goes elsewhere too, as a factor, or is not read in
        this graph itself: what it adds is then an implicit bias.

    Example:
        >>> bias = tf.Variable([1.0])
        >>> def find(x):
        ...     y = tf.nn.relu(x + bias)
        ...     return y, additions(x.graph, bias)[0].signal
        >>> y, before = tf.function(find, autograph=False)(tf.constant([-2.0]))
        >>> y.numpy().tolist(), before.numpy().tolist()
        ([0.0], [-1.0])
    """
    found: list[Addition] = []
    waiting = list(_readings(graph, weight))
    while waiting:
        tensor = waiting.pop()
        for op in tensor.consumers():
            if op.type in _PASSED_ON and op.inputs[0] is tensor:
                waiting.append(op.outputs[0])
            elif op.type in _ADDED:
                found.append(Addition(op.outputs[0], tensor))
            else:
                return None
    order = {op: index for index, op in enumerate(graph.get_operations())}
    return sorted(found, key=lambda addition: order[addition.signal.op]) or None


def is_read(graph: tf.Graph, weight: Any) -> bool:
    """Tells whether a graph, or a function that it calls, takes in a weight.

    Args:
        graph: The graph.
        weight: A variable.

    Returns:
        Whether it does.

    Example:
        >>> bias = tf.Variable([1.0])
        >>> def find(x):
        ...     return tf.constant(is_read(x.graph, bias))
        >>> bool(tf.function(find, autograph=False)(tf.constant(1.0)))
        False
    """
    return next(_readings(graph, weight), None) is not None


def _readings(graph: tf.Graph, weight: Any) -> Iterator[tf.Tensor]:
    variable = weight if hasattr(weight, "handle") else getattr(weight, "value", None)
    handle = getattr(variable, "handle", None)
    for outside, inside in getattr(graph, "captures", ()):
        if outside is handle and handle is not None:
            yield inside
