"""Where a signal goes in the map: its elements brought into grids over the image, or over a part of it."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_fullgrad.terms.positions.places import Claim, Places, evened

OF_THE_WHOLE_IMAGE = "it has no positions: it is of the whole image, or of all of a crop"
OF_ONE_PART = "it has no positions: it is of one part of the image alone, as one slice is"
NOT_OF_THE_INPUT = "it does not depend on the inputs"
PARTLY_OF_THE_WHOLE_IMAGE = "some of its elements have no positions, as a class token's or those of padding"
NO_PLACE = (OF_THE_WHOLE_IMAGE, NOT_OF_THE_INPUT, PARTLY_OF_THE_WHOLE_IMAGE)
"""Why a dense layer after a pooling, or a class token, has no place. All other reasons: it is not known."""

_CLOSE = 1e-6
_DIGITS = 5
_EVEN = 0.25  # How far positions may be from evenly spaced, of their distance.


class Area(NamedTuple):
    """A part of the image, from the start to the end along each axis, each from 0 to 1."""

    start: tuple[float, ...]
    end: tuple[float, ...]


class Piece(NamedTuple):
    """A signal, or a part of it, as a grid over the image.

    Attributes:
        tensor: (batch, space, channels), or with the channels first.
        layout: ``channels_last`` or ``channels_first``.
        area: The part of the image that it covers.
    """

    tensor: tf.Tensor
    layout: str
    area: Area


@dataclasses.dataclass(frozen=True)
class _Grid:
    """Sites of a signal that make up a grid.

    Attributes:
        sites: Their indices, row by row; several of one place follow each other.
        size: The size of the grid.
        area: The part of the image that it covers.
    """

    sites: np.ndarray
    size: tuple[int, ...]
    area: Area

    @property
    def once(self) -> bool:
        """Whether each place has one site."""
        return len(self.sites) == math.prod(self.size)


@dataclasses.dataclass(frozen=True)
class Placement:
    """How to bring a signal into grids.

    Attributes:
        order: The signal's axes: that of images, those of positions, those of channels.
        spatial: How many of them hold positions.
        outer: How many views of all images stand one after the other along the axis of images.
        inner: How many views of each image do.
        grids: The grids; their sites are those of one image, view by view.
        layout: How the signal lies, if it is one grid already.
        shape: The signal's shape; TensorFlow may not know it while it traces.
    """

    order: tuple[int, ...]
    spatial: int
    outer: int
    inner: int
    grids: tuple[_Grid, ...]
    layout: str | None
    shape: tuple[int, ...]

    @property
    def whole(self) -> bool:
        """Whether all elements of the signal are in a grid."""
        sites = (
            self.outer * self.inner * math.prod(self.shape[axis] for axis in self.order[1 : self.spatial + 1])
        )
        return self.layout is not None or sum(len(grid.sites) for grid in self.grids) == sites

    @property
    def keeps_channels(self) -> bool:
        """Whether a signal's channels, its last axis unless its layout says otherwise, are its pieces'."""
        last = len(self.order) - self.spatial == 2 and self.order[-1] == len(self.order) - 1
        return self.layout is not None or last

    def pieces(self, tensor: tf.Tensor) -> Iterator[Piece]:
        """Brings a signal, or something of its shape, into grids.

        Args:
            tensor: The signal.

        Yields:
            The grids.
        """
        if self.layout is not None:
            yield Piece(tensor, self.layout, self.grids[0].area)
            return
        sizes = [tensor.shape[axis] or self.shape[axis] for axis in self.order[1:]]
        sites, channels = math.prod(sizes[: self.spatial]), math.prod(sizes[self.spatial :])
        if self.order != tuple(range(len(self.order))):
            tensor = tf.transpose(tensor, self.order)
        if self.outer * self.inner > 1:
            tensor = tf.reshape(tensor, [self.outer, -1, self.inner, sites, channels])
            tensor = tf.transpose(tensor, [1, 0, 2, 3, 4])
        everything = self.outer * self.inner * sites
        tensor = tf.reshape(tensor, [-1, everything, channels])
        for grid in self.grids:
            yield Piece(_taken(tensor, everything, grid), "channels_last", grid.area)


def _taken(tensor: tf.Tensor, count: int, grid: _Grid) -> tf.Tensor:
    first, last = int(grid.sites[0]), int(grid.sites[-1])
    if np.array_equal(grid.sites, np.arange(first, last + 1)):
        taken = tensor if last - first + 1 == count else tensor[:, first : last + 1]
    else:
        taken = tf.gather(tensor, grid.sites, axis=1)
    channels = tensor.shape[-1] * len(grid.sites) // math.prod(grid.size)
    return tf.reshape(taken, [-1, *grid.size, channels])


def place(places: Places, images: int, space: Sequence[int]) -> Placement | str:
    """Finds how to bring a signal into grids.

    Args:
        places: What its elements stand for.
        images: How many images there are in them.
        space: The axes of the input that hold positions.

    Returns:
        The placement, or why there is none.

    Example:
        >>> place(Places.of_input([2, 4, 6, 3]), images=2, space=[1, 2]).layout
        'channels_last'
    """
    if places.image is None and len(places.shape) < 3:
        return OF_THE_WHOLE_IMAGE
    if places.image is None:
        return "it comes from operations whose positions are not known"
    claims = [claim for claim in places.claims if any(claim[axis - 1].centre.size > 1 for axis in space)]
    if not claims:
        parts = [claim[axis - 1] for claim in places.claims for axis in space]
        # What was pooled is of all of the image or of a crop; what was sliced out is of one place.
        sliced = any(part.is_known and not part.is_whole and not part.pooled for part in parts)
        return OF_ONE_PART if sliced else OF_THE_WHOLE_IMAGE
    if len(claims) > 1:
        return "its elements belong to two positions each"
    views = views_of(places, images)
    if views is None:
        return "it mixes images"
    axis, outer, inner = views
    rank = len(places.shape)
    claim = evened(claims[0])
    parts = [claim[each - 1] for each in space]
    telling = {
        a for part in parts for a in range(rank) if part.centre.shape[a] > 1 or part.extent.shape[a] > 1
    }
    spatial = sorted(telling - {axis})
    channels = [a for a in range(rank) if a != axis and a not in spatial]
    order = (axis, *spatial, *channels)
    grids = _grids(claim, places, space, order, len(spatial), (outer, images, inner))
    if not grids:
        return "its positions make up no grid"
    placement = Placement(order, len(spatial), outer, inner, tuple(grids), None, places.shape)
    if len(grids) == outer == inner == 1 and len(spatial) == len(space) and len(channels) == 1:
        sites = math.prod(places.shape[axis] for axis in spatial)
        ordered = np.array_equal(grids[0].sites, np.arange(sites))
        if ordered and order == tuple(range(rank)):
            return dataclasses.replace(placement, layout="channels_last")
        if ordered and order == (0, *range(2, rank), 1):
            return dataclasses.replace(placement, layout="channels_first")
    return placement


def views_of(places: Places, images: int) -> tuple[int, int, int] | None:
    """Finds the axis of images, and how many views stand outside and inside of them along it.

    Args:
        places: What the elements stand for.
        images: How many images there are.

    Returns:
        The axis, and the two counts; None where elements of images are mixed, or in no such order.

    Example:
        >>> from keras_fullgrad.terms.positions.places import Places
        >>> views_of(Places.of_input([2, 4, 6, 3]), images=2)
        (0, 1, 1)
    """
    image = places.image
    if image is None or np.isnan(image).any():
        return None
    if images == 1:  # All along the first axis are views of the one.
        return 0, 1, places.shape[0]
    axes = [axis for axis, size in enumerate(image.shape) if size > 1]
    if len(axes) != 1:
        return None
    along = image.ravel()
    inner = int(np.argmax(along != along[0]))
    outer = len(along) // (images * inner)
    if not np.array_equal(along, np.tile(np.repeat(np.arange(images), inner), outer)):
        return None
    return axes[0], outer, inner


def _grids(
    claim: Claim,
    places: Places,
    space: Sequence[int],
    order: Sequence[int],
    spatial: int,
    views: tuple[int, int, int],
) -> list[_Grid]:
    """The grids of one image's sites: all sites in one, or each view in one of its own."""
    outer, images, inner = views
    shape = [places.shape[axis] for axis in order[: spatial + 1]]
    sites = math.prod(shape[1:])

    def of_one_image(array: np.ndarray) -> np.ndarray | None:
        array = np.transpose(array, order)
        array = array.reshape(array.shape[: spatial + 1])  # Channels tell nothing: they have size 1.
        array = np.broadcast_to(array, shape).reshape(outer, images, inner, sites)
        # All images must lie alike.
        alike = np.array_equal(array, np.broadcast_to(array[:, :1], array.shape), equal_nan=True)
        return array[:, 0].reshape(outer, inner * sites) if alike else None

    centres, extents = [], []
    for axis in space:
        centre, extent = (of_one_image(getattr(claim[axis - 1], name)) for name in ("centre", "extent"))
        if centre is None or extent is None:
            return []
        centres.append(centre)
        extents.append(np.abs(extent))
    together = np.stack(centres), np.stack(extents)
    flat = np.arange(outer * inner * sites).reshape(outer, inner * sites)
    # All views together, as windows are; each on its own, as crops and mirrored images are. Last, several
    # sites of one place, as where channels become positions: they are channels of it.
    for once, rows in itertools.product((True, False), (1, outer, outer * inner)):
        cut = [x.reshape(len(space), rows, -1) for x in together]
        found = [_grid(cut[0][:, row], cut[1][:, row], flat.reshape(rows, -1)[row]) for row in range(rows)]
        if all(grid is not None and (grid.once or not once) for grid in found):
            return [grid for grid in found if grid is not None]
    return []


def _grid(centres: np.ndarray, extents: np.ndarray, sites: np.ndarray) -> _Grid | None:
    """Sites as a grid, if they are one: each combination of rows and columns equally often, evenly spaced."""
    there = ~np.isnan(centres).any(axis=0)
    if not there.any():
        return None
    centres, extents, sites = centres[:, there], extents[:, there], sites[there]
    places, size, start, end = [], [], [], []
    for centre, extent in zip(centres, extents, strict=True):
        rounded = np.round(centre / _CLOSE).astype(np.int64)
        values, place = np.unique(rounded, return_inverse=True)
        length = float(np.median(extent))
        if len(values) > 1:
            steps = np.diff(values) * _CLOSE
            if steps.max() - steps.min() > _EVEN * steps.mean() + 2 * _CLOSE:
                return None
            length = float(steps.mean())
        places.append(place)
        size.append(len(values))
        start.append(round(float(centre.min()) - length / 2, _DIGITS))
        end.append(round(float(centre.max()) + length / 2, _DIGITS))
    index = np.ravel_multi_index(places, size)
    counts = np.bincount(index, minlength=math.prod(size))
    if counts.min() != counts.max():
        return None
    return _Grid(sites[np.argsort(index, kind="stable")], tuple(size), Area(tuple(start), tuple(end)))
