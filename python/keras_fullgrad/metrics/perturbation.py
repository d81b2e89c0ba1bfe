"""Pixel perturbation: what a model's output loses with the pixels that a map calls unimportant."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_fullgrad.metrics.curves import (
    SHARES,
    Activation,
    Curve,
    Options,
    Value,
    least_salient,
    perturbation_curve,
)


def pixel_perturbation(
    model: keras.Model,
    x: Any,
    maps: Any,
    y: Any | None = None,
    *,
    shares: Sequence[float] = SHARES,
    value: Value = 0.0,
    seed: int = 0,
    batch_size: int | None = None,
    activation: Activation = None,
    target: Any | None = None,
) -> Curve:
    r"""Replaces the least salient pixels, and measures how much the output changes: less is better.

    .. math:: v(k) = \left| \frac{s(x_k) - s(x)}{s(x)} \right|

    where the share :math:`k` of pixels with the least saliency is replaced in :math:`x_k` (Srinivas &
    Fleuret 2019, section 5.1). To replace pixels makes edges that confuse a model by themselves; where the
    unimportant ones go, that tells less against a good map than where the important ones do. Arguments are
    those of :func:`keras_fullgrad.metrics.deletion`, which tells more of each.

    Args:
        model: Any Keras model of one input.
        x: The images, (images, space, channels).
        maps: Their maps, (images, space) or (images, space, 1).
        y: Their classes. None: each image's most confident one, as in the paper.
        shares: The shares of pixels to replace.
        value: What to replace them by.
        seed: The seed of the order of pixels whose saliency is the same.
        batch_size: Images computed at a time.
        activation: What makes the output of the logits. None: the logit itself, which is what maps explain.
        target: What to measure in the place of a class.

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
    options = Options(shares, value, seed, batch_size, activation, target)
    return perturbation_curve(model, x, maps, y, least_salient, options, relative=True)
