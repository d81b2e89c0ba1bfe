"""Models that also put out signals from within."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import keras
import tensorflow as tf

from keras_fullgrad import _keras
from keras_fullgrad.model import affine, calling, layers, listening, logits, random_numbers
from keras_fullgrad.model.rewriting import Rewriting

Link = Literal["bias", "output", "input"]


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

    def of(self, application: listening.Application) -> Any:
        """The endpoint's signal in one call of its layer."""
        if self.link == "bias":
            # A Softmax layer is an activation and nothing else.
            of_softmax = isinstance(application.layer, keras.layers.Softmax)
            return application.input if of_softmax else application.preactivation
        return application.output if self.link == "output" else application.input


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


class Heard(NamedTuple):
    """What was heard of a call of a model.

    Attributes:
        outputs: What it put out, or the output that was asked for, before softmaxes and sigmoids.
        signals: The exposed signals, in the order of the endpoints.
        activations: For each of the outputs the softmax or sigmoid that is taken off, by name, or None.
        said: All outputs of the model, as they are.
    """

    outputs: Any
    signals: list[Signal]
    activations: tuple[str | None, ...] = ()
    said: Any = None

    @property
    def binary(self) -> bool:
        """Whether it is one output, which a sigmoid made."""
        return self.activations == ("sigmoid",)


class ExposedModel(keras.Model):
    """A model that also puts out signals from within.

    Made by :func:`keras_fullgrad.inspection.expose`. Called, it returns ``[logits, *signals]``, with one
    signal for each time that a layer was applied. It shares the layers of the model it was made from, and
    leaves that as it is.

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
        heard = self.signals(inputs, training=training)
        return [logits.single(heard.outputs), *(signal.tensor for signal in heard.signals)]

    def signals(
        self,
        inputs: Any,
        training: bool = False,
        substitute: listening.Substitute | None = None,
        rewriting: Rewriting | None = None,
        output: str | int | None = None,
    ) -> Heard:
        """Calls the model.

        Args:
            inputs: The inputs of the model.
            training: Whether layers run as in training.
            substitute: What may replace signals on their way, as `listening.listening` takes it.
            rewriting: What computes layers another way. The signals before batch norms that it computes in
                one with the layers before them are then seen only by their gradients.
            output: Which of the outputs is wanted; see `logits.chosen`. None: all.

        Returns:
            What was heard.

        Raises:
            ValueError: If the model never called a layer that was to be exposed.
        """
        heard = [self.model, *layers.flatten_layers(self.model)]
        while True:
            applications: list[listening.Application] = []
            rules = (None, None) if rewriting is None else rewriting.of_call(applications)
            with (
                listening.listening(heard, applications.append, substitute, *rules),
                _keras.any_size(heard),
                _keras.floats_kept(heard),
                contextlib.nullcontext() if training else random_numbers.repeated(),
            ):
                outputs = _present(calling.call(self.model, inputs, training))
            explained, activations = self._explained(outputs, output, applications)
            flat = keras.tree.flatten(explained)
            if rewriting is None or rewriting.folding.settled([*flat, *keras.tree.flatten(outputs)]):
                break

        found = [
            Signal(position, tensor)
            for position, endpoint in enumerate(self.arguments)
            for tensor in self._found(applications, endpoint)
        ]
        if rewriting is not None:
            folding = rewriting.folding
            found = [Signal(signal.position, *folding.find(signal.tensor)) for signal in found]
            explained = keras.tree.map_structure(folding.keep_fusions, explained)
        return Heard(explained, found, activations, outputs)

    def _explained(
        self, outputs: Any, output: str | int | None, applications: list[listening.Application]
    ) -> tuple[Any, tuple[str | None, ...]]:
        """What is to be explained, and what made the outputs of it."""
        # A softmax of the model's own is seen in what the model made, not in what replaced that.
        own = applications[-1] if applications and applications[-1].layer is self.model else None
        made = outputs if own is None else _present(own.made)
        if output is not None:
            made = logits.chosen(made, output, self.model, [(a.layer, a.made) for a in applications])
            outputs = logits.chosen(outputs, output, self.model, [(a.layer, a.output) for a in applications])
        elif self.logits is not None:
            return self._found(applications, self.logits)[0], (None,)
        found = [logits.before_probabilities(each, applications) for each in keras.tree.flatten(made)]
        explained = [
            each if activation is None else before
            for each, (before, activation) in zip(keras.tree.flatten(outputs), found, strict=True)
        ]
        return keras.tree.pack_sequence_as(outputs, explained), tuple(activation for _, activation in found)

    def _found(self, applications: list[listening.Application], endpoint: Endpoint) -> list[tf.Tensor]:
        tensors = [endpoint.of(a) for a in applications if a.layer is endpoint.layer]
        if endpoint.node is None:
            return tensors
        if not -len(tensors) <= endpoint.node < len(tensors):
            raise ValueError(
                f"expected model '{self.model.name}' to call layer '{endpoint.layer.name}' often enough "
                f"for node {endpoint.node}, it did {len(tensors)} times"
            )
        return [tensors[endpoint.node]]


def _present(outputs: Any) -> Any:
    """What a model put out, without the entries of dictionaries, lists and tuples that are None."""
    if isinstance(outputs, dict):
        return type(outputs)((key, _present(each)) for key, each in outputs.items() if each is not None)
    if type(outputs) in (list, tuple):
        return type(outputs)(_present(each) for each in outputs if each is not None)
    return outputs


def expose(
    model: keras.Model,
    arguments: Sequence[Endpoint] | None = None,
    outputs: Endpoint | None = None,
) -> ExposedModel:
    """Makes a model that also puts out signals from within, for any kind of Keras model.

    Args:
        model: The model; it is not changed.
        arguments: What to expose. None: every layer that adds a bias.
        outputs: What is to be explained. None: the model's output, before a softmax or sigmoid that ends it.

    Returns:
        A model that returns ``[logits, *signals]``.

    Raises:
        ValueError: If the model is exposed already, or has no weights yet.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> [tuple(t.shape) for t in expose(model)(np.ones([1, 8, 8, 3]))]
        [(1, 2), (1, 6, 6, 4), (1, 2)]
    """
    if isinstance(model, ExposedModel):
        raise ValueError(f"expected a model that is not exposed yet, got '{model.name}'")
    if not model.built:
        raise ValueError(
            f"expected model '{model.name}' to be built, got one without weights: call it on an input"
        )
    if arguments is None:
        arguments = [Endpoint(layer) for layer in layers_with_biases(model)]
    return ExposedModel(model, arguments, outputs)


def expose_logits(model: keras.Model) -> ExposedModel:
    """Exposes nothing but the logits; a model that is exposed already, as it is.

    Args:
        model: The model, exposed or not.

    Returns:
        The exposed model.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2, activation="softmax")])
        >>> len(expose_logits(model)(np.ones([1, 4])))
        1
    """
    return model if isinstance(model, ExposedModel) else expose(model, [])


def layers_with_biases(model: keras.Model, exclude: Sequence[keras.Layer] = ()) -> list[keras.Layer]:
    """Lists the layers that add a bias: those with one, and normalizations.

    Args:
        model: The model, searched at every depth.
        exclude: Layers to leave out, such as the logits layer.

    Returns:
        The layers.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3), keras.layers.ReLU()])
        >>> layers_with_biases(model)[0].filters
        4
    """
    excluded = {id(layer) for layer in exclude}
    return [
        layer
        for layer in (*layers.flatten_layers(model), model)
        if id(layer) not in excluded and affine.has_bias(layer)
    ]
