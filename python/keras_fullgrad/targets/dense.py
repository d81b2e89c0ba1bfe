"""Targets of outputs that hold logits at many positions, or of many boxes."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fullgrad.model.logits import single
from keras_fullgrad.targets.classes import within
from keras_fullgrad.targets.target import Target, each_image, whole_numbers


@dataclasses.dataclass(frozen=True, eq=False)
class Region(Target):
    r"""A class's logits at all positions, or at some, added up: of a segmentation, a depth map, a series.

    .. math:: s = \sum_p m_p o_{pc}

    Args:
        class_: The channel: one for all images, or (images,).
        mask: The positions of the output to add up, or what to multiply each by: (space), or (images,
            space). To average them, divide it by its sum.
        box: The positions between two corners of the output: its first rows, columns and so on, then those
            after the last, (top, left, bottom, right); or one for each image.

    Returns:
        Called with an output, (batch, space, classes): the sums, (batch,).

    Raises:
        TypeError: If classes or corners are not whole numbers.
        ValueError: If a class is negative, both mask and box are given, or they do not fit the output.

    Example:
        >>> output = tf.reshape(tf.range(8.0), [1, 2, 2, 2])
        >>> [float(region(output)[0]) for region in (Region(0), Region(1, box=(0, 0, 1, 2)))]
        [12.0, 4.0]
    """

    class_: Any
    mask: Any = None
    box: Any = None

    def __post_init__(self) -> None:
        if self.mask is not None and self.box is not None:
            raise ValueError("expected mask or box, got both")
        object.__setattr__(self, "class_", whole_numbers(self.class_, "class_"))
        if self.box is not None:
            object.__setattr__(self, "box", whole_numbers(self.box, "box"))
        if self.mask is not None and not isinstance(self.mask, tf.Tensor):
            # Zeros and ones of any type are one trace.
            mask = np.asarray(self.mask)
            mask = mask if mask.dtype.kind == "f" else mask.astype(np.float32)
            object.__setattr__(self, "mask", mask)

    @property
    def key(self) -> tuple[Any, ...]:
        """Which positions it is to be told."""
        return type(self), self.mask is None, self.box is None

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The class, and the positions."""
        given = {"class_": self.class_, "mask": self.mask, "box": self.box}
        return {name: each for name, each in given.items() if each is not None}

    def ranks(self, outputs: Callable[[], Any]) -> Mapping[str, int]:
        """A mask has the output's axes of positions."""
        ranks = {"class_": 0, "box": 1}
        if self.mask is not None:
            ranks["mask"] = len(single(outputs()).shape) - 2
        return {name: ranks[name] for name in self.numbers}

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Adds up the logits."""
        output = single(outputs)
        if output.shape.rank is None or output.shape.rank < 3:
            raise ValueError(
                f"expected an output with positions for Region, (images, space, classes), got {output.shape}"
            )
        output = in_full(output)
        space = output.shape.rank - 2
        chosen = _of_class(output, self.class_)
        if self.mask is not None:
            mask = each_image(self.mask, space, output.dtype)
            if not mask.shape[1:].is_compatible_with(chosen.shape[1:]):
                raise ValueError(
                    f"expected a mask of the output's positions, {chosen.shape[1:]}, got {mask.shape[1:]}"
                )
            chosen *= mask
        if self.box is not None:
            chosen *= tf.cast(_inside(each_image(self.box, 1), tf.shape(chosen), space), output.dtype)
        return tf.reduce_sum(chosen, axis=list(range(1, space + 1)))


@dataclasses.dataclass(frozen=True, eq=False)
class Box(Target):
    r"""The score of a box: of a detector's output with one row for each box.

    .. math:: s = o_{ic}

    Args:
        index: The box: one for all images, or (images,).
        class_: The column, likewise.

    Returns:
        Called with an output, (batch, boxes, columns): the scores, (batch,).

    Raises:
        TypeError: If the box or the column is not a whole number.
        ValueError: If they are negative, or the output is of another shape.

    Example:
        >>> float(Box(1, 0)(tf.constant([[[1.0, 2.0], [3.0, 4.0]]]))[0])
        3.0
    """

    index: Any
    class_: Any

    def __post_init__(self) -> None:
        for name, numbers in self.numbers.items():
            object.__setattr__(self, name, whole_numbers(numbers, name))

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The box and the column."""
        return {"index": self.index, "class_": self.class_}

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Takes the score."""
        output = single(outputs)
        if output.shape.rank != 3:
            raise ValueError(
                f"expected an output of boxes for Box, (images, boxes, columns), got {output.shape}"
            )
        scores = _of_class(output, self.class_)
        index = within(each_image(self.index, 0), tf.shape(scores)[1], "boxes within the output")
        index = tf.broadcast_to(index, tf.shape(scores)[:1])
        return tf.gather(scores, index, axis=1, batch_dims=1)


def in_full(output: tf.Tensor) -> tf.Tensor:
    """An output of half precision in float32, whose sums do not overflow.

    Args:
        output: The output.

    Returns:
        The output.

    Example:
        >>> in_full(tf.ones([1], tf.float16)).dtype.name
        'float32'
    """
    return tf.cast(output, tf.float32) if output.dtype in (tf.float16, tf.bfloat16) else output


def _of_class(output: tf.Tensor, numbers: Any) -> tf.Tensor:
    """The channel of each image, (batch, space)."""
    classes = within(each_image(numbers, 0), tf.shape(output)[-1], "a class_ within the output")
    if classes.shape[0] == 1:
        return tf.gather(output, classes[0], axis=-1)
    first = [tf.shape(output)[0], *[1] * (output.shape.rank - 2)]
    index = tf.broadcast_to(tf.reshape(classes, first), tf.shape(output)[:-1])
    return tf.gather(output, index[..., tf.newaxis], axis=-1, batch_dims=output.shape.rank - 1)[..., 0]


def _inside(boxes: tf.Tensor, shape: tf.Tensor, space: int) -> tf.Tensor:
    """Which positions lie between the corners, (batch, space) or (1, space)."""
    if boxes.shape[-1] != 2 * space:
        raise ValueError(f"expected a box of {2 * space} numbers, its corners, got {boxes.shape[-1]}")
    inside = tf.constant(True)
    for axis in range(space):
        ends = within(boxes[:, axis + space], shape[axis + 1] + 1, "a box within the output")
        positions = tf.range(tf.cast(shape[axis + 1], boxes.dtype))
        along = (positions >= boxes[:, axis, tf.newaxis]) & (positions < ends[:, tf.newaxis])
        sizes = [1] * (axis + 1) + [-1] + [1] * (space - axis - 1)
        sizes[0] = tf.shape(along)[0]
        inside &= tf.reshape(along, sizes)
    return inside
