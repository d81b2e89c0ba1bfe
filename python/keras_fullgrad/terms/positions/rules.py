"""How each operation of TensorFlow moves, mixes or keeps the places of what it takes in."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from keras_fullgrad import _tensorflow
from keras_fullgrad.native import activations, scaling
from keras_fullgrad.terms.positions import mixing, moving
from keras_fullgrad.terms.positions.moves import UnknownError
from keras_fullgrad.terms.positions.places import Places, merged
from keras_fullgrad.terms.positions.reading import Inputs, Rule, first_of, open_as, shape_of, value_of


def after(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """The places of what an operation puts out; None where it does not depend on the input."""
    if op.type in _INDEPENDENT or all(each is None for each in inputs):
        return [None] * len(op.outputs)
    rule = _RULES.get(op.type)
    try:
        if rule is None:
            raise UnknownError
        return rule(op, inputs)
    except (UnknownError, ValueError, IndexError, TypeError):
        # Whatever else an operation does: what comes of it is left out, counted and named.
        return [Places.nowhere(open_as(output, ())) for output in op.outputs]


def follow(
    operations: Iterable[tf.Operation],
    places: dict[str, Places],
    vote: Callable[[tf.Operation, Inputs], None] | None = None,
) -> None:
    """Follows places, which grow, through operations; lets each vote for an axis of channels."""
    values: dict[str, np.ndarray] = {}
    given = set(places)
    for op in operations:
        if any(output.name in given for output in op.outputs):
            continue
        names = [tensor.name for tensor in op.inputs]
        inputs = Inputs([places.get(name) for name in names], [values.get(name) for name in names])
        if (value := value_of(op, inputs)) is not None:
            values[op.outputs[0].name] = value
        if all(each is None for each in inputs):
            continue
        if vote is not None:
            vote(op, inputs)
        for output, found in zip(op.outputs, after(op, inputs), strict=True):
            if found is not None:
                places[output.name] = found


def channel_axis(op: tf.Operation, inputs: Inputs, sizes: Sequence[int]) -> int | None:
    """The axis of the input that a convolution of the input itself takes for channels.

    Args:
        op: An operation.
        inputs: The places of what it takes in.
        sizes: The input's shape.

    Returns:
        The axis. None: it is no convolution, adds up several axes, or takes in what was mixed before. Where
        channels were added up, another axis may be mixed as they are, such as that of tokens.

    Example:
        >>> with tf.Graph().as_default():
        ...     conv = tf.nn.conv2d(tf.ones([1, 8, 8, 3]), tf.ones([3, 3, 3, 4]), 1, "SAME")
        >>> channel_axis(conv.op, Inputs([Places.of_input([1, 8, 8, 3]), None], [None, None]), [1, 8, 8, 3])
        3
    """
    if op.type not in _CONVOLUTIONS or inputs[0] is None or len(inputs[0].claims) != 1:
        return None
    (claim,) = inputs[0].claims
    if any(size > 1 and part.centre.size == 1 for part, size in zip(claim, sizes[1:], strict=True)):
        return None
    channels, space = mixing.axes_of(op)
    found = [axis for axis, part in enumerate(claim, 1) if part.centre.shape[channels] > 1]
    # An axis of 1, of grey images, is seen by that it is none of positions.
    found = found or [
        axis for axis, part in enumerate(claim, 1) if not any(part.centre.shape[each] > 1 for each in space)
    ]
    return found[0] if len(found) == 1 else None


def _kept(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Element by element, of one tensor."""
    return [inputs[0], *[None] * (len(op.outputs) - 1)]


def _each_kept(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    return list(inputs)


def _element_by_element(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of several tensors, which are repeated along axes of 1."""
    shapes = [shape_of(tensor, places) for tensor, places in zip(op.inputs, inputs, strict=True)]
    shape = np.broadcast_shapes(*(s for s, places in zip(shapes, inputs, strict=True) if places is not None))
    shape = open_as(op.outputs[0], (1,) * (op.outputs[0].shape.rank - len(shape)) + shape)
    return [merged([places for places in inputs if places is not None], shape)]


def _broadcast(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    places = first_of(inputs)
    rank = op.outputs[0].shape.rank
    lead = (1,) * (rank - len(places.shape))
    shape = open_as(op.outputs[0], lead + places.shape)
    return [merged([places], shape)]


def _through(op: tf.Operation, function: str, inputs: Iterable[Places | None]) -> list[Places | None]:
    """Through a function's own operations, one by one."""
    graph = _tensorflow.function_graph(op, function)
    if graph is None or len(graph.outputs) != len(op.outputs):
        raise UnknownError
    given = zip(graph.inputs, inputs, strict=True)
    places = {tensor.name: each for tensor, each in given if each is not None}
    follow(graph.get_operations(), places)
    return [places.get(output.name) for output in graph.outputs]


def _called(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of a function that is called, as convolutions in groups are."""
    return _through(op, "f", inputs)


def _branched(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of one function or another, as a condition says: where both agree."""
    branches = (_through(op, name, inputs[1:]) for name in ("then_branch", "else_branch"))
    return [_agreed(*found) for found in zip(*branches, strict=True)]


def _looped(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of a function that is called again and again: of what it leaves where it was."""
    before: list[Places | None] = list(inputs)
    while True:
        after_one = [_agreed(*found) for found in zip(before, _through(op, "body", before), strict=True)]
        if all(old is new or _same(old, new) for old, new in zip(before, after_one, strict=True)):
            return after_one
        before = after_one


def _agreed(one: Places | None, other: Places | None) -> Places | None:
    if one is None or other is None or _same(one, other):
        return other if one is None else one
    return Places.nowhere(one.shape)


def _same(one: Places | None, other: Places | None) -> bool:
    return one is not None and other is not None and one.same_as(other)


def _names(text: str) -> list[str]:
    return text.split()


_KEPT = _names("""
    Abs Acos Acosh Asin Asinh Atan Atanh BiasAdd Bitcast Cast Ceil CheckNumerics ClipByValue Cos Cosh
    Cumsum Elu Erf Erfc Exp Expm1 Floor FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Identity Inv
    IsFinite IsInf IsNan LRN LeakyRelu Log Log1p LogSoftmax LogicalNot Neg PreventGradient Reciprocal
    Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Snapshot Softmax Softplus Softsign Sqrt
    Square StopGradient Tan Tanh
""")
_ELEMENT_BY_ELEMENT = _names("""
    Add AddN AddV2 Atan2 Div DivNoNan Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual
    LogicalAnd LogicalOr Maximum Minimum Mod Mul MulNoNan NextAfter NotEqual Pow RealDiv Select SelectV2
    SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py Xlogy
""")
_CONVOLUTIONS = _names("Conv2D Conv3D DepthwiseConv2dNative")
_INDEPENDENT = _names("OnesLike RandomStandardNormal RandomUniform Rank Shape ShapeN Size ZerosLike")

_RULES: dict[str, Rule] = {
    **dict.fromkeys([*_KEPT, activations.OP], _kept),
    **dict.fromkeys([*_ELEMENT_BY_ELEMENT, scaling.OP], _element_by_element),
    **dict.fromkeys(_names("All Any EuclideanNorm Max Mean Min Prod Sum"), mixing.reduced),
    **dict.fromkeys(_names("BatchMatMul BatchMatMulV2 BatchMatMulV3 MatMul"), mixing.matmul),
    **dict.fromkeys(_names("AvgPool AvgPool3D MaxPool MaxPool3D"), mixing.pooled),
    **dict.fromkeys(_CONVOLUTIONS, mixing.convolved()),
    **dict.fromkeys(_names("Conv2DBackpropInput Conv3DBackpropInputV2"), mixing.convolved(data=2)),
    **dict.fromkeys(_names("ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor"), mixing.resized),
    **dict.fromkeys(_names("ExpandDims Reshape Squeeze"), moving.reshaped),
    **dict.fromkeys(_names("MirrorPad Pad PadV2"), moving.padded),
    **dict.fromkeys(_names("Split SplitV"), moving.split),
    **dict.fromkeys(_names("DepthToSpace SpaceToDepth"), moving.blocks),
    **dict.fromkeys(_names("PartitionedCall StatefulPartitionedCall"), _called),
    **dict.fromkeys(_names("If StatelessIf"), _branched),
    **dict.fromkeys(_names("StatelessWhile While"), _looped),
    "BatchToSpaceND": moving.batch_to_space,
    "BroadcastTo": _broadcast,
    "ConcatV2": moving.concat,
    "Einsum": mixing.einsum,
    "ExtractImagePatches": mixing.patches,
    "GatherV2": moving.gathered,
    "IdentityN": _each_kept,
    "Pack": moving.packed,
    "ReverseV2": moving.turned,
    "Roll": moving.rolled,
    "Slice": moving.cut,
    "SpaceToBatchND": moving.space_to_batch,
    "StridedSlice": moving.strided_slice,
    "Tile": moving.tiled,
    "Transpose": moving.transposed,
    "Unpack": moving.unpacked,
}
