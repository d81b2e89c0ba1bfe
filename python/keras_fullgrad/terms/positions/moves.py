"""How places move with elements: reshapes, slices, concatenations, products that are added up."""

from collections.abc import Iterator, Sequence

import numpy as np

from keras_fullgrad.terms.positions.places import Claim, Part, Places, merged, united


class UnknownError(Exception):
    """What places come out cannot be told."""


def reshape(places: Places, shape: Sequence[int]) -> Places:
    """The places of the same elements in another shape: axes that run together keep what each tells.

    Args:
        places: The places.
        shape: The shape, of as many elements.

    Returns:
        The places.

    Example:
        >>> tokens = reshape(Places.of_input([2, 3, 4, 5]), [2, 12, 5])
        >>> tokens.claims[0][0].centre.shape, tokens.image.shape
        ((1, 12, 1), (2, 1, 1))
    """
    groups = list(_groups(places.shape, shape))

    def move(array: np.ndarray) -> np.ndarray:
        now, then = [], []
        for before, behind in groups:
            depends = any(array.shape[axis] > 1 for axis in before)
            now += [places.shape[axis] if depends else 1 for axis in before]
            then += [shape[axis] if depends else 1 for axis in behind]
        return np.broadcast_to(array, now).reshape(then)

    return places.moved(move, shape)


def _groups(before: Sequence[int], behind: Sequence[int]) -> Iterator[tuple[range, range]]:
    """Runs of axes of both shapes that hold the same elements."""
    i = j = 0
    while i < len(before) or j < len(behind):
        start, end = (i, j)
        left = before[i] if i < len(before) else 1
        right = behind[j] if j < len(behind) else 1
        i, j = min(i + 1, len(before)), min(j + 1, len(behind))
        while left != right:
            if left < right:
                left, i = left * before[i], i + 1
            else:
                right, j = right * behind[j], j + 1
        # Axes of 1 belong to whatever stands before them.
        while i < len(before) and before[i] == 1 and (j == len(behind) or behind[j] != 1):
            i += 1
        while j < len(behind) and behind[j] == 1 and (i == len(before) or before[i] != 1):
            j += 1
        yield range(start, i), range(end, j)


def sliced(places: Places, slices: Sequence[slice]) -> Places:
    """The places of a slice."""

    def move(array: np.ndarray) -> np.ndarray:
        return array[tuple(s if n > 1 else slice(None) for s, n in zip(slices, array.shape, strict=True))]

    shape = [len(range(*s.indices(n))) for s, n in zip(slices, places.shape, strict=True)]
    if 0 in shape:
        raise UnknownError
    found = places.moved(move, shape)
    reversed_axes = [axis for axis, s in enumerate(slices) if s.step is not None and s.step < 0]
    return _turned(found, reversed_axes)


def _turned(places: Places, axes: Sequence[int]) -> Places:
    """Marks parts along axes that run the other way now."""
    claims = places.claims
    for axis in axes:
        claims = tuple(
            tuple(Part(p.centre, -p.extent) if p.centre.shape[axis] > 1 else p for p in claim)
            for claim in claims
        )
    return Places(places.shape, places.image, claims)


def concatenated(inputs: Sequence[tuple[tuple[int, ...], Places | None]], axis: int) -> Places:
    """The places of tensors, by their shapes and places, one after the other; no place where one has none."""
    there = [places for _, places in inputs if places is not None and places.image is not None]
    shape = list(there[0].shape) if there else list(inputs[0][0])
    shape[axis] = sum(size[axis] for size, _ in inputs)
    if len(there) < sum(places is not None for _, places in inputs) or not there:
        return Places.nowhere(shape)
    of_image = [places.image for places in there if places.image is not None]
    others = len(there) < len(inputs)
    if axis != 0 or all(each.shape[axis] == 1 for each in of_image):
        image = merged([Places(p.shape, p.image, ()) for p in there], _without(there[0].shape, axis)).image
    elif others:
        return Places.nowhere(shape)
    else:
        image = _joined(of_image, [places.shape[axis] for places in there], axis)
    claims = [places.claims[0] for places in there if places.claims]
    if not claims:
        return Places(tuple(shape), image, ())
    if any(len(places.claims) > 1 for places in there):
        return Places.nowhere(shape)
    # The same places with other channels, be they of the whole image: nothing new.
    between_channels = axis != 0 and all(part.centre.shape[axis] == 1 for part in claims[0])
    complete = not others and len(claims) == len(there)
    if (complete or between_channels) and all(_near(claim, claims[0], axis, 0) for claim in claims):
        return Places(tuple(shape), image, (claims[0],))
    grids = any(part.centre.size > 1 for part in claims[0])
    if between_channels and grids and all(_near(claim, claims[0], axis, 1) for claim in claims):
        # Of neighbours, as where every other row is put beside those between: each of all of them.
        return Places(tuple(shape), image, (united(claims),))
    parts = []
    for index in range(len(claims[0])):
        arrays: dict[str, list[np.ndarray]] = {"centre": [], "extent": []}
        sizes = []
        follow = iter(claims)
        for size, places in inputs:
            claim = next(follow) if places is not None and places.claims else None
            for name, values in arrays.items():
                blank = np.full([1] * len(shape), np.nan)
                values.append(blank if claim is None else getattr(claim[index], name))
            sizes.append(size[axis])
        centre, extent = (_joined(values, sizes, axis) for values in arrays.values())
        parts.append(Part(centre, extent, any(claim[index].pooled for claim in claims)))
    found = Places(tuple(shape), image, (tuple(parts),))
    return found.moved(lambda x: x, shape)


def _near(claim: Claim, other: Claim, axis: int, extents: float) -> bool:
    """Whether elements lie no further apart than so many of their extents, and not along the axis."""

    def near(a: np.ndarray, b: np.ndarray, extent: np.ndarray) -> bool:
        if a.shape[axis] > 1 or b.shape[axis] > 1:
            return False
        with np.errstate(all="ignore"):
            apart = np.abs(a - b)
            return bool((apart <= extents * np.abs(extent) + 1e-6).all())

    return all(
        mine is theirs or near(mine.centre, theirs.centre, theirs.extent)
        for mine, theirs in zip(claim, other, strict=True)
    )


def _without(shape: Sequence[int], axis: int) -> list[int]:
    return [1 if i == axis else size for i, size in enumerate(shape)]


def _joined(arrays: Sequence[np.ndarray], sizes: Sequence[int], axis: int) -> np.ndarray:
    shape = list(np.broadcast_shapes(*(_without(array.shape, axis) for array in arrays)))
    blocks = []
    for array, size in zip(arrays, sizes, strict=True):
        shape[axis] = size
        blocks.append(np.broadcast_to(array, shape))
    return np.concatenate(blocks, axis)


def spread(places: Places, axis: int) -> Places:
    """Channels that become positions: each stands for a fraction of the position that held them."""
    size = places.shape[axis]
    steps = ((np.arange(size) + 0.5) / size - 0.5).reshape(
        [-1 if i == axis else 1 for i in range(len(places.shape))]
    )
    claims = []
    for claim in places.claims:
        parts = []
        for part in claim:
            here = part.centre.shape[axis - 1] > 1
            parts.append(Part(part.centre + steps * part.extent, part.extent / size) if here else part)
        claims.append(tuple(parts))
    return Places(places.shape, places.image, tuple(claims))
