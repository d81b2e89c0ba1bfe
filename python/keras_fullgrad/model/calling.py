"""Calls models as their own ``call`` takes inputs."""

import inspect
from typing import Any

import keras


def arguments(model: keras.Model) -> list[str]:
    """The arguments that a model's ``call`` needs.

    Args:
        model: The model.

    Returns:
        Their names, in their order: one for most models, several for a ``call(self, image, age)``.

    Example:
        >>> arguments(keras.Sequential([keras.layers.Dense(2)]))
        ['inputs']
    """
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        name
        for name, each in inspect.signature(model.call).parameters.items()
        if each.kind in positional and each.default is inspect.Parameter.empty and name != "training"
    ]


def call(model: keras.Model, inputs: Any, training: bool = False) -> Any:
    """Calls a model: where it takes several arguments, each gets one of several inputs.

    Args:
        model: The model.
        inputs: Its inputs: a list or tuple in the order of the arguments, or a dictionary by their names.
        training: Whether layers run as in training.

    Returns:
        What the model puts out.

    Example:
        >>> call(keras.Sequential([keras.layers.Dense(2)]), np.ones([1, 3])).shape
        TensorShape([1, 2])
    """
    names = arguments(model)
    if len(names) > 1 and isinstance(inputs, dict) and set(names) == set(inputs):
        return model(**inputs, training=training)
    if len(names) > 1 and isinstance(inputs, (list, tuple)) and len(names) == len(inputs):
        return model(*inputs, training=training)
    return model(inputs, training=training)
