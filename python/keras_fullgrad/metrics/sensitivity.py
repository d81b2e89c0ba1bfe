"""How far maps move with images that hardly do."""

from typing import Any

import keras
import numpy as np

from keras_fullgrad.explain import explain
from keras_fullgrad.methods.meta import Method
from keras_fullgrad.metrics.arrays import as_images
from keras_fullgrad.metrics.outputs import of_whole, same
from keras_fullgrad.metrics.scores import Scores
from keras_fullgrad.running import batches


def max_sensitivity(
    method: Method,
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
    batch_size: int | None = None,
    **params: Any,
) -> Scores:
    r"""Measures how far a map moves at most while its image is changed a little: less is better.

    .. math:: v = \max_{\|d\|_\infty \le r} \frac{\|M(x + d) - M(x)\|_2}{\|M(x)\|_2}

    The max-sensitivity of Yeh et al. 2019 (arXiv:1901.09392), over some changes drawn evenly.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        model: Any Keras model of one input.
        x: The images, (images, space, channels): an array.
        y: The class of each image, or one for all. None: the top class of each image as it is.
        radius: The largest change of a value, r, as a share of its image's range, from its least to its
            greatest value.
        samples: How many changes of each image.
        seed: The seed of the changes.
        batch_size: Images computed at a time. None: chosen by their size.
        **params: Further arguments of :func:`keras_fullgrad.explain.explain`, and of the method.

    Returns:
        The figure for each image; 0 where both maps are blank, infinity where only the first is.

    Raises:
        ValueError: If shapes, classes or options do not fit.
        TypeError: If the images are no array, or classes no integers.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(5)])
        >>> x = np.random.default_rng(0).random([2, 8, 8, 3])
        >>> max_sensitivity(gradients, model, x, samples=2).values.tolist()  # A linear model's never change.
        [0.0, 0.0]
    """
    if samples < 1:
        raise ValueError(f"expected samples to be at least 1, got {samples}")
    if not 0 < radius < np.inf:
        raise ValueError(f"expected a radius above 0, got {radius}")
    x = as_images(x)
    x = x.astype(np.result_type(x.dtype, np.float32), copy=False)
    batch_size = batches.default_size(x.shape) if batch_size is None else batch_size
    target = params.pop("target", None)
    params |= same(of_whole(model, x, y, target, batch_size), target)
    options = {"batch_size": batch_size, "verbose": 0} | params
    before = explain(method, model, x, **options).maps
    largest = radius * np.ptp(x, axis=tuple(range(1, x.ndim)), keepdims=True)
    rng = np.random.default_rng(seed)
    moved = np.zeros(len(x))
    for _ in range(samples):
        change = (largest * rng.uniform(-1, 1, x.shape)).astype(x.dtype)
        moved = np.maximum(moved, _norms(explain(method, model, x + change, **options).maps - before))
    size = _norms(before)
    return Scores(np.divide(moved, size, out=np.where(moved > 0, np.inf, 0.0), where=size > 0))


def _norms(maps: np.ndarray) -> np.ndarray:
    return np.linalg.norm(maps.reshape(len(maps), -1).astype(np.float64), axis=1)
