"""How terms become a map."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import ml_dtypes
import tensorflow as tf

from keras_fullgrad.maps import filters, op
from keras_fullgrad.terms.collect import ForwardPass, Term

PRESETS: dict[str, dict[str, Any]] = {
    "default": {"psi": filters.absolute_normalize, "channels": "mean", "resize": "half_pixel"},
    "paper": {
        "psi": filters.absolute_normalize_per_sample,
        "channels": "sum",
        "resize": "aligned_corners",
    },
}
"""What `default` (keras-explainable's numbers) and `paper` (the authors' numbers) stand for."""


@dataclasses.dataclass(frozen=True)
class Canvas:
    """The input that a map is drawn over.

    Attributes:
        input: The input, (batch, space, channels), or with the channels first.
        layout: ``channels_last`` or ``channels_first``.
    """

    input: tf.Tensor
    layout: str

    @property
    def space(self) -> slice:
        """The axes of positions, of the input and of signals like it."""
        return slice(1, -1) if self.layout == "channels_last" else slice(2, None)

    @property
    def channel_axis(self) -> int:
        """The axis of channels."""
        return -1 if self.layout == "channels_last" else 1

    @property
    def size(self) -> tf.Tensor:
        """The size of the map."""
        return tf.shape(self.input)[self.space]


@dataclasses.dataclass(frozen=True)
class Style:
    """How a map is drawn: the filter of each term, the reduction of channels, the resize, what runs it."""

    psi: filters.Filter
    channels: str
    resize: str
    backend: str

    @classmethod
    def of(cls, preset: str, psi: filters.Filter | None, backend: str) -> "Style":
        """The style of a preset, with another filter where one is given."""
        if preset not in PRESETS:
            raise ValueError(f"expected preset to be one of {', '.join(PRESETS)}, got {preset!r}")
        options = PRESETS[preset] | ({} if psi is None else {"psi": psi})
        return cls(backend=backend, **options)


def drawn_input(inputs: Any, source: int | str | None = None) -> tf.Tensor:
    """Finds the input that a map is drawn over.

    Args:
        inputs: A tensor, or a list or dictionary of them.
        source: Its index in a list, or its key in a dictionary. None: the only input with positions.

    Returns:
        The input, (batch, space, channels).

    Raises:
        ValueError: If it is not clear which.

    Example:
        >>> drawn_input([tf.ones([1, 8, 8, 3]), tf.ones([1, 5])]).shape
        TensorShape([1, 8, 8, 3])
    """
    if isinstance(inputs, tf.Tensor):
        return inputs
    if source is not None:
        names = list(inputs) if isinstance(inputs, dict) else list(range(len(inputs)))
        if source not in names:
            raise ValueError(f"expected source to be one of {names}, got {source!r}")
        return inputs[source]
    drawable = [x for x in keras.tree.flatten(inputs) if x.dtype.is_floating and 3 <= x.shape.rank <= 5]
    if len(drawable) != 1:
        raise ValueError(
            "expected one input of floating type with positions, or source to name the input to draw a map "
            f"over, got inputs of shapes {keras.tree.map_structure(lambda x: tuple(x.shape), inputs)}"
        )
    return drawable[0]


def check_drawable(inputs: tf.Tensor) -> None:
    """Checks that a map can be drawn over an input.

    Args:
        inputs: The input.

    Raises:
        ValueError: If it holds no positions, or is not of a floating type.

    Example:
        >>> check_drawable(tf.ones([1, 8, 8, 3]))
    """
    rank = inputs.shape.rank
    if rank is None or not 3 <= rank <= 5:
        raise ValueError(
            "expected inputs of 1 to 3 spatial dimensions, (batch, space, channels), "
            f"got shape {inputs.shape}: a map needs positions"
        )
    if not inputs.dtype.is_floating:
        raise ValueError(f"expected inputs of a floating type, got {inputs.dtype.name}")


def draw(
    computed: ForwardPass, canvas: Canvas, style: Style, simple: bool, by_term: bool
) -> tuple[tf.Tensor, dict[str, tf.Tensor] | None]:
    """Draws the map of each target.

    Args:
        computed: What the model computed.
        canvas: What the map is drawn over.
        style: How it is drawn.
        simple: Whether to leave the biases out as factors.
        by_term: Whether to return each layer's own map too.

    Returns:
        The maps, (batch, space, K), and on request those of the input and of each layer, which add up to
        them.

    Raises:
        ValueError: If the targets do not depend on the input.
    """
    terms = [term for term in computed.terms if term.signal.shape.rank == canvas.input.shape.rank]
    maps: list[tf.Tensor] = []
    maps_of_terms: list[dict[str, tf.Tensor]] = []
    for target in computed.targets:
        # One backward pass after the other, so that the gradients of one are held at a time.
        with tf.control_dependencies(maps[-1:]):
            seed = tf.ones_like(target)
        signals = [canvas.input, *(term.signal for term in terms)]
        gradient_of_input, *gradients = computed.tape.gradient(target, signals, seed)
        if gradient_of_input is None:
            raise ValueError(
                f"expected the logits to depend on the input of shape {canvas.input.shape}, they do not"
            )
        factors = {"input": [(gradient_of_input, canvas.input)]}
        for term, gradient in zip(terms, gradients, strict=True):
            if gradient is not None:  # None: the signal does not reach the logit.
                weight = _weight(gradient, term, canvas, simple)
                factors.setdefault(term.name, []).append((gradient, weight))
        if by_term:
            maps_of_terms.append({name: _draw(factors[name], canvas, style) for name in factors})
            maps.append(_sum(list(maps_of_terms[-1].values())))
        else:
            maps.append(_draw(itertools.chain.from_iterable(factors.values()), canvas, style))
    stacked = tf.stack(maps, axis=-1)
    if not by_term:
        return stacked, None
    return stacked, tf.nest.map_structure(lambda *each: tf.stack(each, axis=-1), *maps_of_terms)


def _draw(factors: Iterable[tuple[tf.Tensor, tf.Tensor]], canvas: Canvas, style: Style) -> tf.Tensor:
    # Gradients of one size at a time: they are let go of while the backward pass goes on to the next.
    by_size: dict[tuple[int | None, ...], list[tuple[tf.Tensor, tf.Tensor]]] = {}
    for gradient, weight in factors:
        by_size.setdefault(tuple(gradient.shape[canvas.space]), []).append((gradient, weight))
    options = dataclasses.asdict(style)
    maps = []
    for group in by_size.values():
        gradients, weights = zip(*group, strict=True)
        maps.append(op.saliency_map(gradients, weights, canvas.size, layout=canvas.layout, **options))
    return _sum(maps)


def _sum(maps: Sequence[tf.Tensor]) -> tf.Tensor:
    """Adds maps, which are of float64 where a gradient is: layers may differ."""
    widest = max((one.dtype for one in maps), key=lambda dtype: dtype.size)
    return tf.add_n([tf.cast(one, widest) for one in maps])


def _weight(gradient: tf.Tensor, term: Term, canvas: Canvas, simple: bool) -> tf.Tensor:
    """The factor of a bias's term: (channels,), or of the gradient's shape for other biases."""
    channels = gradient.shape[canvas.channel_axis]
    if term.implicit:
        return _without_rounding(tf.cast(term.bias, gradient.dtype), term.signal)
    if simple:
        factor = tf.ones([channels], gradient.dtype) if term.slope is None else term.slope
    else:
        factor = term.bias if term.slope is None else tf.cast(term.bias, term.slope.dtype) * term.slope
    if factor.shape.num_elements() == channels:
        return tf.reshape(factor, [channels])
    return tf.broadcast_to(tf.cast(factor, gradient.dtype), tf.shape(gradient))


def _without_rounding(bias: tf.Tensor, signal: tf.Tensor) -> tf.Tensor:
    """Zeros, for each image whose signal's rounding errors would explain the bias.

    A layer that is linear leaves no implicit bias but these, and a rescaling would blow them up.
    """
    axes = list(range(1, signal.shape.rank))
    rounding = 64 * float(ml_dtypes.finfo(signal.dtype.as_numpy_dtype).eps)
    largest = rounding * tf.reduce_max(tf.abs(signal), axes, keepdims=True)
    left = tf.reduce_max(tf.abs(bias), axes, keepdims=True)
    return tf.where(left > tf.cast(largest, bias.dtype), bias, tf.zeros_like(bias))
