"""Batches as a model takes them, checked before anything is computed."""

import weakref
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad import _keras
from keras_fullgrad.model import calling, layers, random_numbers
from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.model.info import ModelInfo
from keras_fullgrad.targets.rows import Wanted

_CHECKED: weakref.WeakSet[keras.Model] = weakref.WeakSet()


def checked(info: ModelInfo, batch: tuple[Any, Wanted]) -> tuple[Any, Wanted]:
    """A batch as tensors of the types that the model takes.

    Args:
        info: The model.
        batch: Inputs, and what is explained of them.

    Returns:
        The batch.

    Raises:
        ValueError: If shapes or classes do not fit the model, or it says something else of integers than of
            floats.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
        >>> checked(read_model(model), (np.ones([3, 4]), None))[0].dtype.name
        'float32'
    """
    given, wanted = batch
    inputs = _as_tensors(info, given)
    _check_shape(info, inputs)
    _check_integers(info, given, inputs)
    # A single unit may be a choice between two classes, which is known when the model is called.
    if isinstance(wanted, np.ndarray) and info.classes is not None and wanted.max() >= max(2, info.classes):
        raise ValueError(f"expected classes from 0 to {info.classes - 1} in y, got {wanted.max()}")
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


def _check_integers(info: ModelInfo, given: Any, inputs: Any) -> None:
    """Checks, once for each model, that it says of floats what it says of the integers that it was given.

    On the first image: a model may treat integers otherwise, and floats alone have a gradient.
    """
    integers = isinstance(given, (np.ndarray, tf.Tensor)) and tf.as_dtype(given.dtype).is_integer
    # What takes floats is given floats, by predict too.
    floats = any("float" in str(tensor.dtype) for tensor in info.inputs)
    if not integers or floats or not info.own.built or info.own in _CHECKED:
        return
    _CHECKED.add(info.own)
    first = tf.convert_to_tensor(given[:1])
    heard = expose_logits(info.own).signals(inputs[:1])
    said, again = _said(info, first), None
    for index, (one, other) in enumerate(zip(said, keras.tree.flatten(heard.said), strict=True)):
        if _alike(one, other):
            continue
        again = again or _said(info, first)
        if _alike(one, again[index]):  # It draws nothing at random.
            raise ValueError(
                f"expected model '{info.own.name}' to say the same of {first.dtype.name} and of floats, "
                f"which alone have a gradient, got {np.ravel(one)[:3]} and {np.ravel(other)[:3]}: give it "
                "floats, in the range that its first layer makes of integers"
            )


def _said(info: ModelInfo, inputs: Any) -> list[Any]:
    """What the model itself puts out, of images of any size."""
    with _keras.any_size([info.own, *layers.flatten_layers(info.own)]), random_numbers.repeated():
        return keras.tree.flatten(calling.call(info.own, inputs))


def _alike(one: Any, other: Any) -> bool:
    one, other = (np.asarray(x, np.float64) for x in (one, other))
    largest = np.abs(one[np.isfinite(one)]).max(initial=0)
    return np.allclose(one, other, rtol=1e-2, atol=1e-3 * float(largest), equal_nan=True)


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
