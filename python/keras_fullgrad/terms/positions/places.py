"""Which image, and which part of it, each element of a signal stands for.

A signal's elements lie along axes. An image's index and the coordinates of a part of it are arrays of the
signal's rank that have size 1 along every axis they do not depend on: for the input, (batch, height, width,
channels), rows are an array (1, height, 1, 1). Whatever moves elements moves these arrays likewise.

Coordinates run from 0 to 1 along each axis of the input. NaN stands for no part of an image: a class token,
or padding.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

_CLOSE = 1e-6

Move = Callable[[np.ndarray], np.ndarray]

Sees = Callable[[np.ndarray], np.ndarray]
"""Tells of each new position whether it sees one of those that are there, from which of the old ones are."""


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """The part of an image that each element stands for, along one axis of the input.

    Attributes:
        centre: Where it lies.
        extent: How long it is; negative where the signal runs against the image.
        pooled: Whether several positions were added up to it.
    """

    centre: np.ndarray
    extent: np.ndarray
    pooled: bool = False

    @property
    def is_known(self) -> bool:
        """Whether all elements stand for something."""
        return not np.isnan(self.centre).any()

    @property
    def is_whole(self) -> bool:
        """Whether all elements stand for all along the axis, but for those that stand for nothing."""
        centre, half = np.broadcast_arrays(self.centre, np.abs(self.extent) / 2)
        seen = ~np.isnan(centre)
        starts, ends = (centre - half)[seen], (centre + half)[seen]
        return bool(seen.any() and (starts <= _CLOSE).all() and (ends >= 1 - _CLOSE).all())

    def moved(self, move: Move) -> "Part":
        """The part after its elements were moved."""
        return Part(compact(move(self.centre)), compact(move(self.extent)), self.pooled)

    def mean(self, axis: int) -> "Part":
        """The part that elements together stand for, which are added up along an axis."""
        if self.centre.shape[axis] == 1 and self.extent.shape[axis] == 1:
            return self
        centre, extent = np.broadcast_arrays(self.centre, self.extent)
        half = np.abs(extent) / 2
        with np.errstate(all="ignore"):
            first = np.fmin.reduce(centre - half, axis=axis, keepdims=True)
            last = np.fmax.reduce(centre + half, axis=axis, keepdims=True)
        return Part(compact((first + last) / 2), compact(last - first), pooled=True)

    def stretched(self, axis: int, size: int, sees: Sees | None = None) -> "Part":
        """The part after an axis was given another size by a convolution, a pooling or a resize.

        Signals are drawn over all that they see: the new positions divide it evenly. Those that see padding
        alone stand for nothing.
        """
        if self.centre.shape[axis] == 1 and self.extent.shape[axis] == 1:
            return self  # Another axis holds the positions.
        centre, extent = (np.moveaxis(x, axis, -1) for x in np.broadcast_arrays(self.centre, self.extent))
        present = centre.shape[-1]
        if present == size and (np.diff(centre) != 0).all() and not np.isnan(centre).any():
            return self
        rows = [
            _stretched_row(*row, size, sees)
            for row in zip(centre.reshape(-1, present), extent.reshape(-1, present), strict=True)
        ]
        shape = (*centre.shape[:-1], size)
        centres, extents = (np.moveaxis(np.reshape(x, shape), -1, axis) for x in zip(*rows, strict=True))
        return Part(compact(centres), compact(extents))

    def evened(self) -> "Part":
        """The part of positions that follow each other along one axis, all as long, if they do."""
        axes = [axis for axis, size in enumerate(self.centre.shape) if size > 1]
        if len(axes) != 1 or self.extent.shape[axes[0]] not in (1, self.centre.shape[axes[0]]):
            return self
        centre, extent = np.broadcast_arrays(self.centre, self.extent)
        row, lengths = centre.ravel(), extent.ravel()
        seen = np.flatnonzero(~np.isnan(row))
        steps = np.diff(row[seen])
        if extent.size != row.size or not ((steps >= 0).all() or (steps <= 0).all()):
            return self
        if len(seen) < 2 or seen[-1] - seen[0] + 1 != len(seen):
            return self
        centres, extents = np.full(len(row), np.nan), np.full(len(row), np.nan)
        centres[seen], extents[seen] = _stretched_row(row[seen], lengths[seen], len(seen))
        return Part(centres.reshape(centre.shape), compact(extents.reshape(centre.shape)))

    def divided(self, axis: int) -> "Part":
        """The part of positions along an axis that divide all that they see together evenly."""
        size = self.centre.shape[axis]
        if size == 1 or self.centre.size > size:
            return self
        centre, half = (
            self.centre.ravel(),
            np.abs(np.broadcast_to(self.extent, self.centre.shape)).ravel() / 2,
        )
        start, end = np.nanmin(centre - half), np.nanmax(centre + half)
        if centre[0] > centre[-1]:
            start, end = end, start
        each = (end - start) / size
        centre = (start + (np.arange(size) + 0.5) * each).reshape(self.centre.shape)
        return Part(centre, np.full([1] * self.centre.ndim, each))

    def says_no_more_than(self, other: "Part") -> bool:
        """Whether the other tells the same more closely."""
        if self is other:
            return True
        with np.errstate(all="ignore"):
            apart = np.abs(self.centre - other.centre)
            inside = np.isnan(apart) | (apart <= np.abs(self.extent) / 2 + _CLOSE)
            coarser = np.isnan(apart) | (np.abs(self.extent) >= np.abs(other.extent) - _CLOSE)
            known = np.isnan(self.centre) | ~np.isnan(other.centre)
        return bool(inside.all() and coarser.all() and known.all())


Claim = tuple[Part, ...]
"""A part along each axis of the input but the first."""


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """What a tensor's elements stand for.

    Attributes:
        shape: The tensor's shape; where that is open, with sizes to compute by.
        image: The index of the image that each element belongs to. None: of several.
        claims: Where it lies. Several differ: an attention weight belongs to a query and to a key.
    """

    shape: tuple[int, ...]
    image: np.ndarray | None
    claims: tuple[Claim, ...]

    @classmethod
    def of_input(cls, shape: Sequence[int]) -> "Places":
        """The places of the input itself."""
        rank = len(shape)

        def along(axis: int, values: np.ndarray) -> np.ndarray:
            return values.reshape([-1 if each == axis else 1 for each in range(rank)])

        claim = tuple(
            Part(along(axis, (np.arange(size) + 0.5) / size), along(0, np.array([1 / size])))
            for axis, size in list(enumerate(shape))[1:]
        )
        return cls(tuple(shape), along(0, np.arange(shape[0], dtype=float)), (claim,))

    @classmethod
    def of_image(cls, shape: Sequence[int], axes: int) -> "Places":
        """Of another input, whose images are the same, and which stands for no part of this one's axes."""
        nothing = np.full([1] * len(shape), np.nan)
        return dataclasses.replace(cls.of_input(shape), claims=((Part(nothing, nothing),) * axes,))

    @classmethod
    def nowhere(cls, shape: Sequence[int]) -> "Places":
        """Of a tensor that depends on the input, at no known place."""
        return cls(tuple(shape), None, ())

    def same_as(self, other: "Places") -> bool:
        """Whether all elements stand for the same."""
        if self.image is None or other.image is None:
            return self.shape == other.shape and self.image is other.image
        return (
            self.shape == other.shape
            and np.array_equal(self.image, other.image, equal_nan=True)
            and all(any(_same(mine, each) for each in other.claims) for mine in self.claims)
            and len(self.claims) == len(other.claims)
        )

    def moved(self, move: Move, shape: Sequence[int]) -> "Places":
        """The places after elements were moved, the same way for each array."""
        image = None if self.image is None else compact(move(self.image))
        claims = tuple(tuple(part.moved(move) for part in claim) for claim in self.claims)
        return Places(tuple(shape), image, claims)

    def added_up(self, axis: int, keep: bool) -> "Places":
        """The places of sums along an axis."""
        image = self.image
        if image is not None and image.shape[axis] > 1:
            image = None
        claims = [tuple(part.mean(axis) for part in claim) for claim in self.claims]
        shape = (*self.shape[:axis], 1, *self.shape[axis + 1 :])
        found = Places(shape, image, _informative(claims))
        return (
            found if keep else found.moved(lambda x: np.squeeze(x, axis), [*shape[:axis], *shape[axis + 1 :]])
        )

    def stretched(self, axis: int, size: int, sees: Sees | None = None) -> "Places":
        """The places after an axis got another size."""
        claims = tuple(tuple(part.stretched(axis, size, sees) for part in claim) for claim in self.claims)
        shape = (*self.shape[:axis], size, *self.shape[axis + 1 :])
        image = self.image
        if image is not None and image.shape[axis] not in (1, size):
            image = None
        return Places(shape, image, claims)


def merged(places: Iterable[Places], shape: Sequence[int]) -> Places:
    """The places of what is computed element by element from several tensors of one shape, or size 1."""
    found = list(places)
    rank = len(shape)
    claims: list[Claim] = []
    images: list[np.ndarray] = []
    for each in found:
        if each.image is None:
            return Places.nowhere(shape)
        moved = _with_rank(each, rank)
        if moved.image is not None:
            images.append(moved.image)
        for claim in moved.claims:
            if not any(claim is other for other in claims):
                claims.append(claim)
    image = images[0]
    for other in images[1:]:
        if other is not image:
            # Where one stands for no image, as a class token does, the other tells.
            with np.errstate(all="ignore"):
                if not (np.isnan(other) | np.isnan(image) | (other == image)).all():
                    return Places.nowhere(shape)
            image = np.where(np.isnan(image), other, image)
    kept = closest(claims)
    if len(kept) > 1 and not any(part.centre.size > 1 for claim in kept for part in claim):
        kept = _informative([united(kept)])  # Each of one place, as pooled quadrants are: of all together.
    return Places(tuple(shape), image, kept)


def united(claims: Sequence[Claim]) -> Claim:
    """The claim of what stands for all that several claims tell."""
    parts = []
    for several in zip(*claims, strict=True):
        with np.errstate(all="ignore"):
            starts = [part.centre - np.abs(part.extent) / 2 for part in several]
            ends = [part.centre + np.abs(part.extent) / 2 for part in several]
            start, end = functools.reduce(np.fmin, starts), functools.reduce(np.fmax, ends)
        turned = all((part.extent < 0).all() for part in several)
        extent = compact((start - end) if turned else (end - start))
        parts.append(Part(compact((start + end) / 2), extent, any(part.pooled for part in several)))
    return tuple(parts)


def _with_rank(places: Places, rank: int) -> Places:
    """The places with axes of 1 before the others, as they are repeated."""
    lead = (1,) * (rank - len(places.shape))
    return places.moved(lambda x: x.reshape(lead + x.shape), lead + places.shape) if lead else places


def closest(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """Leaves out claims that say no more than others do."""
    kept: list[Claim] = []
    for claim in claims:
        if any(_says_no_more(claim, other) for other in kept):
            continue
        kept = [other for other in kept if not _says_no_more(other, claim)]
        kept.append(claim)
    return tuple(kept)


def evened(claim: Claim) -> Claim:
    """A claim whose positions along an axis of their own are all as long, as where an image was repeated."""
    depends = [{axis for axis, size in enumerate(part.centre.shape) if size > 1} for part in claim]
    return tuple(
        part.evened() if not any(own & other for j, other in enumerate(depends) if j != i) else part
        for i, (part, own) in enumerate(zip(claim, depends, strict=True))
    )


def compact(array: np.ndarray) -> np.ndarray:
    """An array with size 1 along the axes that it does not depend on."""
    for axis, size in enumerate(array.shape):
        if size > 1:
            first = array[(slice(None),) * axis + (slice(0, 1),)]
            if np.array_equal(np.broadcast_to(first, array.shape), array, equal_nan=True):
                array = first
    return array


def _says_no_more(claim: Claim, other: Claim) -> bool:
    return all(mine.says_no_more_than(theirs) for mine, theirs in zip(claim, other, strict=True))


def _same(claim: Claim, other: Claim) -> bool:
    return _says_no_more(claim, other) and _says_no_more(other, claim)


def _informative(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims that tell more than that an element is of the whole image."""
    return tuple(claim for claim in claims if not all(part.is_whole for part in claim))


def _stretched_row(
    centre: np.ndarray, extent: np.ndarray, size: int, sees: Sees | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """One row of positions divided anew."""
    seen = np.flatnonzero(~np.isnan(centre))
    if not len(seen):
        return np.full(size, np.nan), np.full(size, np.nan)
    if sees is not None and len(seen) < len(centre):
        there = sees(~np.isnan(centre))
        if there.any() and not there.all():
            centres, extents = np.full(size, np.nan), np.full(size, np.nan)
            centres[there], extents[there] = _stretched_row(centre[seen], extent[seen], int(there.sum()))
            return centres, extents
    first, last = seen[0], seen[-1]
    steps = np.diff(centre[seen])
    if not steps.any():  # Another axis holds the positions.
        return np.full(size, centre[first]), np.full(size, extent[first])
    if (steps >= 0).all() or (steps <= 0).all():
        start, end = centre[first] - extent[first] / 2, centre[last] + extent[last] / 2
        each = (end - start) / size
        return start + (np.arange(size) + 0.5) * each, np.full(size, each)
    # Positions that were rolled: those in between two lie in between.
    index = first - 0.5 + (np.arange(size) + 0.5) * (last - first + 1) / size
    inner = np.interp(index, seen, centre[seen])
    return inner, np.interp(index, seen, extent[seen]) * ((last - first + 1) / size)
