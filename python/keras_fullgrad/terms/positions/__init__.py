"""Where the positions of a model's signals lie in its input, known from how each signal came to be.

The operations between the input and a signal are followed one by one, in the graph that TensorFlow traced:
convolutions and poolings divide the image anew, reshapes and transposes move positions, sums over an axis mix
them. What comes of an operation that is not known here has no known place.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import tensorflow as tf

from keras_fullgrad.terms.positions import rules
from keras_fullgrad.terms.positions.placement import (
    NO_PLACE,
    NOT_OF_THE_INPUT,
    PARTLY_OF_THE_WHOLE_IMAGE,
    Area,
    Piece,
    Placement,
    place,
    views_of,
)
from keras_fullgrad.terms.positions.places import Places

__all__ = ["NO_PLACE", "Area", "Piece", "Placement", "Positions", "axis_of_channels", "follow", "size_along"]

_IMAGES = 3
_OPEN = 8  # Positions along an axis whose size is open: any number serves, they are relative to the image.


@dataclasses.dataclass(frozen=True)
class Positions:
    """Where signals lie in an input.

    Attributes:
        source: The input.
        channel_axis: The axis of its channels.
    """

    source: tf.Tensor
    channel_axis: int
    _images: int
    _places: dict[str, Places]
    _found: dict[str, Placement | str] = dataclasses.field(default_factory=dict)

    @property
    def space(self) -> list[int]:
        """The axes of the input that hold positions."""
        return [axis for axis in range(1, self.source.shape.rank) if axis != self.channel_axis]

    @property
    def size(self) -> tf.Tensor:
        """How many there are along each."""
        return size_along(self.source, self.space)

    def of(self, signal: tf.Tensor) -> Placement | str:
        """How to bring a signal into grids over the image, or why it has no place there."""
        if signal.name not in self._found:
            self._found[signal.name] = self._place(signal)
        return self._found[signal.name]

    def _place(self, signal: tf.Tensor) -> Placement | str:
        places = self._places.get(signal.name)
        if places is None:
            return NOT_OF_THE_INPUT
        if signal is self.source and len(places.shape) > 2:
            # Its own positions, be there only one along each axis.
            places = Places.of_input([self._images, *(max(2, size) for size in places.shape[1:])])
        found = place(places, self._images, self.space)
        any_size = None in self.source.shape[1:].as_list()
        if any_size and isinstance(found, Placement) and found.layout is None and None in signal.shape[1:]:
            # Places were followed for some size, which need not be the one that comes.
            return "its size is not known before the image is"
        return found

    def reason(self, signal: tf.Tensor) -> str | None:
        """Why a signal, or a part of it, has no place in the image. None: all of it has one."""
        where = self.of(signal)
        if isinstance(where, str):
            return where
        return None if where.whole else PARTLY_OF_THE_WHOLE_IMAGE

    def sums(self, tensor: tf.Tensor, signal: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Adds up what belongs to each image.

        Args:
            tensor: A tensor of the signal's shape.
            signal: The signal.

        Returns:
            The sums, (images,), and those of what has no place in the image alone.
        """
        total = tf.reduce_sum(self.by_image(tensor, signal), axis=1)
        where = self.of(signal)
        if isinstance(where, str):
            return total, total
        if where.whole:
            return total, tf.zeros_like(total)
        placed = [
            tf.reduce_sum(tf.reshape(piece.tensor, [tf.shape(total)[0], -1]), axis=1)
            for piece in where.pieces(tensor)
        ]
        return total, total - tf.add_n(placed)

    def by_image(self, tensor: tf.Tensor, signal: tf.Tensor) -> tf.Tensor:
        """Brings all elements that belong to an image together.

        Args:
            tensor: A tensor of the signal's shape.
            signal: The signal.

        Returns:
            The elements, (images, elements). Where it is not known whose they are, the first axis is cut into
            as many runs as there are images.
        """
        places = self._places.get(signal.name)
        views = None if places is None else views_of(places, self._images)
        axis, outer, inner = views or (0, 1, 1)
        rank = tensor.shape.rank
        if axis:
            tensor = tf.transpose(tensor, [axis, *(each for each in range(rank) if each != axis)])
        if outer == 1:
            return tf.reshape(tensor, [tf.shape(self.source)[0], -1])
        size = tf.reduce_prod(tf.shape(tensor)[1:])
        tensor = tf.reshape(tensor, [outer, -1, inner * size])
        return tf.reshape(tf.transpose(tensor, [1, 0, 2]), [-1, outer * inner * size])


def size_along(tensor: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """A tensor's size along some axes: as numbers where they are known, so that the shape of a map is too."""
    return tf.stack([tensor.shape[axis] or tf.shape(tensor)[axis] for axis in axes])


def follow(
    source: tf.Tensor, channel_axis: int | None = None, others: Sequence[tf.Tensor] = (), since: int = 0
) -> Positions:
    """Follows an input through all operations of its graph so far.

    Args:
        source: The input, (batch, space, channels), of a graph.
        channel_axis: The axis of its channels. None: the first or the last, whichever a convolution of the
            input itself adds up; where none adds up either, the last.
        others: The model's other inputs, of the same images.
        since: How many operations of the graph came before, and are passed over.

    Returns:
        Where all that came of it lies.

    Raises:
        ValueError: If convolutions add up different axes of the input.

    Example:
        >>> def layout(x):
        ...     y = tf.nn.conv2d(tf.transpose(x, [0, 2, 3, 1]), tf.ones([3, 3, 5, 2]), 1, "SAME")
        ...     return tf.constant(follow(x).channel_axis)
        >>> int(tf.function(layout, autograph=False)(tf.ones([1, 5, 8, 8])))
        1
    """
    images = source.shape[0] or _IMAGES
    axes = source.shape.rank - 1
    places = {t.name: Places.of_image(_opened(t), axes) for t in others if t.shape.rank}
    places[source.name] = Places.of_input(_opened(source))
    votes = _Votes(source)
    rules.follow(source.graph.get_operations()[since:], places, votes.take if channel_axis is None else None)
    if len(votes.found) > 1:
        raise ValueError(
            f"expected convolutions that add up one axis of the input of shape {source.shape}, its channels, "
            f"got axes {sorted(votes.found)}: name the axes of positions by spatial_axis= of "
            "keras_fullgrad.methods.gradient.full_gradients"
        )
    if channel_axis is None:
        channel_axis = min(votes.found, default=source.shape.rank - 1)
    return Positions(source, channel_axis % source.shape.rank, images, places)


def axis_of_channels(source: tf.Tensor) -> int | None:
    """Finds the axis of an input's channels: the first or the last, that a convolution of the input adds up.

    Args:
        source: The input, of a graph.

    Returns:
        The axis. None: there is no convolution.

    Example:
        >>> def axis(x):
        ...     y = tf.nn.conv2d(tf.transpose(x, [0, 2, 3, 1]), tf.ones([3, 3, 5, 2]), 1, "SAME")
        ...     return tf.constant(axis_of_channels(x))
        >>> int(tf.function(axis, autograph=False)(tf.ones([1, 5, 8, 8])))
        1
    """
    votes = _Votes(source)
    until_then = itertools.takewhile(lambda _: not votes.found, source.graph.get_operations())
    rules.follow(until_then, {source.name: Places.of_input(_opened(source))}, votes.take)
    return min(votes.found, default=None)


class _Votes:
    """The axes of an input, its first or its last, that convolutions of the input itself add up.

    An axis between those of positions is none of channels, as where columns are mixed.
    """

    def __init__(self, source: tf.Tensor) -> None:
        self.found: set[int] = set()
        self._sizes = _opened(source)

    def take(self, op: tf.Operation, inputs: rules.Inputs) -> None:
        """Looks at an operation."""
        axis = rules.channel_axis(op, inputs, self._sizes)
        if axis in (1, len(self._sizes) - 1):
            self.found.add(axis)


def _opened(tensor: tf.Tensor) -> list[int]:
    """A shape to follow positions in, of numbers alone."""
    return [tensor.shape[0] or _IMAGES, *(size or _OPEN for size in tensor.shape[1:])]
