"""Splits logits into the terms of their full gradients.

A logit is the sum of one term for each input and one for each bias. A layer's *explicit* bias is a
weight, or what a normalization's weights amount to. What a layer that is not linear adds beyond that is
its *implicit* bias, :math:`f(z) - J_f(z) z`, a tensor of the signal's own shape.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_fullgrad import affine, folding, forward_mode, inspection


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
        logits: The logits that were asked for, (batch, K), or all of them.
        targets: For each class to explain one logit per image, (batch,).
        terms: The biases, in the order in which the signals were computed, implicit ones last.
        tape: Holds the gradients of the targets with respect to the inputs and the signals.
    """

    logits: tf.Tensor
    targets: list[tf.Tensor]
    terms: list[Term]
    tape: tf.GradientTape


def forward(
    model: keras.Model,
    inputs: Any,
    indices: tf.Tensor | None = None,
    indices_axis: int = -1,
    indices_batch_dims: int = -1,
    biases: Sequence[tf.Tensor] | None = None,
    implicit_biases: bool = False,
    fold_batch_norms: bool = False,
    top: int = 1,
) -> ForwardPass:
    """Calls a model, and collects what its logits are made of.

    Args:
        model: A model from :func:`keras_fullgrad.inspection.expose`, or, with ``biases``, one whose outputs
            are ``[logits, *signals]``.
        inputs: The inputs: a tensor, or any structure of tensors that the model takes.
        indices: The classes to explain, (batch, K). None: each image's top classes.
        indices_axis: The axis of the classes in the logits.
        indices_batch_dims: How many dimensions the logits and ``indices`` share.
        biases: A bias for each exposed layer. None: read from the layers.
        implicit_biases: Whether to collect implicit biases too, which takes a pass through the model of
            its own. With them, the terms add up to the logit.
        fold_batch_norms: Whether to compute batch norms in one with the layers before them, in a traced
            function and without implicit biases, which are of all signals.
        top: How many classes of each image, the highest first, where ``indices`` is None.

    Returns:
        The forward pass.

    Raises:
        ValueError: If the biases are not as many as the exposed layers, or implicit biases are asked
            of a model that was not exposed.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(3), keras.layers.Dense(2)])
        >>> [term.bias.shape for term in forward(inspection.expose(model), tf.ones([1, 4])).terms]
        [TensorShape([3])]
    """
    exposed = isinstance(model, inspection.ExposedModel)
    if implicit_biases and not exposed:
        raise ValueError("expected a model from expose() where implicit biases are wanted, got another one")
    totals = _total_biases(model, inputs) if implicit_biases else []
    classes = top
    if indices is not None:
        classes = indices.shape[-1]
        if classes is None:
            raise ValueError(f"expected indices of a known number of classes, got shape {indices.shape}")

    folded = folding.Folding() if fold_batch_norms and not implicit_biases else None
    taps: list[tuple[keras.Layer, tf.Tensor]] = []

    def collect(layer: keras.Layer, signal: tf.Tensor) -> tf.Tensor:
        taps.append((layer, signal))
        return signal

    with tf.GradientTape(persistent=classes > 1, watch_accessed_variables=False) as tape:
        tape.watch([x for x in keras.tree.flatten(inputs) if x.dtype.is_floating])
        if exposed:
            logits, signals = model.signals(inputs, tap=collect if implicit_biases else None, folding=folded)
            count = len(model.arguments)
        else:
            logits, *tensors = model(inputs, training=False)
            signals = [inspection.Signal(index, tensor) for index, tensor in enumerate(tensors)]
            count = len(tensors)
        if indices is None:
            ranked = top_classes(logits, top, indices_axis)
            explained = inspection.gather_units(logits, ranked, indices_axis, indices_batch_dims)
        else:
            # On a GPU a gather beyond the last class gives 0, and no error.
            last = tf.cast(tf.shape(logits)[indices_axis] - 1, indices.dtype)
            tf.debugging.assert_less_equal(indices, last, "expected classes within the logits")
            tf.debugging.assert_non_negative(indices, "expected classes of 0 or more")
            logits = explained = inspection.gather_units(logits, indices, indices_axis, indices_batch_dims)
        targets = tf.unstack(explained, num=classes, axis=-1)

    if biases is None:
        read = affine.bias if folded is None else folded.bias
        biases = [read(endpoint.layer) for endpoint in model.arguments]
    if len(biases) != count:
        raise ValueError(f"expected a bias for each of the {count} exposed layers, got {len(biases)}")
    names = inspection.layer_names(model)
    terms = []
    for index, signal, slope in signals:
        layer = model.arguments[index].layer if exposed else None
        bias = _aligned(layer, biases[index], signal)
        if bias is not None:
            slope = None if slope is None else affine.along_channels(layer, slope, signal)
            name = f"signal {index}" if layer is None else names[id(layer)]
            terms.append(Term(name, type(layer).__name__, signal, bias, slope=slope))
    if implicit_biases:
        terms += _implicit_terms(taps, totals, terms, names)
    return ForwardPass(logits, targets, terms, tape)


def top_classes(logits: tf.Tensor, top: int = 1, axis: int = -1) -> tf.Tensor:
    """Finds the classes of the greatest logits; of equal ones the first.

    Args:
        logits: The logits.
        top: How many classes.
        axis: The axis of the classes.

    Returns:
        The classes, the highest first, along the last axis.

    Raises:
        ValueError: If there are not so many classes.

    Example:
        >>> top_classes(tf.constant([[1.0, 3.0, 2.0]]), top=2).numpy().tolist()
        [[1, 2]]
    """
    known = logits.shape[axis]
    if top < 1 or (known is not None and top > known):
        raise ValueError(f"expected top from 1 to the {known} classes of the model, got {top}")
    return tf.math.top_k(tf.experimental.numpy.moveaxis(logits, axis, -1), top).indices


def _aligned(layer: keras.Layer | None, bias: tf.Tensor, signal: tf.Tensor) -> tf.Tensor | None:
    """The bias as it is added to the signal; None where a weight of that name is no such thing."""
    bias = affine.along_channels(layer, tf.convert_to_tensor(bias), signal)
    try:
        shape = tf.broadcast_static_shape(bias.shape, signal.shape[1:])
    except ValueError:
        return None
    return bias if shape.is_compatible_with(signal.shape[1:]) else None


def _total_biases(model: inspection.ExposedModel, inputs: Any) -> list[tf.Tensor | None]:
    """What is left of each signal once its dependence on the signals before is taken off, z - J z.

    None for a signal that does not depend on the inputs, such as one made of positions: it is a bias of the
    layer that takes it in.

    The Jacobian's product with the signals themselves is the derivative by a common factor of theirs,
    taken by forward-mode differentiation. Each signal goes on as a constant times that factor, so that no
    signal sees beyond those that it was computed from.
    """
    totals: list[tf.Tensor | None] = []
    factor = tf.constant(1.0)
    with forward_mode.accumulating(factor, tf.constant(1.0)) as accumulator:

        def scaled(signal: tf.Tensor) -> tf.Tensor:
            if not signal.dtype.is_floating:
                return signal
            return tf.stop_gradient(signal) * tf.cast(factor, signal.dtype)

        def measure(_: keras.Layer, signal: tf.Tensor) -> tf.Tensor:
            product = accumulator.jvp(signal)
            if product is None:
                totals.append(None)
                return signal
            totals.append(signal - product)
            return scaled(signal)

        model.signals(keras.tree.map_structure(scaled, inputs), tap=measure)
    return totals


def _implicit_terms(
    taps: Sequence[tuple[keras.Layer, tf.Tensor]],
    totals: Sequence[tf.Tensor | None],
    explicit: Sequence[Term],
    names: dict[int, str],
) -> list[Term]:
    known: dict[int, list[tf.Tensor]] = {}
    for term in explicit:
        known.setdefault(id(term.signal), []).append(term.bias)
    terms = []
    for (layer, signal), total in zip(taps, totals, strict=True):
        if total is None:
            continue
        for bias in known.pop(id(signal), []):
            total -= tf.cast(bias, total.dtype)
        terms.append(Term(names[id(layer)], type(layer).__name__, signal, total, implicit=True))
    return terms
