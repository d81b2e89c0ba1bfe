"""Which layers a model holds, at every depth, and what they are called."""

import collections
from collections.abc import Sequence

import keras

from keras_fullgrad import _keras


def flatten_layers(model: keras.Model) -> list[keras.Layer]:
    """Lists all layers below a model, nested ones after the layer that holds them, in their order.

    Args:
        model: The model.

    Returns:
        Each layer once.

    Example:
        >>> inner = keras.Sequential([keras.layers.Dense(2, name="a"), keras.layers.ReLU(name="b")])
        >>> [layer.name for layer in flatten_layers(keras.Sequential([inner]))][1:]
        ['a', 'b']
    """
    return [layer for _, layer in _paths(model)]


def compute_types(model: keras.Model) -> set[str]:
    """Lists the types that a model and its layers compute in.

    Args:
        model: The model.

    Returns:
        The types' names, each once.

    Example:
        >>> half = keras.layers.Dense(2, dtype="mixed_bfloat16")
        >>> sorted(compute_types(keras.Sequential([half])))
        ['bfloat16', 'float32']
    """
    return {layer.compute_dtype for layer in (model, *flatten_layers(model))}


def layer_names(model: keras.Model) -> dict[int, str]:
    """Names a model and all layers below it, nested ones by their path.

    No two are alike, and none is ``input``, as the term of the input is called.

    Args:
        model: The model, not exposed.

    Returns:
        The names, by the ``id`` of the layer.

    Example:
        >>> inner = keras.Sequential([keras.layers.Dense(2, name="a")], name="body")
        >>> model = keras.Sequential([inner], name="net")
        >>> list(layer_names(model).values())
        ['net', 'body', 'body/a']
    """
    names = {}
    taken = collections.Counter(["input"])
    for path, layer in [(model.name, model), *_paths(model)]:
        taken[path] += 1
        names[id(layer)] = path if taken[path] == 1 else f"{path}~{taken[path]}"
    return names


def _paths(model: keras.Model) -> list[tuple[str, keras.Layer]]:
    found: dict[int, tuple[str, keras.Layer]] = {}

    def visit(parent: keras.Layer, prefix: str) -> None:
        for layer in _keras.sublayers(parent):
            if id(layer) not in found:
                found[id(layer)] = (prefix + layer.name, layer)
                visit(layer, f"{prefix}{layer.name}/")

    visit(model, "")
    return list(found.values())


def get_nested_layer(model: keras.Model, name: str | Sequence[str]) -> keras.Layer:
    """Retrieves a layer by its name, or by the names on the way to it.

    Args:
        model: The model that holds the layer.
        name: A name, or a list of names, each within the layer before it.

    Returns:
        The layer.

    Raises:
        ValueError: If there is no such layer.

    Example:
        >>> inner = keras.Sequential([keras.layers.Dense(2, name="head")], name="body")
        >>> get_nested_layer(keras.Sequential([inner]), ["body", "head"]).name
        'head'
    """
    for part in [name] if isinstance(name, str) else name:
        model = model.get_layer(part)
    return model
