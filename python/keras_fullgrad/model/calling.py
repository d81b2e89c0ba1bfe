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
    empty = inspect.Parameter.empty
    return [name for name, each in _parameters(model).items() if each.default is empty and name != "training"]


def call(model: keras.Model, inputs: Any, training: bool = False) -> Any:
    """Calls a model: where it takes several arguments, each gets one of several inputs.

    Args:
        model: The model.
        inputs: Its inputs: a list or tuple in the order of the arguments that it needs, or a dictionary by
            the names of all or some, those that it needs among them.
        training: Whether layers run as in training.

    Returns:
        What the model puts out.

    Raises:
        ValueError: If it needs several arguments, and the inputs are others.

    Example:
        >>> call(keras.Sequential([keras.layers.Dense(2)]), np.ones([1, 3])).shape
        TensorShape([1, 2])
    """
    needed, known = arguments(model), _parameters(model)
    if isinstance(inputs, dict) and len(inputs) > 1 and set(needed) <= set(inputs) <= set(known):
        return model(**inputs, training=training)
    positional = [name for name in needed if known[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    if (
        len(needed) > 1
        and isinstance(inputs, (list, tuple))
        and len(needed) == len(inputs) == len(positional)
    ):
        return model(*inputs, training=training)
    if len(needed) > 1:
        got = sorted(inputs) if isinstance(inputs, dict) else f"{len(keras.tree.flatten(inputs))}"
        raise ValueError(
            f"expected inputs for the arguments {needed} of the call of model '{model.name}', as a "
            f"dictionary by these names, or as a tuple in their order, got {got}"
        )
    return model(inputs, training=training)


def _parameters(model: keras.Model) -> dict[str, inspect.Parameter]:
    """What may be given to a model's ``call`` by name."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(model.call).parameters.items()
    return {name: each for name, each in found if each.kind not in several}
