"""A model's output while more and more of each image is replaced."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.explain import explain
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.metrics.arrays import as_images, as_maps
from keras_fullgrad.metrics.outputs import of_whole, output_of_class, same
from keras_fullgrad.model.info import read_model
from keras_fullgrad.running import batches

SHARES = tuple(step / 20 for step in range(21))
"""The default shares of positions: 0, 5%, and so on to 100%."""

Value: TypeAlias = Any | Callable[[np.ndarray, np.ndarray], np.ndarray]
"""What broadcasts to the images, or a function of an image, (space, channels), and a mask, (space)."""

Activation: TypeAlias = str | Callable[[tf.Tensor], tf.Tensor] | None
"""Keras's name of what makes outputs of all logits, or a function. None: the logits themselves."""


@dataclasses.dataclass(frozen=True)
class Options:
    """How a curve is computed: :func:`keras_fullgrad.metrics.deletion` tells of each."""

    shares: Sequence[float] = SHARES
    value: Value = 0.0
    seed: int = 0
    batch_size: int | None = None
    activation: Activation = None
    target: Any | None = None


@dataclasses.dataclass(frozen=True)
class Curve:
    """A value for each image and each share of its positions.

    Attributes:
        shares: The shares, rising, (steps,).
        values: The values, (images, steps).
    """

    shares: np.ndarray
    values: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean over the images, (steps,)."""
        return self.values.mean(axis=0)

    @property
    def areas(self) -> np.ndarray:
        """The area under each image's curve, over shares stretched to a width of 1, (images,)."""
        from scipy.integrate import trapezoid  # Scipy takes a while to import.

        return trapezoid(self.values, self.shares) / (self.shares[-1] - self.shares[0])

    @property
    def area(self) -> float:
        """The mean area."""
        return float(self.areas.mean())


def ranks(maps: np.ndarray, seed: int = 0) -> np.ndarray:
    """Ranks the positions of each map, the least salient first.

    Positions of equal value are ranked in an order drawn from the seed, the same for every image: in one
    along rows the even parts of a map would be replaced as blocks.

    Args:
        maps: Maps, (images, space).
        seed: The seed of the order of equal values.

    Returns:
        The ranks, (images, space), from 0.

    Example:
        >>> ranks(np.array([[0.2, 0.9, 0.1]])).tolist()
        [[1, 2, 0]]
    """
    flat = maps.reshape(len(maps), -1)
    drawn = np.random.default_rng(seed).permutation(flat.shape[1])
    order = drawn[np.argsort(flat[:, drawn], axis=1, kind="stable")]
    ranked = np.empty_like(order)
    np.put_along_axis(ranked, order, np.arange(flat.shape[1])[np.newaxis], axis=1)
    return ranked.reshape(maps.shape)


def most_salient(ranks: np.ndarray, count: int) -> np.ndarray:
    """The mask of so many positions of the highest ranks."""
    return ranks >= ranks[0].size - count


def least_salient(ranks: np.ndarray, count: int) -> np.ndarray:
    """The mask of so many positions of the lowest ranks."""
    return ranks < count


def perturbation_curve(
    model: keras.Model,
    x: Any,
    maps: Any,
    y: Any | None,
    replaced: Callable[[np.ndarray, int], np.ndarray],
    options: Options,
    relative: bool = False,
) -> Curve:
    """Computes one output of each image while shares of its positions are replaced.

    One batch is held in memory at one share of its positions.

    Args:
        model: Any Keras model of one input.
        x: The images, (images, space, channels): an array.
        maps: Their maps, (images, space) or (images, space, 1).
        y: The class of each image, or one for all. None: each whole image's top class.
        replaced: From the ranks of positions, see :func:`ranks`, and a count of them to those to replace.
        options: The shares of positions, what to replace them by, and the like.
        relative: Whether values are absolute changes of the output, as fractions of the whole image's.

    Returns:
        The curve.

    Raises:
        ValueError: If shapes, classes, shares or the value do not fit, or a change is relative to 0.
        TypeError: If the images are no array, or classes no integers.

    Example:
        >>> model = keras.Sequential([keras.Input([4, 1]), keras.layers.Flatten(),
        ...                           keras.layers.Dense(1, kernel_initializer="ones")])
        >>> curve = perturbation_curve(model, np.ones([1, 4, 1]), np.array([[1, 4, 2, 3]]), None,
        ...                            lambda ranks, count: ranks < count, Options(shares=[0.5, 1]))
        >>> curve.values.tolist()
        [[2.0, 0.0]]
    """
    x = as_images(x)
    maps = as_maps(maps, x.ndim - 2)
    channel_axis = _channel_axis(model, x, maps)
    counts = [round(share * maps[0].size) for share in _checked(options.shares)]
    fill = _filling(options.value, x, channel_axis)
    batch_size = batches.default_size(x.shape) if options.batch_size is None else options.batch_size
    activation = keras.activations.get(options.activation)
    params: dict[str, Any] = {"verbose": 0, "resizing": False, "activation": activation}
    first = of_whole(model, x, y, options.target, batch_size, activation)
    whole = first.logits
    wanted = _rows_of(model, x, first, options.target)
    if relative and not whole.all():
        zero = np.flatnonzero(whole == 0)[0]
        raise ValueError(f"expected outputs other than 0 to relate changes to, got 0 for image {zero}")

    def perturbed(rows: slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        ranked = ranks(maps[rows], options.seed)
        for count in counts:
            yield fill(rows, replaced(ranked, count)), wanted(rows)

    pieces = []
    for start in range(0, len(x), batch_size):
        outputs = explain(
            output_of_class, model, perturbed(slice(start, start + batch_size)), **params
        ).logits
        pieces.append(outputs.reshape(len(counts), -1).T)
    values = np.concatenate(pieces).astype(np.float64)
    return Curve(np.asarray(options.shares), np.abs(values / whole - 1) if relative else values)


def _channel_axis(model: keras.Model, x: np.ndarray, maps: np.ndarray) -> int:
    """The model's axis of channels, or the maps', as where a model permutes its axes."""
    own = read_model(model).channel_axis
    spaces = {1: x.shape[2:], -1: x.shape[1:-1]}
    fitting = [axis for axis in (own, -own) if maps.shape == (len(x), *spaces[axis])]
    if not fitting:
        raise ValueError(
            f"expected a map of size {spaces[own]} for each of {len(x)} images, got {maps.shape}"
        )
    return fitting[0]


def _rows_of(
    model: keras.Model, x: np.ndarray, explained: Explanation, target: Any | None
) -> Callable[[slice], Any]:
    """What was explained of the whole images, for some of them."""
    wanted = same(explained, target)
    if "y" in wanted:
        return lambda rows: wanted["y"][rows]
    info, data = batches.for_model(model, x[:1])
    fitted = batches.fitted(info, wanted["target"], next(data.batches)[0], len(x))
    return lambda rows: fitted.rows(rows.start, len(x[rows]))


def _checked(shares: Sequence[float]) -> Sequence[float]:
    if len(shares) < 2 or not 0 <= shares[0] <= shares[-1] <= 1 or not (np.diff(shares) > 0).all():
        raise ValueError(f"expected at least two shares from 0 to 1, rising, got {list(shares)}")
    return shares


def _filling(value: Value, x: np.ndarray, channel_axis: int) -> Callable[[slice, np.ndarray], np.ndarray]:
    """What replaces positions, (images, space), of some of the images."""
    if callable(value):

        def impute(rows: slice, masks: np.ndarray) -> np.ndarray:
            images = np.moveaxis(x[rows], channel_axis, -1)
            filled = [value(image, mask) for image, mask in zip(images, masks, strict=True)]
            return np.moveaxis(np.stack(filled), -1, channel_axis)

        return impute
    substitute = _broadcast(value, x)
    return lambda rows, masks: np.where(np.expand_dims(masks, channel_axis), substitute[rows], x[rows])


def _broadcast(value: Any, x: np.ndarray) -> np.ndarray:
    value = np.asarray(value, np.result_type(x.dtype, np.float32))
    try:
        return np.broadcast_to(value, x.shape)
    except ValueError:
        raise ValueError(
            f"expected a value that broadcasts to the images' shape {x.shape}, got shape {value.shape}"
        ) from None
