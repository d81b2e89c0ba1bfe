"""Which of a model's inputs a map is drawn over."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def is_drawable(x: tf.Tensor) -> bool:
    """Whether a map can be drawn over an input: it holds positions, and there is a gradient of it."""
    return x.dtype.is_floating and 3 <= x.shape.rank <= 5


def named(inputs: Any, source: int | str | None, names: Sequence[str]) -> int | str | None:
    """An input of a list, by its name in the model.

    Args:
        inputs: The inputs.
        source: Its index, key or name, or None.
        names: What the model calls its inputs, in their order.

    Returns:
        Its index in a list, its key in a dictionary, or None.

    Example:
        >>> named([tf.ones([1]), tf.ones([1])], "right", ["left", "right"])
        1
    """
    if isinstance(inputs, (list, tuple)) and isinstance(source, str) and source in names:
        return list(names).index(source)
    return source


def all_drawable(inputs: Any) -> list[int | str]:
    """The inputs that maps can be drawn over.

    Args:
        inputs: A list or dictionary of tensors.

    Returns:
        The keys of a dictionary, or the indices of a list.

    Raises:
        ValueError: If there are not several inputs, or one in a list has no positions.

    Example:
        >>> all_drawable({"image": tf.ones([1, 8, 8, 3]), "age": tf.ones([1, 1])})
        ['image']
    """
    if isinstance(inputs, dict):
        return [name for name in inputs if is_drawable(inputs[name])]
    shapes = keras.tree.map_structure(lambda x: tuple(x.shape), inputs)
    if not isinstance(inputs, (list, tuple)):
        raise ValueError(f"expected several inputs for source='all', got one of shape {shapes}")
    if not all(is_drawable(x) for x in inputs):
        raise ValueError(
            "expected inputs with positions for source='all', or inputs as a dictionary, of which others are "
            f"left out, got inputs of shapes {shapes}"
        )
    return list(range(len(inputs)))


def drawn_input(inputs: Any, source: int | str | None = None) -> tf.Tensor:
    """Finds the input that a map is drawn over.

    Args:
        inputs: A tensor, or a list or dictionary of them.
        source: Its index in a list, or its key in a dictionary. None: the only input with positions.

    Returns:
        The input, (batch, space, channels).

    Raises:
        ValueError: If it is not clear which.

    Example:
        >>> drawn_input([tf.ones([1, 8, 8, 3]), tf.ones([1, 5])]).shape
        TensorShape([1, 8, 8, 3])
    """
    if isinstance(inputs, tf.Tensor):
        return inputs
    if source is not None:
        names = list(inputs) if isinstance(inputs, dict) else list(range(len(inputs)))
        if source not in names:
            raise ValueError(f"expected source to be one of {names}, got {source!r}")
        return inputs[source]
    drawable = [x for x in keras.tree.flatten(inputs) if is_drawable(x)]
    if len(drawable) != 1:
        raise ValueError(
            "expected one input of floating type with positions, or source to name the input to draw a map "
            "over, or source='all' for a map over each, got inputs of shapes "
            f"{keras.tree.map_structure(lambda x: tuple(x.shape), inputs)}"
        )
    return drawable[0]


def check_drawable(inputs: tf.Tensor) -> None:
    """Checks that a map can be drawn over an input.

    Args:
        inputs: The input.

    Raises:
        ValueError: If it holds no positions, or is not of a floating type.

    Example:
        >>> check_drawable(tf.ones([1, 8, 8, 3]))
    """
    rank = inputs.shape.rank
    if rank is None or not 3 <= rank <= 5:
        raise ValueError(
            "expected inputs of 1 to 3 spatial dimensions, (batch, space, channels), "
            f"got shape {inputs.shape}: a map needs positions"
        )
    if not inputs.dtype.is_floating:
        raise ValueError(f"expected inputs of a floating type, got {inputs.dtype.name}")


def channel_axis(inputs: tf.Tensor, spatial_axis: Sequence[int] | None) -> int | None:
    """Finds the axis of channels, where those of positions were named.

    Args:
        inputs: The input that a map is drawn over.
        spatial_axis: The axes of positions.

    Returns:
        The axis that is left. None: no axes were named.

    Raises:
        ValueError: If more than one axis is left, or none.

    Example:
        >>> channel_axis(tf.ones([1, 8, 8, 3]), (1, 2)), channel_axis(tf.ones([1, 3, 8, 8]), (-2, -1))
        (3, 1)
    """
    if spatial_axis is None:
        return None
    rank = inputs.shape.rank
    left = set(range(1, rank)) - {axis % rank for axis in spatial_axis}
    if len(left) != 1:
        raise ValueError(
            f"expected spatial_axis to be all axes of inputs of rank {rank} but the batch and the "
            f"channels, got {tuple(spatial_axis)}"
        )
    return left.pop()
