"""How much of a map lies where the object is."""

from typing import Any

import numpy as np

from keras_fullgrad.metrics.arrays import as_maps
from keras_fullgrad.metrics.curves import ranks
from keras_fullgrad.metrics.scores import Localisation


def energy_pointing_game(maps: Any, regions: Any) -> Localisation:
    r"""Measures the share of each map's energy inside a box or a mask: more is better.

    .. math:: e = \sum_{p \in \text{region}} M_p \Big/ \sum_p M_p

    The energy-based pointing game of Wang et al. 2020 (Score-CAM, arXiv:1910.01279), or the relevance mass
    accuracy of Arras et al. 2022 (CLEVR-XAI, arXiv:2003.07258). A map of zeros counts as
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
    maps, masks = _checked(maps, regions)
    if maps.min() < 0:
        raise ValueError(f"expected maps without negative values, got {maps.min():g}")
    space = tuple(range(1, maps.ndim))
    areas = masks.mean(space)
    inside = np.sum(maps, space, np.float64, where=masks)
    total = np.sum(maps, space, np.float64)
    return Localisation(np.divide(inside, total, out=areas.copy(), where=total > 0), areas)


def pointing_game(maps: Any, regions: Any) -> Localisation:
    r"""Tells whether each map's maximum lies inside a box or a mask: more is better.

    The pointing game of Zhang et al. 2016 (arXiv:1608.00507), without a margin: a larger region gives one. Of
    several equal maxima it is the share of them that lies inside.

    Args:
        maps: Maps, (images, space) or (images, space, 1), of any range.
        regions: Boxes or masks; see :func:`energy_pointing_game`.

    Returns:
        1 for a hit and 0 for a miss, beside the share of positions inside.

    Raises:
        ValueError: If shapes or types do not fit, or a region is empty or beyond the map.

    Example:
        >>> pointing_game(np.array([[[1, 2], [3, 4]]]), np.array([[0, 1, 2, 2]])).values.tolist()
        [1.0]
    """
    maps, masks = _checked(maps, regions)
    space = tuple(range(1, maps.ndim))
    highest = maps == maps.max(space, keepdims=True)
    return Localisation((highest & masks).sum(space) / highest.sum(space), masks.mean(space))


def relevance_rank_accuracy(maps: Any, regions: Any, *, seed: int = 0) -> Localisation:
    r"""Measures how many of a map's highest positions lie inside a box or a mask: more is better.

    .. math:: a = |\text{top}_K \cap \text{region}| / K, \qquad K = |\text{region}|

    The relevance rank accuracy of Arras et al. 2022 (CLEVR-XAI, arXiv:2003.07258).

    Args:
        maps: Maps, (images, space) or (images, space, 1), of any range.
        regions: Boxes or masks; see :func:`energy_pointing_game`.
        seed: The seed of the order of positions whose saliency is the same.

    Returns:
        The shares, beside the share of positions inside.

    Raises:
        ValueError: If shapes or types do not fit, or a region is empty or beyond the map.

    Example:
        >>> relevance_rank_accuracy(np.array([[[1, 2], [3, 4]]]), np.array([[0, 1, 2, 2]])).values.tolist()
        [0.5]
    """
    maps, masks = _checked(maps, regions)
    space = tuple(range(1, maps.ndim))
    sizes = masks.sum(space, keepdims=True)
    top = ranks(maps, seed) >= maps[0].size - sizes
    return Localisation((top & masks).sum(space) / sizes.ravel(), masks.mean(space))


def _checked(maps: Any, regions: Any) -> tuple[np.ndarray, np.ndarray]:
    """Maps, (images, space), and the masks of their regions."""
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
    empty = np.flatnonzero(~masks.any(tuple(range(1, maps.ndim))))
    if len(empty):
        raise ValueError(f"expected a position inside each region, got none for image {empty[0]}")
    return maps, masks


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
