"""Pixel perturbation: what a model's output loses with the pixels that a map calls unimportant."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.metrics.curves import SHARES, Curve, perturbation_curve


def pixel_perturbation(
    model: keras.Model,
    x: Any,
    maps: Any,
    y: Any | None = None,
    *,
    shares: Sequence[float] = SHARES,
    value: Any = 0.0,
    seed: int = 0,
    batch_size: int | None = None,
    activation: str | Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> Curve:
    r"""Replaces the least salient pixels, and measures how much the output changes: less is better.

    .. math:: v(k) = \left| \frac{s(x_k) - s(x)}{s(x)} \right|

    where the share :math:`k` of pixels with the least saliency is replaced in :math:`x_k` (Srinivas &
    Fleuret 2019, section 5.1). To replace pixels makes edges that confuse a model by themselves; where the
    unimportant ones go, that tells less against a good map than where the important ones do.

    Args:
        model: Any Keras model of one input.
        x: The images, (images, space, channels): an array.
        maps: Their maps, (images, space) or (images, space, 1), of any method and any range.
        y: The class of each image, or one for all. None: each image's most confident one, as in the paper.
        shares: The shares of pixels to replace, rising, at least two; 0, 5%, and so on to 100%
            unless given.
        value: What to replace them by, in the units of ``x``; anything that broadcasts to its shape. Black
            is 0 only where images are not preprocessed: elsewhere it is
            ``preprocess_input(np.zeros([1, 1, 3]))``, and each image's own mean is
            ``x.mean((1, 2), keepdims=True)``.
        seed: The seed of the order of pixels whose saliency is the same; it is that of every image.
        batch_size: Images computed at a time. None: chosen by their size.
        activation: Keras's name of what makes the output of the logits, such as ``"softmax"``, or a
            function. None: the logit itself, which is what maps explain.

    Returns:
        The curve of absolute fractional changes, from 0 where none is replaced.

    Raises:
        ValueError: If shapes, classes, shares or the value do not fit, or an image's output is 0.
        TypeError: If the images are no array, or classes no integers.

    Example:
        >>> model = keras.Sequential([keras.Input([4, 1]), keras.layers.Flatten(),
        ...                           keras.layers.Dense(1, kernel_initializer="ones")])
        >>> x = np.array([[[1.0], [4.0], [2.0], [3.0]]])
        >>> pixel_perturbation(model, x, maps=x, shares=[0, 0.5, 1]).mean.round(3).tolist()
        [0.0, 0.3, 1.0]
    """
    return perturbation_curve(
        model, x, maps, y, _least_salient, shares, value, seed, batch_size, activation, relative=True
    )


def _least_salient(ranks: np.ndarray, count: int) -> np.ndarray:
    return ranks < count
