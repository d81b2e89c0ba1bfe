"""ROAD: what an output loses with pixels that are replaced without a trace."""

import functools
from collections.abc import Sequence
from typing import Any, Literal

import keras

from keras_fullgrad.metrics.curves import (
    Activation,
    Curve,
    Options,
    least_salient,
    most_salient,
    perturbation_curve,
)
from keras_fullgrad.metrics.imputation import impute

SHARES = tuple(step / 10 for step in range(10))
"""The default shares of positions: 0, 10%, and so on to 90%."""

_FIRST = {"most": most_salient, "least": least_salient}


def road(
    model: keras.Model,
    x: Any,
    maps: Any,
    y: Any | None = None,
    *,
    first: Literal["most", "least"] = "most",
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    batch_size: int | None = None,
    activation: Activation = "softmax",
    target: Any | None = None,
) -> Curve:
    """Removes pixels and debiases: replaces them by :func:`keras_fullgrad.metrics.impute`.

    ROAD of Rong et al. 2022 (arXiv:2202.00449). Pixels of one value, as a deletion puts in, leave edges that
    tell a net where they were, and images unlike any that it was trained on; imputed ones do so less.
    Arguments are those of :func:`keras_fullgrad.metrics.deletion`, which tells more of each.

    Args:
        model: Any Keras model of one input.
        x: The images, (images, space, channels).
        maps: Their maps, (images, space) or (images, space, 1).
        y: Their classes. None: each whole image's top class.
        first: Which pixels go first: the ``most`` salient, where less is better, or the ``least``, where more
            is.
        shares: The shares of pixels to replace, below 1.
        seed: The seed of the noise on what is imputed, and of the order of pixels whose saliency is the same.
        batch_size: Images computed at a time.
        activation: What makes the output of the logits.
        target: What to measure in the place of a class.

    Returns:
        The curve of outputs, from the whole images' where none is replaced.

    Raises:
        ValueError: If ``first`` is neither of both, a share is 1, or as
            :func:`keras_fullgrad.metrics.deletion`.
        TypeError: As :func:`keras_fullgrad.metrics.deletion`.

    Example:
        >>> model = keras.Sequential([keras.Input([4, 1]), keras.layers.Flatten(),
        ...                           keras.layers.Dense(1, kernel_initializer="ones")])
        >>> x = np.array([[[1.0], [4.0], [1.0], [1.0]]])
        >>> road(model, x, maps=x, shares=[0, 0.25], activation=None).mean.round()
        array([7., 4.])
    """
    if first not in _FIRST:
        raise ValueError(f"expected first to be most or least, got {first!r}")
    if not all(share < 1 for share in shares):
        raise ValueError(f"expected shares below 1, which leave pixels to impute from, got {list(shares)}")
    options = Options(shares, functools.partial(impute, seed=seed), seed, batch_size, activation, target)
    return perturbation_curve(model, x, maps, y, _FIRST[first], options)
