"""Looks into models, by keras-explainable's names and arguments; `keras_fullgrad.model` does the work."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from keras_fullgrad import _keras
from keras_fullgrad.model import affine, exposing
from keras_fullgrad.model.exposing import Endpoint, ExposedModel, Link
from keras_fullgrad.model.layers import flatten_layers, get_nested_layer, layer_names

Descriptor: TypeAlias = int | str | Sequence[str] | keras.Layer | dict[str, Any]

POOLING_LAYERS = (
    keras.layers.Flatten,
    *(getattr(keras.layers, f"Global{kind}Pooling{n}D") for kind in ("Average", "Max") for n in (1, 2, 3)),
)
_LINKS = ("bias", "output", "input")


def find_layer_with(
    model: keras.Model,
    name: str | Sequence[str] | None = None,
    properties: Sequence[str] | None = None,
    klass: type[keras.Layer] | tuple[type[keras.Layer], ...] | None = None,
    search_reversed: bool = True,
) -> keras.Layer:
    """Finds the first layer that meets every condition.

    Args:
        model: The model, searched at every depth.
        name: The layer's name, if it is known; the other conditions are then not looked at.
        properties: Attributes that the layer must have, and not as None.
        klass: Classes of which the layer must be one.
        search_reversed: Whether to search from the last layer to the first.

    Returns:
        The layer.

    Raises:
        ValueError: If there is no condition, or no layer meets them.

    Example:
        >>> model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2), keras.layers.ReLU()])
        >>> find_layer_with(model, klass=keras.layers.Dense).units
        2
    """
    if name is None and properties is None and klass is None:
        raise ValueError("expected a name, properties or a klass to search for, got none of them")
    if name is not None:
        return get_nested_layer(model, name)
    layers = flatten_layers(model)
    for layer in reversed(layers) if search_reversed else layers:
        if klass is not None and not isinstance(layer, klass):
            continue
        if properties and any(getattr(layer, p, None) is None for p in properties):
            continue
        return layer
    raise ValueError(
        f"expected a layer with properties={properties} and klass={klass} in model "
        f"'{model.name}', found none among its {len(layers)} layers"
    )


def get_logits_layer(model: keras.Model, name: str | Sequence[str] | None = None) -> keras.Layer:
    """Retrieves the layer that computes the logits: the last one with a kernel.

    Args:
        model: The model.
        name: The layer's name, if it is known.

    Returns:
        The layer.

    Raises:
        ValueError: If no layer has a kernel.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2), keras.layers.Softmax()])
        >>> get_logits_layer(model).units
        2
    """
    return find_layer_with(model, name, properties=["kernel"])


def get_global_pooling_layer(model: keras.Model, name: str | Sequence[str] | None = None) -> keras.Layer:
    """Retrieves the last layer that pools over all positions, or flattens them.

    Args:
        model: The model.
        name: The layer's name, if it is known.

    Returns:
        The layer.

    Raises:
        ValueError: If there is none.

    Example:
        >>> model = keras.Sequential([keras.layers.GlobalMaxPooling2D(name="pool"), keras.layers.Dense(2)])
        >>> get_global_pooling_layer(model).name
        'pool'
    """
    return find_layer_with(model, name, klass=POOLING_LAYERS)


def endpoints(model: keras.Model, endpoints: Sequence[Descriptor]) -> list[keras.KerasTensor]:
    """Collects symbolic tensors of a functional model.

    Args:
        model: The model.
        endpoints: Layers, indices, names, or dictionaries with ``name`` or ``layer``, ``link``
            (``input`` or ``output``, the default) and ``node`` (an index, or ``last``, the default).

    Returns:
        A symbolic tensor for each descriptor.

    Raises:
        ValueError: If a descriptor is not of these kinds, or its layer is part of no graph.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2, name="head")])
        >>> endpoints(model, ["head"])[0].shape
        (None, 2)
    """
    tensors = []
    for descriptor in endpoints:
        endpoint = _resolve(model, descriptor, link="output", node=-1)
        node = -1 if endpoint.node is None else endpoint.node
        found = _keras.symbolic_tensors(endpoint.layer, node, endpoint.link == "input")
        tensors.append(found[0] if len(found) == 1 else found)
    return tensors


def layers_with_biases(
    model: keras.Model, exclude: Sequence[keras.Layer] = (), return_biases: bool = True
) -> list[keras.Layer] | tuple[list[keras.Layer], list[tf.Tensor]]:
    """Lists the layers that add a bias: those with one, and normalizations.

    Args:
        model: The model, searched at every depth.
        exclude: Layers to leave out, such as the logits layer.
        return_biases: Whether to return the biases too.

    Returns:
        The layers, or the layers and their biases as they are now.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3), keras.layers.ReLU()])
        >>> layers, biases = layers_with_biases(model)
        >>> layers[0].filters, biases[0].shape
        (4, TensorShape([4]))
    """
    layers = exposing.layers_with_biases(model, exclude)
    return (layers, biases(layers)) if return_biases else layers


def biases(layers: Sequence[keras.Layer]) -> list[tf.Tensor]:
    r"""Computes the bias that each layer adds to its linear part.

    That of a batch norm is :math:`\beta - \mu\gamma / \sqrt{\sigma^2 + \epsilon}`, with the layer's
    own :math:`\epsilon`; that of a layer or group norm, whose statistics belong to the image, is
    :math:`\beta`.

    Args:
        layers: Built layers.

    Returns:
        A tensor for each layer; zeros where a normalization has no :math:`\beta` to add.

    Raises:
        ValueError: If a layer has no bias, or is not built.

    Example:
        >>> norm = keras.layers.BatchNormalization(epsilon=0.5)
        >>> norm.build([None, 3])
        >>> biases([norm])[0].numpy().tolist()
        [0.0, 0.0, 0.0]
    """
    return [affine.bias(layer) for layer in layers]


def expose(
    model: keras.Model,
    arguments: Descriptor | Sequence[Descriptor] | None = None,
    outputs: Descriptor | None = None,
    *,
    link: Link = "bias",
) -> ExposedModel:
    """Makes a model that also puts out signals from within, for any kind of Keras model.

    Args:
        model: The model; it is not changed.
        arguments: What to expose: layers, indices, names, or dictionaries with ``name`` or
            ``layer``, ``link`` and ``node``. None: every layer that adds a bias.
        outputs: What is to be explained, likewise. None: the model's output, before a softmax or
            sigmoid that ends it.
        link: Where a layer's signal is taken, unless its descriptor says so: ``bias``, right after
            the bias was added and before an activation of the layer's own, where FullGrad needs
            it; ``output``, as keras-explainable does; or ``input``.

    Returns:
        A model that returns ``[logits, *signals]``.

    Raises:
        ValueError: If a descriptor fits no layer.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, name="c"),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> [tuple(t.shape) for t in expose(model, ["c"])(np.ones([1, 8, 8, 3]))]
        [(1, 2), (1, 6, 6, 4)]
    """
    if isinstance(arguments, (str, int, tuple, dict, keras.Layer)):
        arguments = [arguments]
    found = None if arguments is None else [_resolve(model, each, link, node=None) for each in arguments]
    logits = None if outputs is None else _resolve(model, _one(outputs), link, node=-1)
    if found is None and link != "bias":
        found = [Endpoint(each.layer, link) for each in exposing.expose(model).arguments]
    return exposing.expose(model, found, logits)


def gather_units(
    tensor: tf.Tensor, indices: tf.Tensor | None, axis: int = -1, batch_dims: int = -1
) -> tf.Tensor:
    """Gathers units of the last axis, others for each image.

    Args:
        tensor: The units, (batch, units).
        indices: Which to gather, (batch, K). None: all.
        axis: The axis of the units.
        batch_dims: How many dimensions ``tensor`` and ``indices`` share.

    Returns:
        The gathered units, (batch, K).

    Example:
        >>> gather_units(tf.constant([[1, 2], [3, 4]]), tf.constant([[1], [0]])).numpy().tolist()
        [[2], [3]]
    """
    if indices is None:
        return tensor
    return tf.gather(tensor, indices, axis=axis, batch_dims=batch_dims)


def _resolve(model: keras.Model, descriptor: Descriptor, link: Link, node: int | None) -> Endpoint:
    if isinstance(descriptor, Endpoint):
        return descriptor
    if isinstance(descriptor, int):
        descriptor = {"layer": model.layers[descriptor]}
    elif isinstance(descriptor, keras.Layer):
        descriptor = {"layer": descriptor}
    elif isinstance(descriptor, (str, tuple)):
        descriptor = {"name": descriptor}
    if not isinstance(descriptor, dict) or not {"layer", "name"} & descriptor.keys():
        raise ValueError(
            "expected an endpoint to be a layer, its index or name, or a dictionary with 'layer' or "
            f"'name' and optionally 'link' and 'node', got {descriptor!r}"
        )
    layer = descriptor.get("layer") or get_nested_layer(model, descriptor["name"])
    node = descriptor.get("node", node)
    endpoint = Endpoint(layer, descriptor.get("link", link), -1 if node == "last" else node)
    if endpoint.link not in _LINKS:
        raise ValueError(f"expected link to be one of {', '.join(_LINKS)}, got {endpoint.link!r}")
    return endpoint


def _one(outputs: Any) -> Descriptor:
    if not isinstance(outputs, list):
        return outputs
    if len(outputs) != 1:
        raise ValueError(f"expected one endpoint as outputs, got {len(outputs)}")
    return outputs[0]


__all__ = [
    "POOLING_LAYERS",
    "Descriptor",
    "Endpoint",
    "ExposedModel",
    "Link",
    "biases",
    "endpoints",
    "expose",
    "find_layer_with",
    "flatten_layers",
    "gather_units",
    "get_global_pooling_layer",
    "get_logits_layer",
    "get_nested_layer",
    "layer_names",
    "layers_with_biases",
]
