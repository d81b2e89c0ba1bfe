"""Whether what is explained is what the model says."""

import weakref
from collections.abc import Hashable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad import _keras
from keras_fullgrad.model import calling, layers, random_numbers
from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.model.info import ModelInfo
from keras_fullgrad.running import advice

_CHECKED: weakref.WeakKeyDictionary[keras.Model, set[Hashable]] = weakref.WeakKeyDictionary()
"""Of each model the output, and which inputs were integers, that it was asked of."""

_PROBABILITIES: weakref.WeakKeyDictionary[keras.Model, str] = weakref.WeakKeyDictionary()
"""Models whose user is to be told that probabilities are explained, and which; nothing once that was told."""


def check(info: ModelInfo, given: Any, inputs: Any, output: str | int | None = None) -> None:
    """Checks, once for each model and each type of its inputs, that what is explained is what the model says.

    Args:
        info: The model.
        given: A batch of inputs as the user has them; the first image is looked at.
        inputs: The same as tensors of floats, which alone have a gradient.
        output: Which of the model's outputs is explained. None: all.

    Raises:
        ValueError: If the model says something else where it is traced, or of floats than of integers, or its
            probabilities are not made of what was found before them.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2, activation="softmax")])
        >>> check(read_model(model), np.ones([3, 4]), tf.ones([3, 4]))
    """
    if not info.own.built:
        return
    integers = _integers(info, given, inputs)
    checked = _CHECKED.setdefault(info.own, set())
    if (output, integers) not in checked:
        first = keras.tree.map_structure(lambda x: x[:1], inputs)
        as_given = zip(keras.tree.flatten(given), keras.tree.flatten(first), integers, strict=True)
        leaves = [tf.convert_to_tensor(x[:1]) if whole else one for x, one, whole in as_given]
        _compare(info, keras.tree.pack_sequence_as(first, leaves), first, output)
        checked.add((output, integers))


def tell_of_probabilities(info: ModelInfo) -> None:
    """Warns, once for each model, where probabilities are explained, of which a sure net has no gradient.

    Args:
        info: A model that was checked.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> tell_of_probabilities(read_model(keras.Sequential([keras.layers.Dense(2)])))
    """
    which = _PROBABILITIES.get(info.own)
    if which:
        _PROBABILITIES[info.own] = ""
        advice.warn(
            f"{which} of model '{info.own.name}' lie from 0 to 1 and add up to 1: probabilities are "
            "explained, since no logits before a softmax were found. expose(model, outputs=...) names the "
            "layer of the logits"
        )


def _integers(info: ModelInfo, given: Any, inputs: Any) -> tuple[bool, ...]:
    """Of each input whether the model itself is asked of integers: where they were given and it may take any.

    What takes floats is given floats, by predict too; what takes anything may treat integers otherwise.
    """
    return tuple(
        isinstance(x, (np.ndarray, tf.Tensor))
        and tf.as_dtype(x.dtype).is_integer
        and not (declared is not None and "float" in declared)
        for x, declared in zip(keras.tree.flatten(given), info.types(inputs), strict=True)
    )


def _compare(info: ModelInfo, asked: Any, first: Any, output: str | int | None) -> None:
    try:
        said = _said(info, asked)
    except Exception:  # What Keras itself cannot call says nothing to compare with.
        return
    with info.strategy.scope():
        function = tf.function(lambda x: _heard(info, x, output), autograph=False)
        # Called as it is, TensorFlow would take the functions of several models for one that is traced often.
        heard, probabilities, explained = function.get_concrete_function(first)(first)
    name = f"model '{info.own.name}'"
    types = zip(keras.tree.flatten(asked), keras.tree.flatten(first), strict=True)
    integers = {x.dtype.name for x, one in types if x.dtype != one.dtype}
    for one, other in zip(said, heard, strict=True):
        if _alike(one, other) or not _repeats(info, asked, said):
            continue
        if not integers:
            raise ValueError(
                f"expected {name} to say the same whether it is traced or not, got {_some(one)}, and traced, "
                f"which is what is explained, {_some(other)}: its call must not depend on what a tf.function "
                "does not see"
            )
        raise ValueError(
            f"expected {name} to say the same of {', '.join(sorted(integers))} and of floats, which alone "
            f"have a gradient, got {_some(one)} and {_some(other)}: give it floats, in the range that its "
            "first layer makes of integers"
        )
    for (index, activation), (one, other) in probabilities.items():
        if not _alike(one, other):
            raise ValueError(
                f"expected output {index} of {name} to be the {activation} of what came before it, got "
                f"{_some(one)}, and of that {_some(other)}: expose(model, outputs=...) names the layer of "
                "the logits"
            )

    unknown = [index for index, each in explained.items() if _are_probabilities(each)]
    if unknown and info.own not in _PROBABILITIES:
        alone = len(explained) == 1
        _PROBABILITIES[info.own] = "the outputs" if alone else f"output{'s' * (len(unknown) > 1)} {unknown}"


def _heard(
    info: ModelInfo, inputs: Any, output: str | int | None
) -> tuple[list[tf.Tensor], dict[tuple[int, str], tuple[tf.Tensor, tf.Tensor]], dict[int, tf.Tensor]]:
    """What the model says; its probabilities, as they are and made of logits; what else is explained."""
    model = expose_logits(info.model)
    heard = model.signals(inputs)
    said, logits = keras.tree.flatten(heard.said), keras.tree.flatten(heard.outputs)
    probabilities = {
        (index, activation): (said[index], getattr(keras.activations, activation)(logits[index]))
        for index, activation in enumerate(heard.activations)
        if activation is not None
    }
    if output is not None:
        heard = model.signals(inputs, output=output)
    rest = {
        index: each
        for index, each in enumerate(keras.tree.flatten(heard.outputs))
        if heard.activations[index] is None and each.dtype.is_floating
    }
    return _numbers(said), probabilities, rest


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


def _are_probabilities(output: tf.Tensor) -> bool:
    """Whether numbers lie from 0 to 1 and add up to 1, along an axis that is not of images."""
    numbers = np.asarray(output, np.float64)
    if numbers.ndim < 2 or not (numbers >= 0).all():
        return False
    axes = [axis for axis in range(1, numbers.ndim) if numbers.shape[axis] > 1]
    return any(np.allclose(numbers.sum(axis), 1, atol=1e-3) for axis in axes)


def _some(output: Any) -> np.ndarray:
    return np.ravel(output)[:3]
