"""What operations of a graph take in: places, shapes, and values that are known while it is traced."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from keras_fullgrad.terms.positions.moves import UnknownError
from keras_fullgrad.terms.positions.places import Places


class Inputs(list[Places | None]):
    """For each tensor that an operation takes in its places; None where it does not depend on the input.

    Attributes:
        values: For each tensor its value, where that is known.
    """

    def __init__(self, places: Iterable[Places | None], values: Iterable[np.ndarray | None]) -> None:
        super().__init__(places)
        self.values = list(values)


Rule = Callable[[tf.Operation, Inputs], list[Places | None]]
"""From an operation and the places of its inputs to those of its outputs."""


def open_as(tensor: tf.Tensor, sizes: Sequence[int]) -> tuple[int, ...]:
    """A tensor's shape, where sizes that are open are those given, or else 1."""
    if tensor.shape.rank is None:
        return tuple(sizes)
    known = tensor.shape.as_list()
    sizes = list(sizes) if len(sizes) == len(known) else [1] * len(known)
    return tuple(given if size is None else size for size, given in zip(known, sizes, strict=True))


def constant(inputs: Inputs, index: int) -> np.ndarray:
    """The value of an input that is known while tracing."""
    value = inputs.values[index]
    if value is None:
        raise UnknownError
    return value


def first_of(inputs: Inputs) -> Places:
    """The places of the first input, where it depends on the data."""
    if inputs[0] is None:
        raise UnknownError
    return inputs[0]


def shape_of(tensor: tf.Tensor, places: Places | None) -> tuple[int, ...]:
    """The shape of an input; where it is open, as computed."""
    return open_as(tensor, ()) if places is None else places.shape


def value_of(op: tf.Operation, inputs: Inputs) -> np.ndarray | None:
    """The value of an operation that computes with shapes, as the sizes of a reshape, if known."""
    if len(op.outputs) != 1 or not (op.outputs[0].dtype.is_integer or op.type in ("Cast", "Const")):
        return None
    if op.type == "Shape" and inputs[0] is not None:
        return np.array(inputs[0].shape)
    known = tf.get_static_value(op.outputs[0])
    if known is not None:
        return np.asarray(known)
    compute = _COMPUTED.get(op.type)
    if compute is None or any(value is None for value in inputs.values):
        return None
    return np.asarray(compute(op, *inputs.values))


def _sliced(
    op: tf.Operation, value: np.ndarray, begin: np.ndarray, end: np.ndarray, strides: np.ndarray
) -> np.ndarray:
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    options = {name: op.get_attr(name) for name in masks}
    with tf.init_scope():
        return tf.raw_ops.StridedSlice(input=value, begin=begin, end=end, strides=strides, **options).numpy()


_COMPUTED: dict[str, Callable[..., np.ndarray]] = {
    "AddV2": lambda op, x, y: x + y,
    "Cast": lambda op, x: x.astype(op.outputs[0].dtype.as_numpy_dtype),
    "ConcatV2": lambda op, *x: np.concatenate(x[:-1], int(x[-1])),
    "ExpandDims": lambda op, x, axis: np.expand_dims(x, int(axis)),
    "FloorDiv": lambda op, x, y: x // y,
    "GatherV2": lambda op, x, indices, axis: np.take(x, indices, int(axis)),
    "Identity": lambda op, x: x,
    "Maximum": lambda op, x, y: np.maximum(x, y),
    "Minimum": lambda op, x, y: np.minimum(x, y),
    "Mul": lambda op, x, y: x * y,
    "Neg": lambda op, x: -x,
    "Pack": lambda op, *x: np.stack(x, op.get_attr("axis")),
    "Prod": lambda op, x, axis: np.prod(x, tuple(np.atleast_1d(axis)), keepdims=op.get_attr("keep_dims")),
    "Range": lambda op, start, limit, delta: np.arange(start, limit, delta),
    "Reshape": lambda op, x, shape: np.reshape(x, shape),
    "StridedSlice": _sliced,
    "Sub": lambda op, x, y: x - y,
}
