"""Splits logits into the terms of their full gradients.

A logit is the sum of one term for each input and one for each bias. A layer's *explicit* bias is a
weight, or what a normalization's weights amount to. What a layer that is not linear adds beyond that is
its *implicit* bias, :math:`f(z) - J_f(z) z`, a tensor of the signal's own shape.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_fullgrad.model import affine, layers
from keras_fullgrad.model.exposing import ExposedModel, Heard, Signal
from keras_fullgrad.model.rewriting import Rewriting
from keras_fullgrad.targets.outputs import as_target
from keras_fullgrad.targets.target import Target
from keras_fullgrad.terms import implicit
from keras_fullgrad.terms.additions import additions, is_known, is_read
from keras_fullgrad.terms.positions import Positions, follow
from keras_fullgrad.terms.scaling import Gradient, differentiate

_DRAWING = ("Multinomial", "ParameterizedTruncatedNormal", "Random", "StatefulRandom", "TruncatedNormal")


@dataclasses.dataclass(frozen=True)
class Term:
    """A bias, and the signal that holds it.

    Attributes:
        name: The name of the layer whose own operations added the bias, with those of the models that hold
            it; ``signal 0`` and so on in a model that does not tell its layers.
        kind: The layer's class.
        signal: The signal right after; where a batch norm after it was folded, what that put out.
        bias: A vector of channels, or a tensor of the signal's shape.
        implicit: Whether the bias is that of an operation that is not linear.
        slope: What the gradient at ``signal`` is to be multiplied by to be that where the bias was added,
            shaped as the bias. None: 1.
    """

    name: str
    kind: str
    signal: tf.Tensor
    bias: tf.Tensor
    implicit: bool = False
    slope: tf.Tensor | None = None


class ForwardPass(NamedTuple):
    """What a model computed, and the tape to differentiate it.

    Attributes:
        outputs: All logits, (batch, classes). None: what is explained is not one of them.
        logits: What is explained, (batch, K): logits, or what a target makes of the outputs.
        classes: Which classes they are of, (batch, K). None: of none.
        targets: For each of the K one scalar per image, (batch,).
        terms: The biases, in the order in which the signals were computed, implicit ones last.
        positions: Where signals lie in the input that a map is drawn over; None out of a traced function.
        unseen: The names of layers whose biases are read where no layer is heard, as within a loop.
        tape: Holds the gradients of the targets with respect to the inputs and the signals.
        inputs: The inputs of floating type.
        half: Whether layers compute in float16, in which gradients fall below what can be told from 0.
        target: The name of what is explained.
        said: The outputs that it is made of.
    """

    outputs: tf.Tensor | None
    logits: tf.Tensor
    classes: tf.Tensor | None
    targets: list[tf.Tensor]
    terms: list[Term]
    positions: Positions | None
    unseen: list[str]
    tape: tf.GradientTape
    inputs: list[tf.Tensor]
    half: bool
    target: str
    said: list[tf.Tensor]

    def differentiate(
        self, target: tf.Tensor, signals: Sequence[tf.Tensor], after: Sequence[tf.Tensor] = ()
    ) -> list[Gradient | None]:
        """Goes back from a target to signals.

        Args:
            target: One logit per image, (batch,).
            signals: The signals, or inputs.
            after: Tensors that are to be computed before.

        Returns:
            The gradient at each; None where the target does not depend on it.
        """
        with tf.control_dependencies(after):
            start = tf.ones_like(target)
        if self.half and not tf.executing_eagerly():
            return differentiate(target, signals, self.inputs, start)
        gradients = self.tape.gradient(target, signals, start)
        return [None if gradient is None else Gradient(gradient) for gradient in gradients]

    def term_of_target(self) -> Term:
        """What a target adds of itself, where it is not linear: by the outputs alone, without a pass."""
        total = []
        for value in self.targets:
            own = value
            for x, gradient in zip(self.said, self.tape.gradient(value, self.said), strict=True):
                if gradient is not None:
                    product = tf.reduce_sum(tf.reshape(x * gradient, [tf.shape(value)[0], -1]), axis=1)
                    own -= tf.cast(product, value.dtype)
            total.append(own)
        return Term(self.target, "Target", self.logits, tf.stack(total, axis=-1), implicit=True)

    @property
    def located(self) -> Positions:
        """Where signals lie, in a traced function."""
        if self.positions is None:
            raise ValueError(
                "expected a traced function, whose graph tells where signals lie, got eager execution"
            )
        return self.positions

    @property
    def channel_axis(self) -> int:
        """The axis of channels of the input that a map is drawn over."""
        return self.located.channel_axis


def forward(
    model: keras.Model,
    inputs: Any,
    explained: tf.Tensor | Target | None = None,
    *,
    top: int = 1,
    biases: Sequence[tf.Tensor] | None = None,
    implicit_biases: bool = False,
    fold_batch_norms: bool = False,
    native: bool = True,
    source: tf.Tensor | None = None,
    channel_axis: int | None = None,
) -> ForwardPass:
    """Calls a model, and collects what its logits are made of.

    Args:
        model: A model from :func:`keras_fullgrad.inspection.expose`, or, with ``biases``, one whose outputs
            are ``[logits, *signals]``.
        inputs: The inputs: a tensor, or any structure of tensors that the model takes.
        explained: What to explain: classes, (batch, K), or a target. None: each image's top classes.
        top: How many classes of each image, the highest first, where they are to be found.
        biases: A bias for each exposed layer. None: read from the layers.
        implicit_biases: Whether to collect implicit biases too, which takes a pass through the model of
            its own. With them, the terms add up to the logit.
        fold_batch_norms: Whether to compute the model by the rules of `model.rewriting`, in a traced function
            and without implicit biases, which are of all signals.
        native: Whether these may use the native library.
        source: The input that a map is drawn over. None: the first of them.
        channel_axis: The axis of its channels. None: the one that convolutions add up.

    Returns:
        The forward pass.

    Raises:
        ValueError: If the biases are not as many as the exposed layers, the number of classes is not known,
            the target does not fit the outputs, or implicit biases are asked of a model that was not exposed.

    Example:
        >>> from keras_fullgrad.model.exposing import expose
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(3), keras.layers.Dense(2)])
        >>> [term.bias.shape for term in forward(expose(model), tf.ones([1, 4])).terms]
        [TensorShape([3]), TensorShape([2])]
    """
    exposed = isinstance(model, ExposedModel)
    if implicit_biases and not exposed:
        raise ValueError("expected a model from expose() where implicit biases are wanted, got another one")
    target = as_target(explained)
    totals, total_of_target = (
        implicit.total_biases(model, inputs, target, top) if implicit_biases else ([], None)
    )
    given = keras.tree.flatten(inputs)
    floating = [x for x in given if x.dtype.is_floating]
    source = given[0] if source is None else source
    before = None if tf.executing_eagerly() else len(source.graph.get_operations())
    own = model.model if exposed else model
    half = "float16" in layers.compute_types(own)
    # Gradients in float16 are taken from cut to cut (`terms.scaling`): no op may have one of its own there.
    rewriting = Rewriting(native and not half) if fold_batch_norms and not implicit_biases else None
    listened: list[tuple[keras.Layer, tf.Tensor]] = []

    def note(layer: keras.Layer, signal: tf.Tensor) -> tf.Tensor:
        # A tensor of its own: a layer that goes on with what it handed to another, as around a residual,
        # does so past it, here as where implicit biases are measured.
        listened.append((layer, tf.identity(signal)))
        return listened[-1][1]

    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(floating)
        if exposed:
            heard = model.signals(
                inputs,
                substitute=note if implicit_biases else None,
                rewriting=rewriting,
                output=target.output,
            )
        else:
            outputs, *tensors = model(inputs, training=False)
            heard = Heard(outputs, [Signal(index, tensor) for index, tensor in enumerate(tensors)])
        values, classes, logits = target.explain(heard.outputs, top, heard.binary)
        signals = heard.signals
        scalars = tf.unstack(values, axis=-1)

    graph = None if before is None else source.graph
    if not exposed or biases is not None:
        terms, unseen = _given_terms(model, signals, biases), list[str]()
    else:
        terms, unseen = _explicit_terms(model, signals, rewriting, graph, implicit_biases)
    if implicit_biases:
        _warn_of_random_numbers(graph, before)
        # What does not depend on the inputs is a bias of the layer that takes it in, its own biases included.
        constant = {id(x) for (_, x), total in zip(listened, totals, strict=True) if total is None}
        terms = [term for term in terms if id(term.signal) not in constant]
        terms += _implicit_terms(listened, totals, terms, layers.layer_names(model.model))
        if total_of_target is not None:
            # One of the model's own logits holds what the model computes after its last layer.
            itself = layers.layer_names(model.model)[id(model.model)], type(model.model).__name__
            of = (target.name, "Target") if logits is None else itself
            terms.append(Term(*of, values, total_of_target, implicit=True))
    others = [x for x in given if x is not source]
    positions = None if before is None else follow(source, channel_axis, others, before)
    said = [x for x in keras.tree.flatten(heard.outputs) if x.dtype.is_floating]
    return ForwardPass(
        *(logits, values, classes, scalars, terms, positions, unseen, tape, floating, half),
        target=target.name,
        said=said,
    )


def _warn_of_random_numbers(graph: tf.Graph | None, before: int | None) -> None:
    """Warns of operations that draw other numbers in the pass that computes implicit biases."""
    operations = () if graph is None else graph.get_operations()[before:]
    drawing = sorted({op.type for op in operations if op.type.startswith(_DRAWING)})
    if drawing:
        warnings.warn(
            f"the model draws random numbers by TensorFlow's {', '.join(drawing)}: each pass draws others, "
            "and implicit biases, which take a pass of their own, are not those of the logit. What "
            "keras.random draws is the same in each pass",
            stacklevel=2,
        )


def _given_terms(
    model: keras.Model, signals: Sequence[Signal], biases: Sequence[tf.Tensor] | None
) -> list[Term]:
    """Terms of biases that the caller brought along, one for each exposed layer."""
    exposed = isinstance(model, ExposedModel)
    count = len(model.arguments) if exposed else len(signals)
    if biases is None or len(biases) != count:
        given = 0 if biases is None else len(biases)
        raise ValueError(f"expected a bias for each of the {count} exposed layers, got {given}")
    names = layers.layer_names(model.model) if exposed else {}
    layer_of = [endpoint.layer for endpoint in model.arguments] if exposed else [None] * count
    found = [_term(layer_of[signal.position], biases[signal.position], signal, names) for signal in signals]
    return [term for term in found if term is not None]


def _explicit_terms(
    model: ExposedModel,
    signals: Sequence[Signal],
    rewriting: Rewriting | None,
    graph: tf.Graph | None,
    implicit_biases: bool,
) -> tuple[list[Term], list[str]]:
    """Terms of the layers' own biases, and the layers whose biases are read where they are not heard."""
    names = layers.layer_names(model.model)
    read = affine.bias if rewriting is None else rewriting.folding.bias
    terms: list[Term] = []
    heard = {signal.position for signal in signals}
    unseen = []
    for position, endpoint in enumerate(model.arguments):
        layer = endpoint.layer
        weight = getattr(layer, "bias", getattr(layer, "beta", None))
        if position not in heard:
            if graph is not None and weight is not None and is_read(graph, weight):
                unseen.append(names[id(layer)])
            continue
        own = [signal for signal in signals if signal.position == position]
        if graph is None or is_known(layer) or isinstance(layer, affine.NORMALIZATION_LAYERS):
            bias = read(layer)
            found = [_term(layer, bias, signal, names) for signal in own]
            terms += [term for term in found if term is not None]
            continue
        # What another's layer calls its bias is one where the graph adds it, and belongs to that sum.
        for addition in additions(graph, weight) or ():
            signal = addition.signal
            if implicit_biases:
                # That which is taken at what the layer puts out, a copy, holds all others already.
                copy = next((each.tensor for each in own if _is_copy(each.tensor, signal)), None)
                if copy is None:
                    continue
                signal = copy
            terms.append(Term(names[id(layer)], type(layer).__name__, signal, addition.bias))
    return terms, unseen


def _is_copy(tensor: tf.Tensor, signal: tf.Tensor) -> bool:
    return tensor.op.type == "Identity" and tensor.op.inputs[0] is signal


def _term(layer: keras.Layer | None, bias: tf.Tensor, signal: Signal, names: dict[int, str]) -> Term | None:
    """The term of a bias; None where a weight of that name is none."""
    aligned = _aligned(layer, bias, signal.tensor)
    if aligned is None:
        return None
    slope = None if signal.slope is None else affine.along_channels(layer, signal.slope, signal.tensor)
    name = f"signal {signal.position}" if layer is None else names[id(layer)]
    return Term(name, type(layer).__name__, signal.tensor, aligned, slope=slope)


def _aligned(layer: keras.Layer | None, bias: tf.Tensor, signal: tf.Tensor) -> tf.Tensor | None:
    """The bias as it is added to the signal; None where a weight of that name is no such thing."""
    bias = affine.along_channels(layer, tf.convert_to_tensor(bias), signal)
    try:
        shape = tf.broadcast_static_shape(bias.shape, signal.shape[1:])
    except ValueError:
        return None
    return bias if shape.is_compatible_with(signal.shape[1:]) else None


def _implicit_terms(
    listened: Sequence[tuple[keras.Layer, tf.Tensor]],
    totals: Sequence[tf.Tensor | None],
    explicit: Sequence[Term],
    names: dict[int, str],
) -> list[Term]:
    known: dict[int, list[tf.Tensor]] = {}
    for term in explicit:
        known.setdefault(id(term.signal), []).append(term.bias)
    terms = []
    for (layer, signal), total in zip(listened, totals, strict=True):
        if total is None:
            continue
        for bias in known.pop(id(signal), []):
            total -= tf.cast(bias, total.dtype)
        terms.append(Term(names[id(layer)], type(layer).__name__, signal, total, implicit=True))
    return terms
