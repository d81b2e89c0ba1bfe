"""What, besides its weights, decides what a model computes."""

import types
import weakref
from collections.abc import Hashable
from typing import Any

import keras

from keras_fullgrad import _keras
from keras_fullgrad.model import layers

_PLAIN = frozenset([bool, int, float, complex, str, bytes, type(None)])

# What every layer has for Keras's own use: it keeps track of calls, variables and saving, and decides neither
# what is computed nor what terms are called. Most attributes are such, and reading all takes milliseconds.
_DECIDING = {
    "_dtype_policy",
    "_input_spec",
    "_remat_mode",
    "_supports_masking",
    "_trainable",
    "autocast",
    "built",
    "name",
}
# With a name and a type, so that neither Keras's counter of names nor its default type is asked for.
# That type, asked for once, stays, and `keras.config.set_floatx` would come too late.
_ANY_LAYER = keras.layers.Layer(name="any", dtype="float32")
_BOOKKEEPING = frozenset(vars(_ANY_LAYER)) - _DECIDING | {
    *("_self_name_based_restores", "_self_saveable_object_factories", "_self_update_uid"),
    *("_self_unconditional_checkpoint_dependencies", "_self_unconditional_deferred_dependencies"),
    "_self_unconditional_dependency_names",
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
    marks: list[Hashable] = []
    for name, value in _keras.attributes(model).items():
        if name[0] != "_" and name not in _TRAINING:
            marks += (name, _mark(value))
    for layer in layers.flatten_layers(model):
        for name, value in _keras.attributes(layer).items():
            if name not in _BOOKKEEPING:
                marks += (name, value if type(value) in _PLAIN else _mark(value))
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
