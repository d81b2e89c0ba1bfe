"""Operations that move positions."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fullgrad.terms.positions.moves import UnknownError, concatenated, reshape, sliced, spread
from keras_fullgrad.terms.positions.places import Places
from keras_fullgrad.terms.positions.reading import Inputs, constant, first_of, shape_of


def reshaped(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of elements in another shape."""
    places = first_of(inputs)
    known = op.outputs[0].shape.as_list()
    if op.type == "Reshape" and inputs.values[1] is not None:
        known = [None if size < 0 else int(size) for size in inputs.values[1]]
    if known.count(None) > 1:
        raise UnknownError
    rest = math.prod(size for size in known if size is not None)
    return [reshape(places, [math.prod(places.shape) // rest if size is None else size for size in known])]


def transposed(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of axes in another order."""
    places, order = first_of(inputs), constant(inputs, 1)
    return [places.moved(lambda x: np.transpose(x, order), [places.shape[axis] for axis in order])]


def cut(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of a slice."""
    begin, size = constant(inputs, 1), constant(inputs, 2)
    slices = [slice(int(b), None if s == -1 else int(b + s)) for b, s in zip(begin, size, strict=True)]
    return [sliced(first_of(inputs), slices)]


def strided_slice(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of a slice with steps, new axes and dropped ones."""
    places = first_of(inputs)
    begin, end, strides = (constant(inputs, i) for i in (1, 2, 3))
    masks = {n: op.get_attr(f"{n}_mask") for n in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    slices: list[slice] = []
    shape: list[int | None] = []  # None: an axis of the input; an integer: a new one.
    dropped: list[int] = []
    taken = sum(not masks["new_axis"] >> i & 1 and not masks["ellipsis"] >> i & 1 for i in range(len(begin)))
    for i in range(len(begin)):
        if masks["ellipsis"] >> i & 1:
            for _ in range(len(places.shape) - taken):
                slices.append(slice(None))
                shape.append(None)
        elif masks["new_axis"] >> i & 1:
            shape.append(1)
        elif masks["shrink_axis"] >> i & 1:
            size = places.shape[len(slices)]
            start = int(begin[i]) % size
            dropped.append(len(slices))
            slices.append(slice(start, start + 1))
        else:
            first = None if masks["begin"] >> i & 1 else int(begin[i])
            last = None if masks["end"] >> i & 1 else int(end[i])
            slices.append(slice(first, last, int(strides[i])))
            shape.append(None)
    slices += [slice(None)] * (len(places.shape) - len(slices))
    found = sliced(places, slices)
    left = iter(size for axis, size in enumerate(found.shape) if axis not in dropped)
    shape += [None] * (len(places.shape) - len(dropped) - sum(size is None for size in shape))
    return [reshape(found, [next(left) if size is None else size for size in shape])]


def turned(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of axes that are turned round."""
    places = first_of(inputs)
    axes = {int(axis) % len(places.shape) for axis in np.atleast_1d(constant(inputs, 1))}
    steps = [slice(None, None, -1) if axis in axes else slice(None) for axis in range(len(places.shape))]
    return [sliced(places, steps)]


def rolled(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of elements that move along an axis and come in again at the other end."""
    places = first_of(inputs)
    shifts, axes = (np.atleast_1d(constant(inputs, i)) for i in (1, 2))

    def move(array: np.ndarray) -> np.ndarray:
        for shift, axis in zip(shifts, axes, strict=True):
            array = np.roll(array, int(shift), int(axis)) if array.shape[axis] > 1 else array
        return array

    return [places.moved(move, places.shape)]


def padded(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of padding: nothing, or the image mirrored."""
    places, widths = first_of(inputs), constant(inputs, 1).astype(int)
    mode = op.get_attr("mode").decode().lower() if op.type == "MirrorPad" else "constant"

    def move(array: np.ndarray) -> np.ndarray:
        for axis, width in enumerate(widths):
            if width.any() and (mode == "constant" or array.shape[axis] > 1):
                sizes = [places.shape[i] if i == axis else n for i, n in enumerate(array.shape)]
                pads = [tuple(width) if i == axis else (0, 0) for i in range(array.ndim)]
                options: dict[str, Any] = {"mode": mode}
                if mode == "constant":
                    options["constant_values"] = np.nan
                array = np.pad(np.broadcast_to(array, sizes), pads, **options)
        return array

    shape = [n + sum(width) for n, width in zip(places.shape, widths, strict=True)]
    image = places.image  # Padding belongs to the image that it is put around.
    found = Places(places.shape, None, places.claims).moved(move, shape)
    if image is not None and widths[[axis for axis, n in enumerate(image.shape) if n > 1]].any():
        image = None
    return [Places(found.shape, image, found.claims)]


def concat(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of tensors one after the other."""
    count = len(inputs) - 1
    rank = op.outputs[0].shape.rank
    axis = int(constant(inputs, count)) % rank
    tensors = list(op.inputs)[:count]
    pairs = [(shape_of(t, p), p) for t, p in zip(tensors, inputs[:count], strict=True)]
    return [concatenated(pairs, axis)]


def packed(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of tensors along a new axis."""
    rank = op.outputs[0].shape.rank
    axis = op.get_attr("axis") % rank

    def opened(shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:axis], 1, *shape[axis:])

    pairs = []
    for tensor, places in zip(op.inputs, inputs, strict=True):
        shape = opened(shape_of(tensor, places))
        pairs.append((shape, None if places is None else reshape(places, shape)))
    return [concatenated(pairs, axis)]


def unpacked(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of an axis taken apart."""
    places = first_of(inputs)
    axis = op.get_attr("axis") % len(places.shape)
    found: list[Places | None] = []
    for index in range(len(op.outputs)):
        slices = [slice(None)] * len(places.shape)
        slices[axis] = slice(index, index + 1)
        one = sliced(places, slices)
        found.append(reshape(one, [n for i, n in enumerate(one.shape) if i != axis]))
    return found


def split(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of a tensor in pieces."""
    data, of_axis = (1, 0) if op.type == "Split" else (0, 2)
    places = inputs[data]
    if places is None:
        raise UnknownError
    axis = int(constant(inputs, of_axis)) % len(places.shape)
    count = len(op.outputs)
    size = places.shape[axis]
    sizes = [size // count] * count if op.type == "Split" else [int(n) for n in constant(inputs, 1)]
    sizes = [size - sum(n for n in sizes if n >= 0) if n < 0 else n for n in sizes]
    found: list[Places | None] = []
    start = 0
    for each in sizes:
        slices = [slice(None)] * len(places.shape)
        slices[axis] = slice(start, start + each)
        found.append(sliced(places, slices))
        start += each
    return found


def tiled(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of a tensor several times over."""
    places, times = first_of(inputs), constant(inputs, 1)

    def move(array: np.ndarray) -> np.ndarray:
        return np.tile(array, [t if n > 1 else 1 for t, n in zip(times, array.shape, strict=True)])

    return [places.moved(move, [int(n * t) for n, t in zip(places.shape, times, strict=True)])]


def gathered(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of elements chosen by constant indices."""
    places, indices = first_of(inputs), constant(inputs, 1)
    axis = int(constant(inputs, 2)) % len(places.shape)
    if op.get_attr("batch_dims"):
        raise UnknownError

    def move(array: np.ndarray) -> np.ndarray:
        if array.shape[axis] > 1:
            return np.take(array, indices, axis)
        return array.reshape((*array.shape[:axis], *[1] * indices.ndim, *array.shape[axis + 1 :]))

    return [places.moved(move, (*places.shape[:axis], *indices.shape, *places.shape[axis + 1 :]))]


def blocks(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Depth to space and back, channels last: a reshape, a transpose and a reshape."""
    if op.get_attr("data_format") not in (b"NHWC", "NHWC"):
        raise UnknownError
    places, size = first_of(inputs), op.get_attr("block_size")
    images, rows, columns, channels = places.shape
    if op.type == "SpaceToDepth":
        inner = [images, rows // size, size, columns // size, size, channels]
        outer = [images, rows // size, columns // size, size * size * channels]
        order = [0, 1, 3, 2, 4, 5]
    else:
        inner = [images, rows, columns, size, size, channels // size**2]
        outer = [images, rows * size, columns * size, channels // size**2]
        order = [0, 1, 3, 2, 4, 5]
    places = reshape(places, inner)
    places = places.moved(lambda x: np.transpose(x, order), [inner[axis] for axis in order])
    if op.type == "DepthToSpace":
        places = spread(places, 2)
        places = spread(places, 4)
    return [reshape(places, outer)]


def batch_to_space(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """The other way round than :func:`space_to_batch`."""
    places, block, crops = first_of(inputs), constant(inputs, 1), constant(inputs, 2)
    axes = len(block)
    images = places.shape[0] // math.prod(block)
    rest = places.shape[1:]
    found = reshape(places, [*block, images, *rest])
    order = [axes]
    for axis in range(axes):
        order += [axes + 1 + axis, axis]
    order += range(2 * axes + 1, len(found.shape))
    shape = [found.shape[axis] for axis in order]
    found = found.moved(lambda x: np.transpose(x, order), shape)
    joined = [images, *(n * b for n, b in zip(rest, block, strict=False)), *rest[axes:]]
    found = reshape(found, joined)
    slices = [slice(None), *(slice(c[0], n - c[1]) for c, n in zip(crops, joined[1:], strict=False))]
    slices += [slice(None)] * (len(joined) - len(slices))
    found = sliced(found, slices)
    claims = []
    for claim in found.claims:
        for axis in range(1, axes + 1):
            # The phases of a dilated convolution were each stretched by themselves.
            claim = tuple(part.divided(axis) for part in claim)
        claims.append(claim)
    return [Places(found.shape, found.image, tuple(claims))]


def space_to_batch(op: tf.Operation, inputs: Inputs) -> list[Places | None]:
    """Of blocks of positions as images, as dilated convolutions take them."""
    places, block, widths = first_of(inputs), constant(inputs, 1), constant(inputs, 2)
    axes = len(block)
    pads = np.zeros([len(places.shape), 2], int)
    pads[1 : axes + 1] = widths

    def pad(array: np.ndarray) -> np.ndarray:
        own = [tuple(p) if n > 1 else (0, 0) for p, n in zip(pads, array.shape, strict=True)]
        return np.pad(array, own, constant_values=np.nan)

    shape = [n + sum(p) for n, p in zip(places.shape, pads, strict=True)]
    found = places.moved(pad, shape)
    inner = [shape[0]]
    for axis in range(axes):
        inner += [shape[1 + axis] // block[axis], block[axis]]
    inner += shape[axes + 1 :]
    found = reshape(found, inner)
    order = [*(2 + 2 * axis for axis in range(axes)), 0, *(1 + 2 * axis for axis in range(axes))]
    order += range(2 * axes + 1, len(inner))
    found = found.moved(lambda x: np.transpose(x, order), [inner[axis] for axis in order])
    return [reshape(found, [math.prod(block) * shape[0], *found.shape[axes + 1 :]])]
