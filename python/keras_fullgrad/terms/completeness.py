"""Whether all terms add up to the logits, printed."""

from typing import Any

import keras
import numpy as np

from keras_fullgrad.terms.decompose import decompose
from keras_fullgrad.terms.parts import Decomposition


def completeness(
    model: keras.Model, x: Any | None = None, y: Any | None = None, *, target: Any | None = None
) -> Decomposition:
    """Prints which layers make up a model's logits, and whether the sum of all terms meets them.

    Args:
        model: Any Keras model.
        x: The inputs; see :func:`decompose`. None: one drawn from a normal distribution.
        y: The classes; see :func:`decompose`.
        target: What to take apart in their place; see :func:`decompose`.

    Returns:
        The decomposition that is printed.

    Raises:
        ValueError: If ``x`` is None and the model does not tell its inputs' shapes.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> parts = completeness(model)  # doctest: +ELLIPSIS
        What the logits are made of...
        >>> parts.relative_error < 1e-4
        True
    """
    parts = decompose(model, drawn_inputs(model) if x is None else x, y, target=target)
    parts.printed()
    return parts


def drawn_inputs(model: keras.Model) -> Any:
    """Draws one input for a model from a normal distribution, the same at each call.

    Args:
        model: A model that tells the shapes of its inputs; what it leaves open becomes 64.

    Returns:
        An array, or a list of arrays where the model has several inputs.

    Raises:
        ValueError: If the model does not tell its inputs' shapes.

    Example:
        >>> drawn_inputs(keras.Sequential([keras.Input([None, 3]), keras.layers.Conv1D(2, 3)])).shape
        (1, 64, 3)
    """
    symbolic = getattr(model, "inputs", None)
    if not symbolic:
        raise ValueError(f"expected x for model '{model.name}', which does not tell the shapes of its inputs")
    random = np.random.default_rng(0)
    drawn = [random.normal(size=[1, *(size or 64 for size in tensor.shape[1:])]) for tensor in symbolic]
    return drawn if len(drawn) > 1 else drawn[0]
