"""What, besides its weights, decides what a model computes."""

import types
import weakref
from collections.abc import Hashable
from typing import Any

import keras

from keras_fullgrad import _keras
from keras_fullgrad.model import layers

_PLAIN = frozenset([bool, int, float, complex, str, bytes, type(None)])

# What Keras itself assigns while layers are called and models trained.
_BOOKKEEPING = {
    *("_called", "_loss_ids", "_losses", "_losses_override", "_metrics"),
    *("_self_setattr_tracking", "_self_update_uid"),
}
_TRAINING = {
    *("compiled", "history", "loss", "optimizer", "run_eagerly", "steps_per_execution"),
    *("predict_function", "test_function", "train_function"),
    *("stop_evaluating", "stop_predicting", "stop_training"),
}


def configuration(model: keras.Model) -> Hashable:
    """Tells by which attributes a model computes: equal as long as none was assigned anew.

    What is assigned, such as ``layer.activation = keras.activations.gelu``, and what ``quantize`` and
    ``enable_lora`` do, changes it. What a list or a dictionary holds is not looked at; weights are read at
    each call anyway.

    Args:
        model: The model, not exposed.

    Returns:
        Something to compare, which does not keep the model alive.

    Example:
        >>> dense = keras.layers.Dense(2)
        >>> model = keras.Sequential([keras.Input([3]), dense])
        >>> before = configuration(model)
        >>> dense.activation = keras.activations.tanh
        >>> configuration(model) == before
        False
    """
    marks = [
        (name, _mark(value))
        for name, value in _keras.attributes(model).items()
        if name[0] != "_" and name not in _TRAINING
    ]
    for layer in layers.flatten_layers(model):
        marks += [
            (name, _mark(value))
            for name, value in _keras.attributes(layer).items()
            if name not in _BOOKKEEPING
        ]
    return tuple(marks)


def _mark(value: Any) -> Hashable:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple:
        return tuple(map(_mark, value))
    if kind is types.FunctionType:
        # Unlike its id, equal to no other even when the function is gone.
        reference = weakref.ref(value)
        hash(reference)  # It cannot be computed any more when the function is gone.
        return reference
    return id(value)
