"""How alike two maps are."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from keras_fullgrad.maps import filters

Similarity: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From maps and maps, both (images, space), to a figure for each image."""


def named(name: str, images: np.ndarray) -> Similarity:
    """Finds a similarity by name.

    Args:
        name: ``spearman``, the correlation of ranks, or ``pearson``, that of values, from -1 to 1, 0 where a
            map is even; or ``ssim``, the structural similarity of maps rescaled to [0, 1].
        images: What the maps are of, (images, space, channels).

    Returns:
        The similarity.

    Raises:
        ValueError: If there is none of that name, or it is none of such maps.

    Example:
        >>> pearson = named("pearson", np.zeros([1, 3, 3]))
        >>> pearson(np.array([[1, 2, 3]]), np.array([[2, 4, 6]])).round(6).tolist()
        [1.0]
    """
    if name not in _SIMILARITIES:
        raise ValueError(f"expected similarity to be one of {', '.join(_SIMILARITIES)}, got {name!r}")
    if name == "ssim" and images.ndim != 4:
        raise ValueError(
            f"expected pictures, of two axes of positions, for ssim, got images of {images.shape}"
        )
    return _SIMILARITIES[name]


def _pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return _correlation(first, second, lambda one, other: np.corrcoef(one, other)[0, 1])


def _spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from scipy.stats import spearmanr  # Scipy takes a while to import.

    return _correlation(first, second, lambda one, other: spearmanr(one, other).statistic)


def _correlation(first: np.ndarray, second: np.ndarray, of: Callable[..., float]) -> np.ndarray:
    pairs = zip(first.reshape(len(first), -1), second.reshape(len(second), -1), strict=True)
    # An even map has no correlation, of which numpy and scipy would warn.
    return np.array([of(*pair) if np.ptp(pair, axis=1).all() else 0.0 for pair in pairs])


def _ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first, second = (filters.normalize(maps[..., np.newaxis]) for maps in (first, second))
    # The usual window of 11 positions, smaller where maps are.
    return tf.image.ssim(first, second, 1.0, filter_size=min(11, *first.shape[1:3])).numpy()


_SIMILARITIES: dict[str, Similarity] = {
    "pearson": _pearson,
    "spearman": _spearman,
    "ssim": _ssim,
}
