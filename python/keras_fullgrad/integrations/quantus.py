"""FullGrad as an `explain_func` of Quantus, which scores explanations (Hedström et al. 2023)."""

from typing import Any

import keras
import numpy as np

from keras_fullgrad.explain import explain as explain_with
from keras_fullgrad.maps import filters
from keras_fullgrad.methods import gradient
from keras_fullgrad.methods.meta import Method


def explain(
    model: keras.Model,
    inputs: np.ndarray,
    targets: Any,
    *,
    explainer: Method = gradient.full_gradients,
    method: str | None = None,
    device: str | None = None,
    **params: Any,
) -> np.ndarray:
    """Explains inputs as Quantus's metrics and `quantus.evaluate` ask for it (arXiv:2202.06861).

    Quantus computes with channels first, whatever the model takes: maps have their one channel there, and
    inputs that come so, as its randomization of models hands them on, are turned to fit the model.

    Args:
        model: Any Keras model.
        inputs: The inputs, (images, space, channels).
        targets: One class for each image, (images,), or one for all; or one of ``keras_fullgrad.targets``.
        explainer: The method, such as :func:`keras_fullgrad.methods.gradient.gradients` to compare with.
        method: The name that `quantus.evaluate` hands to each function; not used.
        device: Where Quantus is to compute, which concerns PyTorch; not used.
        **params: Further arguments of :func:`keras_fullgrad.explain.explain` and of the method: Quantus's
            ``explain_func_kwargs``; a ``target`` among them stands in the place of ``targets``.

    Returns:
        The maps, (images, 1, space), in [0, 1] unless ``postprocessing`` says otherwise.

    Raises:
        ValueError: If there is not one class for each image, and as :func:`keras_fullgrad.explain.explain`.
        TypeError: As :func:`keras_fullgrad.explain.explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> explain(model, np.ones([2, 8, 8, 3]), np.array([0, 1])).shape
        (2, 1, 8, 8)
    """
    if params.get("target") is not None:
        targets = params.pop("target")  # What is explained in the place of the labels that Quantus has.
    given = {"target": targets} if callable(targets) else {"y": targets}
    if np.ndim(targets) > 1:
        raise ValueError(
            f"expected targets of shape ({len(inputs)},), one class each, got {np.shape(targets)}"
        )
    defaults: dict[str, Any] = {"postprocessing": filters.normalize, "verbose": 0}
    inputs = _turned(model, np.asarray(inputs))
    maps = explain_with(explainer, model, inputs, **(defaults | given | params)).maps
    return np.moveaxis(maps, -1, 1)


def _turned(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """The inputs with channels last, where the model takes them so and not as they are."""
    symbolic = getattr(model, "inputs", None)
    if not symbolic or inputs.ndim < 3:
        return inputs

    def fits(array: np.ndarray) -> bool:
        expected = symbolic[0].shape[1:]
        return len(expected) == array.ndim - 1 and all(
            size in (None, given) for size, given in zip(expected, array.shape[1:], strict=True)
        )

    turned = np.moveaxis(inputs, 1, -1)
    return turned if fits(turned) and not fits(inputs) else inputs
