"""Deletion and insertion: how fast an output falls, or comes, with the pixels that a map calls important."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_fullgrad.metrics.curves import (
    SHARES,
    Activation,
    Curve,
    Options,
    Value,
    most_salient,
    perturbation_curve,
)


def deletion(
    model: keras.Model,
    x: Any,
    maps: Any,
    y: Any | None = None,
    *,
    shares: Sequence[float] = SHARES,
    value: Value = 0.0,
    seed: int = 0,
    batch_size: int | None = None,
    activation: Activation = "softmax",
    target: Any | None = None,
) -> Curve:
    """Replaces the most salient pixels, and measures what is left of the output: less is better.

    The deletion curve of Petsiuk et al. 2018 (RISE, arXiv:1806.07421); the area under it is their figure.

    Args:
        model: Any Keras model of one input.
        x: The images, (images, space, channels): an array.
        maps: Their maps, (images, space) or (images, space, 1), of any method and any range.
        y: The class of each image, or one for all. None: each image's top class.
        shares: The shares of pixels to replace, rising, at least two; 0, 5%, and so on to 100%
            unless given.
        value: What to replace them by, in the units of ``x``; anything that broadcasts to its shape. Black
            is 0 only where images are not preprocessed: elsewhere it is
            ``preprocess_input(np.zeros([1, 1, 3]))``, and each image's own mean is
            ``x.mean((1, 2), keepdims=True)``. Or a function from an image, (space, channels), and the mask of
            what to replace, (space), to an image, such as :func:`keras_fullgrad.metrics.impute`.
        seed: The seed of the order of pixels whose saliency is the same; it is that of every image.
        batch_size: Images computed at a time. None: chosen by their size.
        activation: Keras's name of what makes the output of the logits, or a function: ``"softmax"`` for the
            probability, as in the paper; ``"sigmoid"`` where classes do not exclude each other. None: the
            logit itself.
        target: What to measure in the place of a class, as it is; see :func:`keras_fullgrad.explain.explain`.

    Returns:
        The curve of outputs, from the whole images' where none is replaced.

    Raises:
        ValueError: If shapes, classes, shares or the value do not fit; the message says what was expected.
        TypeError: If the images are no array, or classes no integers.

    Example:
        >>> model = keras.Sequential([keras.Input([4, 1]), keras.layers.Flatten(),
        ...                           keras.layers.Dense(1, kernel_initializer="ones")])
        >>> x = np.array([[[1.0], [4.0], [2.0], [3.0]]])
        >>> curve = deletion(model, x, maps=x, shares=[0, 0.5, 1], activation=None)
        >>> curve.mean.tolist(), curve.area
        ([10.0, 3.0, 0.0], 4.0)
    """
    options = Options(shares, value, seed, batch_size, activation, target)
    return perturbation_curve(model, x, maps, y, most_salient, options)


def insertion(
    model: keras.Model,
    x: Any,
    maps: Any,
    y: Any | None = None,
    *,
    shares: Sequence[float] = SHARES,
    value: Value = 0.0,
    seed: int = 0,
    batch_size: int | None = None,
    activation: Activation = "softmax",
    target: Any | None = None,
) -> Curve:
    """Puts the most salient pixels into a blank image, and measures the output: more is better.

    The insertion curve of the same paper as :func:`keras_fullgrad.metrics.deletion`'s. Arguments are those of
    a deletion, which tells more of each.

    Args:
        model: Any Keras model of one input.
        x: The images, (images, space, channels).
        maps: Their maps, (images, space) or (images, space, 1).
        y: Their classes. None: each whole image's top class.
        shares: The shares of pixels to put in.
        value: The blank image. The paper takes blurred images, as
            ``scipy.ndimage.gaussian_filter(x, [0, 5, 5, 0])`` makes them.
        seed: The seed of the order of pixels whose saliency is the same.
        batch_size: Images computed at a time.
        activation: What makes the output of the logits.
        target: What to measure in the place of a class.

    Returns:
        The curve of outputs, up to the whole images' where all pixels are there.

    Raises:
        ValueError: As :func:`keras_fullgrad.metrics.deletion`.
        TypeError: As :func:`keras_fullgrad.metrics.deletion`.

    Example:
        >>> model = keras.Sequential([keras.Input([4, 1]), keras.layers.Flatten(),
        ...                           keras.layers.Dense(1, kernel_initializer="ones")])
        >>> x = np.array([[[1.0], [4.0], [2.0], [3.0]]])
        >>> insertion(model, x, maps=x, shares=[0, 0.5, 1], activation=None).mean.tolist()
        [0.0, 7.0, 10.0]
    """
    options = Options(shares, value, seed, batch_size, activation, target)
    return perturbation_curve(model, x, maps, y, _not_yet_put_in, options)


def _not_yet_put_in(ranks: np.ndarray, count: int) -> np.ndarray:
    return ranks < ranks[0].size - count
