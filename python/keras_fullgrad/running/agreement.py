"""Whether what is explained is what the model says."""

import weakref
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad import _keras
from keras_fullgrad.model import calling, layers, random_numbers
from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.model.info import ModelInfo

_CHECKED: weakref.WeakSet[keras.Model] = weakref.WeakSet()


def check(info: ModelInfo, given: Any, inputs: Any) -> None:
    """Checks, once for each model and on its first image, that what is explained is what the model says.

    Args:
        info: The model.
        given: A batch of inputs as the user has them.
        inputs: The same as tensors of floats, which alone have a gradient.

    Raises:
        ValueError: If the model says something else where it is traced, or of floats than of integers, or its
            probabilities are not made of what was found before them.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2, activation="softmax")])
        >>> check(read_model(model), np.ones([3, 4]), tf.ones([3, 4]))
    """
    if not info.own.built or info.own in _CHECKED:
        return
    _CHECKED.add(info.own)
    # What takes floats is given floats, by predict too; what takes anything may treat integers otherwise.
    floats = any("float" in str(tensor.dtype) for tensor in info.inputs)
    integers = isinstance(given, (np.ndarray, tf.Tensor)) and tf.as_dtype(given.dtype).is_integer
    first = keras.tree.map_structure(lambda x: x[:1], inputs)
    asked = tf.convert_to_tensor(given[:1]) if integers and not floats else first
    try:
        said = _said(info, asked)
    except Exception:  # What Keras itself cannot call says nothing to compare with.
        return
    with info.strategy.scope():
        function = tf.function(lambda x: _heard(info, x), autograph=False)
        # Called as it is, TensorFlow would take the functions of several models for one that is traced often.
        heard, probabilities = function.get_concrete_function(first)(first)
    name = f"model '{info.own.name}'"
    for one, other in zip(said, heard, strict=True):
        if _alike(one, other) or not _repeats(info, asked, said):
            continue
        if asked is first:
            raise ValueError(
                f"expected {name} to say the same whether it is traced or not, got {_some(one)}, and traced, "
                f"which is what is explained, {_some(other)}: its call must not depend on what a tf.function "
                "does not see"
            )
        raise ValueError(
            f"expected {name} to say the same of {asked.dtype.name} and of floats, which alone have a "
            f"gradient, got {_some(one)} and {_some(other)}: give it floats, in the range that its first "
            "layer makes of integers"
        )
    for (index, activation), (one, other) in probabilities.items():
        if not _alike(one, other):
            raise ValueError(
                f"expected output {index} of {name} to be the {activation} of what came before it, got "
                f"{_some(one)}, and of that {_some(other)}: expose(model, outputs=...) names the layer of "
                "the logits"
            )


def _heard(
    info: ModelInfo, inputs: Any
) -> tuple[list[tf.Tensor], dict[tuple[int, str], tuple[tf.Tensor, tf.Tensor]]]:
    """What the model says where it is listened to; and its probabilities, as they are and made of logits."""
    heard = expose_logits(info.model).signals(inputs)
    said, logits = keras.tree.flatten(heard.said), keras.tree.flatten(heard.outputs)
    return _numbers(said), {
        (index, activation): (said[index], getattr(keras.activations, activation)(logits[index]))
        for index, activation in enumerate(heard.activations)
        if activation is not None and len(logits[index].shape) == 2
    }


def _said(info: ModelInfo, inputs: Any) -> list[tf.Tensor]:
    """What the model itself puts out, of images of any size."""
    with _keras.any_size([info.own, *layers.flatten_layers(info.own)]), random_numbers.repeated():
        return _numbers(calling.call(info.own, inputs))


def _repeats(info: ModelInfo, inputs: Any, said: list[tf.Tensor]) -> bool:
    """Whether a model says the same again, of the image twice.

    It may draw random numbers; and a model that was built in a `tf.function` of its own says of that one size
    of batch for ever what it said by its first weights.
    """
    twice = keras.tree.map_structure(lambda x: tf.concat([x, x], axis=0), inputs)
    again = [x[:1] if x.shape.rank else x for x in _said(info, twice)]
    return all(_alike(one, other) for one, other in zip(said, again, strict=True))


def _numbers(outputs: Any) -> list[tf.Tensor]:
    """Those of a model's outputs that hold numbers."""
    tensors = [x for x in keras.tree.flatten(outputs) if isinstance(x, tf.Tensor)]
    return [x for x in tensors if x.dtype.is_floating or x.dtype.is_integer or x.dtype.is_bool]


def _alike(one: Any, other: Any) -> bool:
    one, other = (np.asarray(x, np.float64) for x in (one, other))
    if one.shape != other.shape:
        return False
    largest = np.abs(one[np.isfinite(one)]).max(initial=0)
    return np.allclose(one, other, rtol=1e-2, atol=1e-3 * float(largest), equal_nan=True)


def _some(output: Any) -> np.ndarray:
    return np.ravel(output)[:3]
