"""How much of a map lies where the object is."""

import dataclasses
from typing import Any

import numpy as np

from keras_fullgrad.metrics.arrays import as_maps


@dataclasses.dataclass(frozen=True)
class Energy:
    """Shares of maps inside regions.

    Attributes:
        values: The share of each map's energy inside its region, (images,).
        areas: The share of positions inside, (images,): what an even map would give.
    """

    values: np.ndarray
    areas: np.ndarray

    @property
    def mean(self) -> float:
        """The mean share of energy."""
        return float(self.values.mean())

    @property
    def mean_area(self) -> float:
        """The mean share of positions."""
        return float(self.areas.mean())


def energy_pointing_game(maps: Any, regions: Any) -> Energy:
    r"""Measures the share of each map's energy inside a box or a mask: more is better.

    .. math:: e = \sum_{p \in \text{region}} M_p \Big/ \sum_p M_p

    The energy-based pointing game of Wang et al. 2020 (Score-CAM, arXiv:1910.01279). A map of zeros counts as
    an even one, which is what a rescale to [0, 1] makes zeros of.

    Args:
        maps: Maps without negative values, (images, space) or (images, space, 1).
        regions: Boxes, integers (images, 2 x axes of space): the first position on each axis, then the one
            after the last; of pictures top, left, bottom, right. Or masks, Booleans (images, space).

    Returns:
        The shares.

    Raises:
        ValueError: If shapes or types do not fit, a map has negative values, or a region is empty or beyond
            the map.

    Example:
        >>> energy = energy_pointing_game(np.array([[[1, 2], [3, 4]]]), np.array([[0, 1, 2, 2]]))
        >>> energy.values.tolist(), energy.areas.tolist()
        ([0.6], [0.5])
    """
    regions = np.asarray(regions)
    if regions.dtype.kind == "b":
        masks, maps = regions, as_maps(maps, regions.ndim - 1)
    elif regions.dtype.kind in "iu" and regions.ndim == 2:
        maps = as_maps(maps, regions.shape[1] // 2)
        masks = _masks(regions, maps.shape)
    else:
        raise ValueError(
            "expected boxes, integers (images, 2 x axes of space), or masks, Booleans (images, space), "
            f"got {regions.dtype.name} of shape {regions.shape}"
        )
    if masks.shape != maps.shape:
        raise ValueError(f"expected masks of the maps' shape {maps.shape}, got {masks.shape}")
    if maps.min() < 0:
        raise ValueError(f"expected maps without negative values, got {maps.min():g}")

    space = tuple(range(1, maps.ndim))
    areas = masks.mean(space)
    if not areas.all():
        raise ValueError(
            f"expected a position inside each region, got none for image {np.flatnonzero(areas == 0)[0]}"
        )
    inside = np.sum(maps, space, np.float64, where=masks)
    total = np.sum(maps, space, np.float64)
    return Energy(np.divide(inside, total, out=areas.copy(), where=total > 0), areas)


def _masks(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    images, *space = shape
    axes = len(space)
    if boxes.shape != (images, 2 * axes):
        raise ValueError(f"expected boxes of shape {(images, 2 * axes)}, got {boxes.shape}")
    first, end = boxes[:, :axes], boxes[:, axes:]
    if not ((first >= 0) & (first < end) & (end <= space)).all():
        raise ValueError(f"expected boxes of at least one position within maps of size {tuple(space)}")
    masks = np.ones(shape, bool)
    for axis, size in enumerate(space):
        positions = np.arange(size)
        inside = (positions >= first[:, axis, np.newaxis]) & (positions < end[:, axis, np.newaxis])
        masks &= np.expand_dims(inside, [1 + other for other in range(axes) if other != axis])
    return masks
