"""How terms become a map."""

import dataclasses
import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import tensorflow as tf

from keras_fullgrad.maps import filters, op
from keras_fullgrad.terms.collect import ForwardPass, Term
from keras_fullgrad.terms.positions import Area, Placement, size_along
from keras_fullgrad.terms.scaling import Gradient

Place = Callable[[str, tf.Tensor], tf.Tensor | None]
"""From a layer's name and its term to the term over a grid of the image, or None to leave it out."""

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


def draw(
    computed: ForwardPass, style: Style, simple: bool, by_term: bool, place: Place | None = None
) -> tuple[tf.Tensor, dict[str, tf.Tensor] | None]:
    """Draws the map of each target, (batch, space, K), and on request those of its terms."""
    positions = computed.located
    source = positions.source
    own = Term("input", "Input", source, source)
    placed = [(term, positions.of(term.signal)) for term in (own, *computed.terms)]
    drawn = [(term, where) for term, where in placed if place is not None or not isinstance(where, str)]
    maps: list[tf.Tensor] = []
    maps_of_terms: list[dict[str, tf.Tensor]] = []
    for target in computed.targets:
        # One backward pass after the other, so that the gradients of one are held at a time.
        gradients = computed.differentiate(target, [term.signal for term, _ in drawn], after=maps[-1:])
        if gradients[0] is None:
            raise ValueError(
                f"expected the logits to depend on the input of shape {source.shape}, they do not"
            )
        factors: dict[str, list[Factor]] = {}
        for (term, where), gradient in zip(drawn, gradients, strict=True):
            if gradient is None:  # The signal does not reach the logit.
                continue
            weighted = _weighted(gradient, term, simple)
            if not isinstance(where, str):
                factors.setdefault(term.name, []).extend(_factors(*weighted, where))
            elif place is not None and (grid := place(term.name, _product(*weighted))) is not None:
                factors.setdefault(term.name, []).append(_as_factor(grid, term, source))
        if by_term:
            maps_of_terms.append(
                {name: draw_factors(factors[name], positions.size, style) for name in factors}
            )
            maps.append(_sum(list(maps_of_terms[-1].values())))
        else:
            maps.append(draw_factors(itertools.chain.from_iterable(factors.values()), positions.size, style))
    stacked = tf.stack(maps, axis=-1)
    if not by_term:
        return stacked, None
    return stacked, tf.nest.map_structure(lambda *each: tf.stack(each, axis=-1), *maps_of_terms)


def share_left_out(computed: ForwardPass, place: Place | None = None) -> tf.Tensor:
    """The share of each target that has no place in the map, or that no term accounts for, (batch, K)."""
    positions = computed.located
    terms = [Term("input", "Input", positions.source, positions.source), *computed.terms]
    somewhere = [not isinstance(positions.of(term.signal), str) for term in terms]
    shares = []
    for target in computed.targets:
        rest = tf.cast(target, tf.float64)
        drawn = left = tf.zeros_like(rest)
        gradients = computed.differentiate(target, [term.signal for term in terms])
        for term, gradient, has_place in zip(terms, gradients, somewhere, strict=True):
            if gradient is None:
                continue
            product = _product(*_weighted(gradient, term, simple=False))
            total, without = (tf.cast(x, tf.float64) for x in positions.sums(product, term.signal))
            if not has_place and place is not None and place(term.name, product) is not None:
                without = tf.zeros_like(without)
            rest -= total
            drawn, left = drawn + tf.abs(total - without), left + tf.abs(without)
        left += tf.abs(rest)
        shares.append(tf.math.divide_no_nan(left, left + drawn))
    return tf.cast(tf.stack(shares, axis=-1), tf.float64 if target.dtype == tf.float64 else tf.float32)


class Factor(NamedTuple):
    """A gradient and what it is to be multiplied by, as a grid over a part of the image.

    Attributes:
        gradient: (batch, space, channels), or with the channels first.
        weight: Of the same shape, or (channels,).
        layout: ``channels_last`` or ``channels_first``.
        area: The part of the image that it covers.
    """

    gradient: tf.Tensor
    weight: tf.Tensor
    layout: str
    area: Area

    @property
    def size(self) -> tuple[int | None, ...]:
        """The size of the grid, where it is known."""
        return tuple(self.gradient.shape[1:-1] if self.layout == "channels_last" else self.gradient.shape[2:])

    @property
    def grid(self) -> tf.Tensor:
        """The size of the grid."""
        first = 1 if self.layout == "channels_last" else 2
        return size_along(self.gradient, range(first, first + len(self.size)))

    @property
    def covers_all(self) -> bool:
        """Whether it covers all of the image, but for less than half a position."""
        return _pixels(self.area, self.grid)[0] is None


def _as_factor(grid: tf.Tensor, term: Term, source: tf.Tensor) -> Factor:
    """A term where a function of the user's own put it."""
    rank = source.shape.rank
    if grid.shape.rank != rank or grid.shape[-1] is None:
        raise ValueError(
            f"expected positions to bring the term of layer '{term.name}', {term.signal.shape}, into a grid "
            f"over the image, {rank} axes (images, space, channels), got {grid.shape}"
        )
    same = tf.debugging.assert_equal(
        tf.shape(grid)[0], tf.shape(source)[0], "expected positions to keep the number of images"
    )
    with tf.control_dependencies([] if same is None else [same]):
        grid = tf.identity(grid)
    whole = Area((0.0,) * (rank - 2), (1.0,) * (rank - 2))
    return Factor(grid, tf.ones([grid.shape[-1]], grid.dtype), "channels_last", whole)


def _factors(gradient: tf.Tensor, weight: tf.Tensor, placement: Placement) -> Iterator[Factor]:
    pieces = list(placement.pieces(gradient))
    channels = pieces[0].tensor.shape[-1 if pieces[0].layout == "channels_last" else 1]
    rank = gradient.shape.rank
    axis = 1 if placement.layout == "channels_first" else rank - 1
    others = [size for each, size in enumerate(weight.shape, rank - weight.shape.rank) if each != axis]
    of_channels = all(size == 1 for size in others) and weight.shape.num_elements() == channels
    if of_channels and placement.keeps_channels:
        weights = [tf.reshape(weight, [channels])] * len(pieces)
    else:
        if gradient.dtype == tf.float16:  # The op takes both in one type, which must hold the scale too.
            gradient = tf.cast(gradient, tf.float32)
            pieces = list(placement.pieces(gradient))
        weight = tf.broadcast_to(tf.cast(weight, gradient.dtype), tf.shape(gradient))
        weights = [piece.tensor for piece in placement.pieces(weight)]
    for piece, of_piece in zip(pieces, weights, strict=True):
        yield Factor(piece.tensor, of_piece, piece.layout, piece.area)


def draw_factors(factors: Iterable[Factor], size: tf.Tensor, style: Style) -> tf.Tensor:
    """Draws the sum of terms over an image of a size, (batch, space)."""
    # Gradients of one size at a time: they are let go of while the backward pass goes on to the next.
    groups: dict[Hashable, list[Factor]] = {}
    for factor in factors:
        groups.setdefault((factor.layout, factor.size, factor.area), []).append(factor)
    options = dataclasses.asdict(style)
    maps = []
    for group in groups.values():
        start, end = _pixels(group[0].area, size)
        gradients, weights = [factor.gradient for factor in group], [factor.weight for factor in group]
        wanted = size if start is None else end - start
        drawn = op.saliency_map(gradients, weights, wanted, layout=group[0].layout, **options)
        if start is not None:
            drawn = tf.pad(drawn, tf.concat([[[0, 0]], tf.stack([start, size - end], axis=1)], axis=0))
        maps.append(drawn)
    return _sum(maps)


def _pixels(area: Area, size: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor]:
    """The first position of an area and the one after its last; None and the size where it is the whole."""
    known = tf.get_static_value(size)
    if known is not None:
        ends = [(round(s * n), round(e * n)) for s, e, n in zip(area.start, area.end, known, strict=True)]
        if all(ends_of == (0, n) for ends_of, n in zip(ends, known, strict=True)):
            return None, size
    elif np.allclose(area.start, 0) and np.allclose(area.end, 1):
        return None, size
    length = tf.cast(size, tf.float64)
    start = tf.clip_by_value(tf.cast(tf.round(area.start * length), tf.int32), 0, size - 1)
    return start, tf.clip_by_value(tf.cast(tf.round(area.end * length), tf.int32), start + 1, size)


def _sum(maps: Sequence[tf.Tensor]) -> tf.Tensor:
    """Adds maps, which are of float64 where a gradient is: layers may differ."""
    widest = max((one.dtype for one in maps), key=lambda dtype: dtype.size)
    return tf.add_n([tf.cast(one, widest) for one in maps])


def _weighted(gradient: Gradient, term: Term, simple: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """A term's gradient, and what that is to be multiplied by: not by the scale of the gradient either."""
    weight = _weight(gradient.tensor, term, simple)
    if gradient.scale is None:
        return gradient.tensor, weight
    return gradient.tensor, tf.cast(weight, tf.float32) / gradient.scale


def _product(gradient: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """A term itself."""
    dtype = tf.float32 if gradient.dtype == tf.float16 else gradient.dtype
    return tf.math.multiply_no_nan(tf.cast(weight, dtype), tf.cast(gradient, dtype))


def _weight(gradient: tf.Tensor, term: Term, simple: bool) -> tf.Tensor:
    """What a term's gradient is to be multiplied by, to be broadcast to its shape."""
    if term.implicit:
        return _without_rounding(tf.cast(term.bias, gradient.dtype), term.signal)
    if simple and term.signal is not term.bias:
        return tf.ones(term.bias.shape, gradient.dtype) if term.slope is None else term.slope
    return term.bias if term.slope is None else tf.cast(term.bias, term.slope.dtype) * term.slope


def _without_rounding(bias: tf.Tensor, signal: tf.Tensor) -> tf.Tensor:
    """Zeros, for each image whose signal's rounding errors would explain the bias.

    A layer that is linear leaves no implicit bias but these, and a rescaling would blow them up. Nor is
    anything drawn of an infinite one, as of padding before a maximum: nothing depends on it.
    """
    axes = list(range(1, signal.shape.rank))
    rounding = 64 * float(ml_dtypes.finfo(signal.dtype.as_numpy_dtype).eps)
    finite = tf.math.is_finite(bias)
    size = tf.where(tf.math.is_finite(signal), tf.abs(signal), tf.zeros_like(signal))
    bias = tf.where(finite, bias, tf.zeros_like(bias))
    largest = rounding * tf.reduce_max(size, axes, keepdims=True)
    left = tf.reduce_max(tf.abs(bias), axes, keepdims=True)
    return tf.where(left > tf.cast(largest, bias.dtype), bias, tf.zeros_like(bias))
