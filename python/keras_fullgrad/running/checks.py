"""Batches as a model takes them, checked before anything is computed."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.model.info import ModelInfo
from keras_fullgrad.running import agreement
from keras_fullgrad.targets.rows import Wanted


def checked(info: ModelInfo, batch: tuple[Any, Wanted]) -> tuple[Any, Wanted]:
    """A batch as tensors of the types that the model takes.

    Args:
        info: The model.
        batch: Inputs, and what is explained of them.

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
    inputs = _as_tensors(info, given)
    _check_shape(info, inputs)
    # A single unit may be a choice between two classes, which is known when the model is called.
    if isinstance(wanted, np.ndarray) and info.classes is not None and wanted.max() >= max(2, info.classes):
        raise ValueError(f"expected classes from 0 to {info.classes - 1} in y, got {wanted.max()}")
    agreement.check(info, given, inputs)
    return inputs, wanted


def _as_tensors(info: ModelInfo, inputs: Any) -> Any:
    variable_dtype = info.own.variable_dtype
    types = [tensor.dtype for tensor in info.inputs]
    if isinstance(inputs, dict):
        types_of = {tensor.name: tensor.dtype for tensor in info.inputs}
        types = [types_of.get(name, variable_dtype) for name in sorted(inputs)]
    flat = keras.tree.flatten(inputs)
    if len(flat) == 1:
        # A single input is what the map is drawn over: there is no gradient of an integer.
        types = [t if "float" in t else keras.config.floatx() for t in types or [variable_dtype]]
    types = types if len(types) == len(flat) else [variable_dtype] * len(flat)
    flat = [tf.cast(tf.convert_to_tensor(x), t) for x, t in zip(flat, types, strict=True)]
    return keras.tree.pack_sequence_as(inputs, flat)


def _check_shape(info: ModelInfo, inputs: Any) -> None:
    if not info.inputs or isinstance(inputs, dict):
        return
    given = keras.tree.flatten(inputs)
    if len(given) != len(info.inputs):
        raise ValueError(f"expected {len(info.inputs)} inputs, got {len(given)}")
    for tensor, x in zip(info.inputs, given, strict=True):
        expected, shape = tensor.shape, tuple(x.shape)
        axis = info.channel_axis
        if len(expected) != len(shape) or expected[axis] not in (None, shape[axis]):
            raise ValueError(
                f"expected inputs of shape {expected}, of any size where the model takes any, got {shape}"
            )
