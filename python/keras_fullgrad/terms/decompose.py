"""Takes logits apart into what the inputs and each layer's biases add to them."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.model.exposing import ExposedModel, expose
from keras_fullgrad.model.info import ModelInfo
from keras_fullgrad.model.inputs import drawn_input, is_drawable, named
from keras_fullgrad.model.layers import compute_types
from keras_fullgrad.running import agreement, batches, traces
from keras_fullgrad.running.advice import warn
from keras_fullgrad.targets import rows
from keras_fullgrad.targets.classes import Labels
from keras_fullgrad.targets.rows import Wanted
from keras_fullgrad.terms import collect
from keras_fullgrad.terms.parts import Decomposition, Part
from keras_fullgrad.terms.positions import NO_PLACE
from keras_fullgrad.terms.scaling import Gradient

# What rounding may leave of all terms' magnitudes: bfloat16 has 8 bits.
_ROUNDING, _ROUNDING_BFLOAT16 = 0.01, 0.06


def decompose(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    target: Any | None = None,
    labels: Labels = True,
    source: int | str | None = None,
    batch_size: int | None = None,
    tensors: bool = False,
) -> Decomposition:
    r"""Takes logits apart into what the inputs and each layer's biases add to them.

    .. math::

        s(x) = \langle x, \nabla_x s \rangle + \sum_l \langle b_l, \nabla_{z_l} s \rangle

    over explicit biases and implicit ones, :math:`f(z) - J_f(z) z`; exactly, but for rounding (Srinivas &
    Fleuret 2019, arXiv:1905.00780, proposition 1).

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`, whose exposed layers
            are then those with explicit biases.
        x: The inputs, (images, ...): an array, a tensor, or an iterable of batches; or a list or dictionary
            of the arrays of several inputs.
        y: Classes: (images, K), (images,), or one for all. None: each image's top class.
        target: What to take apart in the place of classes' logits: one of ``keras_fullgrad.targets``, or a
            function from the model's outputs to (images,) or (images, K). What it does that is not linear is
            an implicit bias of its own.
        labels: The names of the classes, if ``y`` holds names: in their order, or with their numbers; False:
            labels that a dataset holds are not used.
        source: Of several inputs the one whose map ``left_out`` is about: its index in a list, its key in a
            dictionary, or its name in the model. None: the only one with positions, or else the first.
        batch_size: Images computed at a time. None: chosen by their size.
        tensors: Whether to keep the terms themselves beside their sums.

    Returns:
        The decomposition.

    Raises:
        ValueError: If shapes or classes do not fit; the message says what was expected.
        TypeError: If the data or the classes are of a wrong type.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, activation="gelu"),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> decompose(model, np.ones([1, 8, 8, 3])).relative_error < 1e-4
        True
    """
    info, data = batches.for_model(model, x, y, batch_size, target=target, labels=labels)
    found = joined(
        [
            piece
            for inputs, wanted in _told(info, data.batches)
            for piece in of_batch(info, inputs, wanted, tensors=tensors, source=source)
        ]
    )
    _check_sum(info, found)
    return found


def _check_sum(info: ModelInfo, found: Decomposition) -> None:
    """Says where the terms do not add up: a derivative that TensorFlow takes may be wrong, or missing."""
    gap = np.abs(found.sum - found.logits)
    size = np.sum([np.abs(part.total) for part in found.parts], axis=0)
    rounding = _ROUNDING_BFLOAT16 if "bfloat16" in compute_types(info.own) else _ROUNDING
    if (gap > rounding * size).any():
        worst = np.unravel_index(np.nanargmax(gap), gap.shape)
        warn(
            f"expected the terms of model '{info.model.name}' to add up to its logit, "
            f"{found.logits[worst]:.6g}, got {found.sum[worst]:.6g}: an operation has no derivative that is "
            "right in TensorFlow, or computes otherwise at each pass"
        )


def _told(info: ModelInfo, data: Iterator[batches.Batch]) -> Iterator[batches.Batch]:
    """Batches; what the first tells of the model is said."""
    for batch in data:
        agreement.tell_of_probabilities(info)
        yield batch


def joined(pieces: Sequence[Decomposition]) -> Decomposition:
    """Puts the decompositions of some images each together.

    Args:
        pieces: The decompositions, all of one model.

    Returns:
        That of all images, without the layers that have no bias and add nothing to any.

    Raises:
        ValueError: If there are none.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
        >>> len(joined([decompose(model, np.ones([1, 4])), decompose(model, np.ones([2, 4]))]).logits)
        3
    """
    if not pieces:
        raise ValueError("expected at least one batch, got an iterable without any")
    inputs = (_join(*parts) for parts in zip(*(piece.inputs for piece in pieces), strict=True))
    layers = (_join(*parts) for parts in zip(*(piece.layers for piece in pieces), strict=True))
    return Decomposition(
        np.concatenate([piece.logits for piece in pieces]),
        None if pieces[0].classes is None else np.concatenate([piece.classes for piece in pieces]),
        tuple(inputs),
        tuple(part for part in layers if part.has_bias or part.implicit.any()),
    )


def _join(*parts: Part) -> Part:
    def of_tensors(tensors: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
        return tuple(np.concatenate(each) for each in zip(*tensors, strict=True))

    return dataclasses.replace(
        parts[0],
        explicit=np.concatenate([part.explicit for part in parts]),
        implicit=np.concatenate([part.implicit for part in parts]),
        left_out=np.concatenate([part.left_out for part in parts]),
        explicit_tensors=of_tensors([part.explicit_tensors for part in parts]),
        implicit_tensors=of_tensors([part.implicit_tensors for part in parts]),
    )


def of_batch(
    info: ModelInfo,
    inputs: Any,
    wanted: Wanted,
    tensors: bool = False,
    implicit_biases: bool = True,
    unseen: list[str] | None = None,
    source: int | str | None = None,
) -> list[Decomposition]:
    """Takes the logits of a batch apart, in as many pieces as its memory asks for.

    Args:
        info: The model, built.
        inputs: Its inputs, tensors.
        wanted: What is explained. None: each image's top class.
        tensors: Whether to keep the terms themselves.
        implicit_biases: Whether to measure implicit biases, which takes a pass of its own; without, that of a
            target alone is there.
        unseen: Takes the names of layers whose biases are read where no layer is heard.
        source: Of several inputs the one that a map is drawn over.

    Returns:
        The decompositions of some images each, for :func:`joined`.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
        >>> [len(piece.logits) for piece in of_batch(read_model(model), tf.ones([3, 4]), None)]
        [3]
    """
    source = named(inputs, source, [tensor.name for tensor in info.inputs])
    key = ("decompose", tensors, implicit_biases, source)
    compute = _Products(tensors, implicit_biases, source)
    try:
        call = traces.traced(info, compute, key, inputs, wanted)
    except NotImplementedError:
        # Loops, as of recurrent layers, are differentiated in forward mode eagerly only. Nothing tells then
        # which image a signal is of: they come one by one.
        images = len(keras.tree.flatten(inputs)[0])
        return [_eagerly(info, compute, inputs, wanted, image) for image in range(images)]
    noted: Any = call.trace.compute
    if unseen is not None:
        unseen += noted.unseen
    return [_as_parts(noted, **result) for result in call.results()]


class LeftOut(NamedTuple):
    """What a map of explicit biases does not draw, of the first class of some images.

    Attributes:
        implicit: What implicit biases add, as a share of that and of all explicit terms, by magnitude.
        target: What a target adds that is not linear, likewise.
        elsewhere: What explicit biases add whose place is not known, likewise.
        layers: The layers that add it.
        unseen: Layers whose biases are read where no layer is heard, as within a loop.
    """

    implicit: float
    target: float
    elsewhere: float
    layers: tuple[str, ...]
    unseen: tuple[str, ...]


def left_out(info: ModelInfo, inputs: Any, wanted: Wanted = None, source: int | str | None = None) -> LeftOut:
    """Measures what maps without implicit biases do not draw, in one backward pass.

    Args:
        info: A model, built and not exposed.
        inputs: The model's inputs, as tensors.
        wanted: What is explained. None: each image's top class.
        source: Of several inputs the one that the map is drawn over.

    Returns:
        The shares, and the layers that they are of.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(3, "relu"), keras.layers.Dense(2)])
        >>> round(left_out(read_model(model), tf.ones([1, 4])).implicit, 3)
        0.0
    """
    missing = total = elsewhere = of_target = 0.0
    layers: dict[str, None] = {}
    unseen: list[str] = []
    for parts in of_batch(info, inputs, wanted, implicit_biases=False, unseen=unseen, source=source):
        if not parts.inputs:  # Nothing depends on them, which is an error where maps are drawn.
            continue
        missing += np.abs(parts.logits - parts.sum).sum()
        for part in parts.parts:
            size = np.abs(part.explicit).sum()
            total += size
            of_target += np.abs(part.implicit).sum()  # No other part of it is measured.
            if part.reason not in (None, *NO_PLACE) and size:
                elsewhere += np.abs(part.left_out).sum()
                layers[part.name] = None
    total = missing + of_target + total or 1.0
    implicit, target, elsewhere = (float(each / total) for each in (missing, of_target, elsewhere))
    return LeftOut(implicit, target, elsewhere, tuple(layers), tuple(unseen))


@dataclasses.dataclass(frozen=True)
class _Label:
    """What a term is of."""

    name: str
    kind: str
    implicit: bool
    reason: str | None


class _Products:
    """Computes each bias times the gradient where it was added, in float64; notes what they are when traced.

    In a traced function TensorFlow computes the gradients that are asked for alone. Eagerly it computes those
    of kernels too, and its oneDNN corrupts memory over some of them.
    """

    def __init__(self, tensors: bool, implicit_biases: bool, source: int | str | None) -> None:
        self._tensors = tensors
        self._source = source
        self._implicit_biases = implicit_biases
        self.inputs: list[str] = []
        self.labels: list[_Label] = []
        self.unseen: list[str] = []

    def __call__(self, model: keras.Model, inputs: Any, explained: Any) -> dict[str, Any]:
        exposed = model if isinstance(model, ExposedModel) else expose(model)
        given = keras.tree.flatten(inputs)
        drawable = [x for x in given if is_drawable(x)]
        source = drawable[0] if len(drawable) == 1 else given[0]
        computed = collect.forward(
            exposed,
            inputs,
            explained,
            implicit_biases=self._implicit_biases,
            source=source if self._source is None else drawn_input(inputs, self._source),
        )
        self.unseen = computed.unseen
        sources = [x for x in given if x.dtype.is_floating]
        names = sorted(inputs) if isinstance(inputs, dict) else range(len(given))
        floating = [f"input {name}" for name, x in zip(names, given, strict=True) if x.dtype.is_floating]
        self.inputs = ["input"] if len(sources) == 1 else floating
        terms = [collect.Term(name, "Input", x, x) for name, x in zip(self.inputs, sources, strict=True)]
        # Implicit terms come in the order of the signals, and so do the layers then.
        terms += sorted(computed.terms, key=lambda term: not term.implicit)
        if not self._implicit_biases and computed.outputs is None:
            terms.append(computed.term_of_target())
        signals = [term.signal for term in terms]
        # One backward pass after the other: (terms, K).
        gradients = zip(*(computed.differentiate(t, signals) for t in computed.targets), strict=True)
        self.labels, products = [], []
        for term, by_class in zip(terms, gradients, strict=True):
            if by_class[0] is None:  # The signal does not reach the logits.
                continue
            reason = None if computed.positions is None else computed.positions.reason(term.signal)
            self.labels.append(_Label(term.name, term.kind, term.implicit, reason))
            of_class = [_product(term.bias, each) for each in by_class]
            sums = [_sums(computed, each, term.signal) for each in of_class]
            parts = (*zip(*sums, strict=True), *([of_class] if self._tensors else []))
            products.append(tuple(tf.stack(part, axis=-1) for part in parts))
        found = {"logits": computed.logits, "classes": computed.classes, "products": products}
        return {name: each for name, each in found.items() if each is not None}


def _sums(
    computed: collect.ForwardPass, product: tf.Tensor, signal: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The sum of a term over each image, and that of its part without a place."""
    if computed.positions is not None:
        return computed.positions.sums(product, signal)
    total = tf.reduce_sum(tf.reshape(product, [tf.shape(computed.logits)[0], -1]), axis=1)
    return total, tf.fill(tf.shape(total), tf.constant(np.nan, total.dtype))


def _product(bias: tf.Tensor, gradient: Gradient) -> tf.Tensor:
    # An infinite signal that nothing depends on, such as the padding of a maximum, adds nothing.
    product = tf.math.multiply_no_nan(tf.cast(bias, tf.float64), tf.cast(gradient.tensor, tf.float64))
    return product if gradient.scale is None else product / tf.cast(gradient.scale, tf.float64)


def _eagerly(info: ModelInfo, compute: "_Products", inputs: Any, wanted: Wanted, image: int) -> Decomposition:
    """The decomposition of one image, without a trace."""
    row = slice(image, image + 1)
    inputs = keras.tree.map_structure(lambda x: x[row], inputs)
    explained = rows.parts(rows.rows(wanted, row))
    found = compute(info.model, inputs, explained.whole(explained.tensors))
    return _as_parts(compute, **tf.nest.map_structure(lambda tensor: tensor.numpy(), found))


def _as_parts(
    noted: Any,
    logits: np.ndarray,
    products: list[tuple[np.ndarray, ...]],
    classes: np.ndarray | None = None,
) -> Decomposition:
    nothing = np.zeros(logits.shape)
    parts: dict[str, Part] = {}
    for label, (total, left_out, *kept) in zip(noted.labels, products, strict=True):
        part = parts.get(label.name, Part(label.name, label.kind, nothing, nothing, nothing))
        parts[label.name] = part.with_term(total, left_out, tuple(kept), label.implicit, label.reason)
    inputs = tuple(parts.pop(name) for name in noted.inputs if name in parts)
    return Decomposition(logits, classes, inputs, tuple(parts.values()))
