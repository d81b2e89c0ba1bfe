"""Looks into models: which layers carry a bias, what the biases are, and where signals run.

The names and the arguments are those of keras-explainable.
"""

import collections
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from keras_fullgrad import affine, interception
from keras_fullgrad.folding import Folding

Link = Literal["bias", "output", "input"]
Descriptor: TypeAlias = int | str | Sequence[str] | keras.Layer | dict[str, Any]

POOLING_LAYERS = (
    keras.layers.Flatten,
    *(getattr(keras.layers, f"Global{kind}Pooling{n}D") for kind in ("Average", "Max") for n in (1, 2, 3)),
)
_LINKS = ("bias", "output", "input")


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A signal of a model: where a layer takes it in, adds its bias, or puts it out.

    Attributes:
        layer: The layer.
        link: ``bias``: right after the bias, before an activation that the layer applies itself;
            ``output``; or ``input``.
        node: Which call of the layer: its index, -1 for the last. None: each.
    """

    layer: keras.Layer
    link: Link = "bias"
    node: int | None = None

    def of(self, application: interception.Application) -> Any:
        """The endpoint's signal in one call of its layer."""
        if self.link == "bias":
            return application.preactivation
        return application.output if self.link == "output" else application.input


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


def layer_names(model: keras.Model) -> dict[int, str]:
    """Names a model and all layers below it, nested ones by their path.

    No two are alike, and none is ``input``, as the term of the input is called.

    Args:
        model: The model, exposed or not.

    Returns:
        The names, by the ``id`` of the layer.

    Example:
        >>> inner = keras.Sequential([keras.layers.Dense(2, name="a")], name="body")
        >>> model = keras.Sequential([inner], name="net")
        >>> list(layer_names(model).values())
        ['net', 'body', 'body/a']
    """
    model = model.model if isinstance(model, ExposedModel) else model
    names = {}
    taken = collections.Counter(["input"])
    for path, layer in [(model.name, model), *_paths(model)]:
        taken[path] += 1
        names[id(layer)] = path if taken[path] == 1 else f"{path}~{taken[path]}"
    return names


def _paths(model: keras.Model) -> list[tuple[str, keras.Layer]]:
    found: dict[int, tuple[str, keras.Layer]] = {}

    def visit(parent: keras.Layer, prefix: str) -> None:
        for layer in parent._flatten_layers(include_self=False, recursive=False):
            if id(layer) not in found:
                found[id(layer)] = (prefix + layer.name, layer)
                visit(layer, f"{prefix}{layer.name}/")

    visit(model, "")
    return list(found.values())


def data_layout(model: keras.Model) -> str:
    """Tells where a model's layers expect channels.

    Args:
        model: The model, searched at every depth.

    Returns:
        ``channels_first`` where a layer says so, ``channels_last`` elsewhere.

    Example:
        >>> data_layout(keras.Sequential([keras.layers.MaxPooling2D(data_format="channels_first")]))
        'channels_first'
    """
    formats = {getattr(layer, "data_format", None) for layer in flatten_layers(model)}
    return "channels_first" if "channels_first" in formats else "channels_last"


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
        nodes = endpoint.layer._inbound_nodes
        if not nodes:
            raise ValueError(
                f"expected layer '{endpoint.layer.name}' to be part of a functional graph, "
                "got a layer that was never called on a symbolic tensor; expose() needs no graph"
            )
        node = nodes[-1 if endpoint.node is None else endpoint.node]
        found = node.input_tensors if endpoint.link == "input" else node.output_tensors
        tensors.append(found[0] if len(found) == 1 else found)
    return tensors


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
    excluded = {id(layer) for layer in exclude}
    layers = [
        layer for layer in flatten_layers(model) if id(layer) not in excluded and affine.has_bias(layer)
    ]
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


class Signal(NamedTuple):
    """An exposed signal.

    Attributes:
        position: The index of its endpoint.
        tensor: The signal; where a batch norm after it was folded, what that put out.
        slope: The derivative of ``tensor`` by the signal, (channels,), if they are not the same.
    """

    position: int
    tensor: tf.Tensor
    slope: tf.Tensor | None = None


class ExposedModel(keras.Model):
    """A model that also puts out signals from within.

    Made by :func:`expose`. Called, it returns ``[logits, *signals]``, with one signal for each time
    that a layer was applied. It shares the layers of the model it was made from, and leaves that as
    it is.

    Attributes:
        model: The model it was made from.
        arguments: The endpoints it exposes.
    """

    def __init__(self, model: keras.Model, arguments: Sequence[Endpoint], logits: Endpoint | None):
        super().__init__(name=f"{model.name}_exposed")
        self.model = model
        # Tuples of plain objects, which Keras does not track as layers a second time.
        self.arguments = tuple(arguments)
        self.logits = logits
        self.built = model.built

    @property
    def inputs(self) -> list[keras.KerasTensor] | None:
        """The symbolic inputs of the model, where it has any."""
        return getattr(self.model, "inputs", None)

    def call(self, inputs: Any, training: bool = False) -> list[tf.Tensor]:
        """Returns ``[logits, *signals]``."""
        logits, signals = self.signals(inputs, training=training)
        return [logits, *(signal.tensor for signal in signals)]

    def signals(
        self,
        inputs: Any,
        training: bool = False,
        tap: interception.Tap | None = None,
        folding: Folding | None = None,
    ) -> tuple[tf.Tensor, list[Signal]]:
        """Calls the model.

        Args:
            inputs: The inputs of the model.
            training: Whether layers run as in training.
            tap: What may replace signals on their way, as `interception.listening` takes it.
            folding: What computes batch norms in one with the layers before them, whose own signals are
                then seen only by their gradients.

        Returns:
            The logits and the exposed signals, in the order of the endpoints.

        Raises:
            ValueError: If the model never called a layer that was to be exposed.
        """
        layers = [self.model, *flatten_layers(self.model)]
        while True:
            applications: list[interception.Application] = []
            replace = None if folding is None else functools.partial(folding.replace, applications)
            with (
                interception.listening(layers, applications.append, tap, replace),
                interception.any_size(layers),
            ):
                outputs = self.model(inputs, training=training)
            if self.logits is None:
                logits = _before_softmax(_single(outputs), applications)
            else:
                logits = self._found(applications, self.logits)[0]
            if folding is None or folding.settled([logits, *keras.tree.flatten(outputs)]):
                break

        found = [
            Signal(position, tensor)
            for position, endpoint in enumerate(self.arguments)
            for tensor in self._found(applications, endpoint)
        ]
        if folding is not None:
            found = [Signal(signal.position, *folding.find(signal.tensor)) for signal in found]
            logits = folding.keep_fusions(logits)
        return logits, found

    def _found(self, applications: list[interception.Application], endpoint: Endpoint) -> list[tf.Tensor]:
        tensors = [endpoint.of(a) for a in applications if a.layer is endpoint.layer]
        if endpoint.node is None:
            return tensors
        if not -len(tensors) <= endpoint.node < len(tensors):
            raise ValueError(
                f"expected model '{self.model.name}' to call layer '{endpoint.layer.name}' often enough "
                f"for node {endpoint.node}, it did {len(tensors)} times"
            )
        return [tensors[endpoint.node]]


def count_classes(model: keras.Model) -> int | None:
    """Counts the logits of a model, where that is known without calling it.

    Args:
        model: The model, exposed or not.

    Returns:
        The number of classes, or None.

    Example:
        >>> count_classes(keras.Sequential([keras.Input([4]), keras.layers.Dense(2)]))
        2
    """
    if isinstance(model, ExposedModel):
        if model.logits is not None:
            return getattr(model.logits.layer, "units", None)
        model = model.model
    outputs = getattr(model, "outputs", None)
    return outputs[0].shape[-1] if outputs else None


def _single(outputs: Any) -> tf.Tensor:
    outputs = keras.tree.flatten(outputs)
    if len(outputs) != 1:
        raise ValueError(
            f"expected a model with one output, got {len(outputs)}; "
            "name the layer of the logits: expose(model, outputs=...)"
        )
    return outputs[0]


def _before_softmax(output: tf.Tensor, applications: Sequence[interception.Application]) -> tf.Tensor:
    """What came before a softmax or sigmoid that ends the model, in a layer of its own or within one."""
    for application in reversed(applications):
        if application.output is not output:
            continue
        if isinstance(application.layer, keras.layers.Softmax):
            return application.input
        activation = keras.activations.get(getattr(application.layer, "activation", None))
        if activation in (keras.activations.softmax, keras.activations.sigmoid):
            return application.preactivation
    return output


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
            ``layer``, ``link`` and ``node``. None: every layer that adds a bias, but for the logits
            layer.
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
    if isinstance(model, ExposedModel):
        raise ValueError(f"expected a model that is not exposed yet, got '{model.name}'")
    if not model.built:
        raise ValueError(
            f"expected model '{model.name}' to be built, got one without weights: call it on an input"
        )
    if arguments is None:
        exclude = [layer for layer in flatten_layers(model) if getattr(layer, "kernel", None) is not None][
            -1:
        ]
        arguments = layers_with_biases(model, exclude=exclude, return_biases=False)
    elif isinstance(arguments, (str, int, tuple, dict, keras.Layer)):
        arguments = [arguments]
    logits = None if outputs is None else _resolve(model, _one(outputs), link=link, node=-1)
    return ExposedModel(model, [_resolve(model, a, link=link, node=None) for a in arguments], logits)


def _one(outputs: Any) -> Descriptor:
    if not isinstance(outputs, list):
        return outputs
    if len(outputs) != 1:
        raise ValueError(f"expected one endpoint as outputs, got {len(outputs)}")
    return outputs[0]


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
