"""Operations that add positions up, or slide windows over them."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fullgrad.terms.positions.moves import UnknownError
from keras_fullgrad.terms.positions.places import Places, Sees, merged
from keras_fullgrad.terms.positions.reading import Inputs, Rule, constant, first_of, shape_of


def reduced(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of sums and means, and of maxima, along axes."""
    places = first_of(inputs)
    rank = len(places.shape)
    axes = sorted({int(axis) % rank for axis in np.atleast_1d(constant(inputs, 1))}, reverse=True)
    for axis in axes:
        places = places.added_up(axis, keep=op.get_attr("keep_dims"))
    return [places]


def _by_equation(equation: str, op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Products that are added up along the axes that the result does not name, as `tf.einsum` names them."""
    terms, result = equation.split("->")
    sizes: dict[str, int] = {}
    found: list[Places] = []
    for letters, tensor, places in zip(terms.split(","), op.inputs, inputs, strict=True):
        sizes.update(zip(letters, shape_of(tensor, places), strict=True))
    for letters, places in zip(terms.split(","), inputs, strict=True):
        if places is None:
            continue
        for axis in range(len(letters) - 1, -1, -1):
            if letters[axis] not in result:
                places = places.added_up(axis, keep=False)
        kept = [letter for letter in letters if letter in result]
        order = sorted(range(len(kept)), key=lambda i: result.index(kept[i]))
        shape = [sizes[letter] if letter in kept else 1 for letter in result]
        present = set(kept)

        def placed(array: np.ndarray, order: Any = order, present: Any = present) -> np.ndarray:
            array = np.transpose(array, order)
            index = [slice(None) if letter in present else np.newaxis for letter in result]
            return array[tuple(index)]

        found.append(places.moved(placed, shape))
    return [merged(found, [sizes[letter] for letter in result])]


def einsum(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of `tf.einsum`."""
    equation = op.get_attr("equation")
    equation = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    if "..." in equation:
        first = equation.split(",")[0].split("->")[0]
        count = len(shape_of(op.inputs[0], inputs[0])) - len(first.replace("...", ""))
        free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in equation][:count]
        equation = equation.replace("...", "".join(free))
    return _by_equation(equation, op, inputs)


def matmul(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of products of matrices, one or many."""
    rank = op.outputs[0].shape.rank
    if rank is None:
        raise UnknownError
    batched = op.type != "MatMul"
    names = ("adj_x", "adj_y") if batched else ("transpose_a", "transpose_b")
    lead = "abcdefgh"[: rank - 2]

    def letters(tensor: tf.Tensor, last: str, swapped: bool) -> str:
        own = lead[len(lead) - (tensor.shape.rank - 2) :]
        return own + (last[::-1] if swapped else last)

    left = letters(op.inputs[0], "mk", op.get_attr(names[0]))
    right = letters(op.inputs[1], "kn", op.get_attr(names[1]))
    return _by_equation(f"{left},{right}->{lead}mn", op, inputs)


def axes_of(op: tf.Operation) -> tuple[int, list[int]]:
    """The axis of channels, and those of positions."""
    rank = op.outputs[0].shape.rank
    name = op.get_attr("data_format").decode() if op.get_attr("data_format") else ""
    if name.startswith("NC"):
        return 1, list(range(2, rank))
    return rank - 1, list(range(1, rank - 1))


def _windowed(places: Places, op: tf.Operation, axes: Sequence[int], windows: Sequence[int] = ()) -> Places:
    """Of windows that slide along axes, of these sizes where they are known."""
    for index, axis in enumerate(axes):
        size = op.outputs[0].shape[axis]
        sees = (
            None if size is None or not windows else _sees(op, axis, windows[index], places.shape[axis], size)
        )
        # Where sizes are open, as many positions: places are relative to the image.
        places = places.stretched(axis, places.shape[axis] if size is None else size, sees)
    return places


def _sees(op: tf.Operation, axis: int, window: int, before: int, size: int) -> Sees:
    """Tells of each place of a window whether something that is there lies in it."""
    stride, dilation = op.get_attr("strides")[axis], 1
    with contextlib.suppress(ValueError):  # A pooling has none.
        dilation = op.get_attr("dilations")[axis]
    length = (window - 1) * dilation + 1
    padding = op.get_attr("padding").decode()
    start = 0
    if padding == "SAME":
        start = -(max(0, (size - 1) * stride + length - before) // 2)
    elif padding == "EXPLICIT":
        start = -op.get_attr("explicit_paddings")[2 * axis]

    def sees(there: np.ndarray) -> np.ndarray:
        first = start + stride * np.arange(size)
        index = first[:, np.newaxis] + dilation * np.arange(window)
        inside = (index >= 0) & (index < before)
        return (there[np.clip(index, 0, before - 1)] & inside).any(axis=1)

    return sees


def pooled(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of poolings."""
    _, space = axes_of(op)
    return [_windowed(first_of(inputs), op, space, [op.get_attr("ksize")[axis] for axis in space])]


def convolved(data: int = 0) -> Rule:
    """Channels are added up, and windows slide along the other axes."""

    def rule(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
        places = inputs[data]
        if places is None:
            raise UnknownError
        channels, space = axes_of(op)
        windows = [] if data else [size or 1 for size in op.inputs[1].shape[: len(space)]]
        places = _windowed(places.added_up(channels, keep=True), op, space, windows)
        size = op.outputs[0].shape[channels] or 1
        shape = (*places.shape[:channels], size, *places.shape[channels + 1 :])
        return [Places(shape, places.image, places.claims)]

    return rule


def patches(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of patches, each put into the channels."""
    places = _windowed(first_of(inputs).added_up(3, keep=True), op, [1, 2])
    return [Places((*places.shape[:3], op.outputs[0].shape[3]), places.image, places.claims)]


def resized(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of images that are resized."""
    return [_windowed(first_of(inputs), op, [1, 2])]
