"""Whether maps of other classes are others."""

from typing import Any

import keras
import numpy as np

from keras_fullgrad.explain import explain
from keras_fullgrad.methods.meta import Method
from keras_fullgrad.metrics import similarities
from keras_fullgrad.metrics.arrays import as_images
from keras_fullgrad.metrics.outputs import of_whole
from keras_fullgrad.metrics.scores import Scores
from keras_fullgrad.running import batches


def random_logit(
    method: Method,
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    draws: int = 1,
    similarity: str = "spearman",
    seed: int = 0,
    batch_size: int | None = None,
    **params: Any,
) -> Scores:
    r"""Compares the map of a class with those of other classes, drawn at random.

    .. math:: v = \frac{1}{D} \sum_{d=1}^{D} \text{similarity}(M_y, M_{y_d}), \qquad y_d \ne y

    The random logit test of Sixt et al. 2020 (arXiv:1912.09818). A map that stays the same, 1, shows what is
    evident in the image, and not what speaks for the class.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        model: Any Keras model of one input, with at least two classes.
        x: The images, (images, space, channels): an array.
        y: The class of each image, or one for all. None: each image's top class.
        draws: How many other classes of each image, all different.
        similarity: ``spearman``, ``pearson`` or ``ssim``; see
            :func:`keras_fullgrad.metrics.cascading_randomisation`.
        seed: The seed of the classes drawn.
        batch_size: Images computed at a time. None: chosen by their size.
        **params: Further arguments of :func:`keras_fullgrad.explain.explain`, and of the method.

    Returns:
        The mean similarity for each image.

    Raises:
        ValueError: If shapes, classes or options do not fit, or there are fewer other classes than draws.
        TypeError: If the images are no array, or classes no integers.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(5)])
        >>> random_logit(gradients, model, np.ones([2, 8, 8, 3]), draws=4).values.shape
        (2,)
    """
    if draws < 1:
        raise ValueError(f"expected draws to be at least 1, got {draws}")
    x = as_images(x)
    compare = similarities.named(similarity, x)
    batch_size = batches.default_size(x.shape) if batch_size is None else batch_size
    options: dict[str, Any] = {"batch_size": batch_size, "verbose": 0}
    explained = of_whole(model, x, y, None, batch_size)
    of_all = batches.count_classes(model, x)
    if of_all is None or draws >= of_all:
        raise ValueError(f"expected a model of more than {draws} classes for as many draws, got {of_all}")
    rng = np.random.default_rng(seed)
    others = [
        rng.choice(np.delete(np.arange(of_all), own), draws, replace=False) for own in explained.classes
    ]
    classes = np.concatenate([explained.classes, others], axis=1)
    maps = explain(method, model, x, classes.tolist(), **options, **params).maps
    return Scores(np.mean([compare(maps[..., 0], maps[..., 1 + draw]) for draw in range(draws)], axis=0))
