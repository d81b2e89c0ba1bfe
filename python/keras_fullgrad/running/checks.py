"""Batches as a model takes them, checked before anything is computed."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.model.info import ModelInfo
from keras_fullgrad.running import agreement
from keras_fullgrad.targets.rows import Wanted


def checked(
    info: ModelInfo, batch: tuple[Any, Wanted], output: str | int | None = None
) -> tuple[Any, Wanted]:
    """A batch as tensors of the types that the model takes.

    Args:
        info: The model.
        batch: Inputs, and what is explained of them.
        output: Which of the model's outputs is explained. None: all.

    Returns:
        The batch.

    Raises:
        ValueError: If shapes or classes do not fit the model, or what would be explained is not what it says.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
        >>> checked(read_model(model), (np.ones([3, 4]), None))[0].dtype.name
        'float32'
    """
    given, wanted = batch
    inputs = as_tensors(info, given)
    _check_shape(info, inputs)
    # A single unit may be a choice between two classes, which is known when the model is called.
    if isinstance(wanted, np.ndarray) and info.classes is not None and wanted.max() >= max(2, info.classes):
        raise ValueError(f"expected classes from 0 to {info.classes - 1} in y, got {wanted.max()}")
    agreement.check(info, given, inputs, output)
    return inputs, wanted


def as_tensors(info: ModelInfo, inputs: Any) -> Any:
    """Makes tensors of the types that a model takes; of images floats, which alone have a gradient.

    Args:
        info: The model.
        inputs: Its inputs.

    Returns:
        The tensors.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> model = keras.Sequential([keras.Input([4], dtype="uint8"), keras.layers.Dense(2)])
        >>> as_tensors(read_model(model), np.ones([3, 4], np.uint8)).dtype.name
        'float32'
    """
    flat = [tf.convert_to_tensor(x) for x in keras.tree.flatten(inputs)]
    types = [declared or info.own.variable_dtype for declared in info.types(inputs)]
    for index, x in enumerate(flat):
        # A single input is what the map is drawn over; of several those with positions may be.
        if "float" not in types[index] and (len(flat) == 1 or x.shape.rank > 2):
            types[index] = keras.config.floatx()
    flat = [tf.cast(x, t) for x, t in zip(flat, types, strict=True)]
    return keras.tree.pack_sequence_as(inputs, flat)


def _check_shape(info: ModelInfo, inputs: Any) -> None:
    if not info.inputs or isinstance(inputs, dict):
        return
    given = keras.tree.flatten(inputs)
    if len(given) != len(info.inputs):
        raise ValueError(f"expected {len(info.inputs)} inputs, got {len(given)}")
    for tensor, x in zip(info.inputs, given, strict=True):
        expected, shape = tensor.shape, tuple(x.shape)
        # One that is built when it is called takes other batches than its first all the same.
        sequential = isinstance(info.own, keras.Sequential)
        if expected and expected[0] not in (None, shape[0]) and not sequential:
            raise ValueError(
                f"expected batches of {expected[0]} images, as model '{info.own.name}' takes, got "
                f"{shape[0]}: batch_size={expected[0]} cuts them so"
            )
        axis = info.channel_axis
        if len(expected) != len(shape) or expected[axis] not in (None, shape[axis]):
            raise ValueError(
                f"expected inputs of shape {expected}, of any size where the model takes any, got {shape}"
            )
