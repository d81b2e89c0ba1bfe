"""The way from inputs to a target through a graph, and where it is but one tensor wide."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf


class Step(NamedTuple):
    """A tensor on the way.

    Attributes:
        tensor: The tensor.
        alone: Whether all that comes of the inputs, and leads to the target, goes through it.
    """

    tensor: tf.Tensor
    alone: bool


def path(target: tf.Tensor, inputs: Sequence[tf.Tensor]) -> Iterator[Step]:
    """Goes from inputs to a target.

    Args:
        target: The end, in a graph.
        inputs: The beginning.

    Yields:
        The tensors of floating type that depend on the inputs and that the target depends on, in the order in
        which they are computed, the target last.

    Example:
        >>> def residual(x):
        ...     y = tf.nn.relu(x)
        ...     target = tf.reduce_sum(y + tf.sin(y))
        ...     print([(step.tensor.op.type, step.alone) for step in path(target, [x])])
        >>> _ = tf.function(residual, autograph=False).get_concrete_function(tf.ones([1]))
        [('Relu', True), ('Sin', False), ('AddV2', True), ('Sum', True)]
    """
    operations = target.graph.get_operations()
    depends = {tensor.name for tensor in inputs}
    for op in operations:
        if any(tensor.name in depends for tensor in op.inputs):
            depends.update(output.name for output in op.outputs if output.dtype.is_floating)
    last_use = {target.name: len(operations)}
    for index in range(len(operations) - 1, -1, -1):
        if any(output.name in last_use for output in operations[index].outputs):
            for tensor in operations[index].inputs:
                if tensor.name in depends:
                    last_use.setdefault(tensor.name, index)

    waiting = {tensor.name for tensor in inputs if tensor.name in last_use}
    given = set(waiting)
    for index, op in enumerate(operations):
        outputs = [
            output
            for output in op.outputs
            if output.name in depends and output.name in last_use and output.name not in given
        ]
        if outputs:
            waiting.update(output.name for output in outputs)
            waiting = {name for name in waiting if last_use[name] > index}
            yield from (Step(output, len(waiting) == 1) for output in outputs)
