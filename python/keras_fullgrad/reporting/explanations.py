"""What a page tells of each image and class: the map, and each layer's own map and part of the logit."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_fullgrad.explain import explain_iter
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.methods import gradient
from keras_fullgrad.model import layers as model_layers
from keras_fullgrad.model.info import read_model
from keras_fullgrad.reporting import encoding
from keras_fullgrad.reporting.answers import answers
from keras_fullgrad.reporting.progress import Progress
from keras_fullgrad.running import batches
from keras_fullgrad.targets.logits import Class
from keras_fullgrad.terms.decompose import joined, of_batch
from keras_fullgrad.terms.parts import Decomposition, Part


class Layer(NamedTuple):
    """The input, or a layer that adds to logits or maps.

    Attributes:
        name: Its name, with those of the models that hold it.
        kind: Its class.
        cell: The place of its map in the sheets. None: it has no map.
    """

    name: str
    kind: str
    cell: int | None


class ExplainedClass(NamedTuple):
    """What explains one logit of an image.

    Attributes:
        target: The class.
        logit: The logit.
        total: The sum of all terms.
        left_out: The share of the terms' magnitudes that the map does not draw.
        explicit: What each layer's bias adds to the logit.
        implicit: What each layer adds because it is not linear.
        map: The map.
        sheet: The maps of the layers that have one.
    """

    target: int
    logit: float
    total: float
    left_out: float
    explicit: list[float]
    implicit: list[float]
    map: str
    sheet: encoding.Sheet

    @property
    def error(self) -> float:
        """How far the sum of all terms is from the logit, relative to it; infinite where that is 0."""
        return abs(self.total - self.logit) / abs(self.logit) if self.logit else math.inf


_ROUNDING = 1e-6  # Of all terms' magnitudes.

OPTIONS = ("backend", "fold_batch_norms", "implicit_biases", "preset", "psi", "simple", "top")
"""The options of :func:`keras_fullgrad.methods.gradient.full_gradients` that a page can be made with."""


def drawn_terms(
    model: keras.Model,
    x: np.ndarray,
    classes: np.ndarray | None,
    target: Any | None,
    options: Mapping[str, Any],
) -> tuple[list[str], int]:
    """Names the terms that have a map, and tells how many scalars are explained.

    Of one image, so that options that do not fit the model are told before more is computed.

    Args:
        model: The model.
        x: Its inputs, of which the first is used.
        classes: Classes of the first image, as many as will be explained, (1, K). None: there is a target.
        target: What is explained in their place.
        options: Those of :data:`OPTIONS` that are given.

    Returns:
        The names, in the order of the terms, and K.

    Raises:
        ValueError: As :func:`keras_fullgrad.explain.explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, name="conv"),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> drawn_terms(model, np.ones([1, 8, 8, 3]), np.array([[0]]), None, {})
        (['input', 'conv'], 1)
    """
    if classes is not None:
        answers(model, x[:1], 1)
    images = x if classes is None else x[:1]  # A target may have numbers for each of them.
    explained = next(_maps(model, images, target if classes is None else Class(classes), 1, options))
    return list(explained.terms or {}), explained.logits.shape[1]


def explanations(
    model: keras.Model,
    x: np.ndarray,
    classes: np.ndarray,
    target: Any | None,
    drawn: Sequence[str],
    batch_size: int,
    options: Mapping[str, Any],
    progress: Progress,
) -> tuple[list[Layer], list[list[ExplainedClass]]]:
    """Explains logits, with what each layer adds to them and to their maps.

    Args:
        model: The model.
        x: Its inputs, (images, height, width, channels).
        classes: The classes, (images, K); of a target's scalars their numbers.
        target: What is explained in the place of classes.
        drawn: The terms that have a map; see :func:`drawn_terms`.
        batch_size: Images computed at a time.
        options: Those of :data:`OPTIONS` that are given.
        progress: What is told of each batch.

    Returns:
        The layers, and the explanations of each image's classes.

    Raises:
        ValueError: If a term or a map is not finite.

    Example:
        >>> ones = {"kernel_initializer": "ones"}
        >>> conv, head = keras.layers.Conv2D(4, 3, name="conv", **ones), keras.layers.Dense(2, **ones)
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), conv, keras.layers.Flatten(), head])
        >>> x, classes = np.ones([1, 8, 8, 3]), np.array([[0, 1]])
        >>> progress = Progress(model, 1, 1, [], verbose=0)
        >>> layers, explained = explanations(model, x, classes, None, ["input", "conv"], 1, {}, progress)
        >>> [layer.name for layer in layers], explained[0][1].target
        (['input'], 1)
    """
    target = Class(classes) if target is None else target
    info, data = batches.for_model(model, x, batch_size=batch_size, target=target)
    pieces = (piece for inputs, wanted in data.batches for piece in of_batch(info, inputs, wanted))
    found = joined(list(progress.over(pieces)))
    parts = [*found.inputs, *filter(_beyond_rounding(found), found.layers)]
    implicit = bool(options.get("implicit_biases"))
    if not options.get("simple"):
        # What adds nothing draws nothing; Simple FullGrad alone has nothing to do with biases.
        adding = {part.name for part in parts if implicit or part.explicit.any()} | {"input"}
        drawn = [name for name in drawn if name in adding]
    layers = _layers(model, parts, drawn)
    terms = _terms(parts, layers)
    if not np.isfinite(terms).all():
        raise ValueError("expected finite terms of the logits, got NaN or infinity")
    explained: list[list[ExplainedClass]] = []
    for batch in progress.over(_maps(model, x, target, batch_size, options)):
        maps, terms_of_maps = batch.maps, batch.terms or {}
        if not np.isfinite(maps).all():
            raise ValueError("expected finite maps, got NaN or infinity")
        cells = np.stack([terms_of_maps[name] for name in drawn], axis=1)
        for row, of_image in enumerate(maps):
            image = len(explained)
            explained.append(
                [
                    ExplainedClass(
                        int(index),
                        float(found.logits[image, k]),
                        float(found.sum[image, k]),
                        float(batch.left_out[row, k]),
                        terms[0, :, image, k].tolist(),
                        terms[1, :, image, k].tolist(),
                        encoding.map(of_image[..., k]),
                        encoding.sheet(cells[row, ..., k]),
                    )
                    for k, index in enumerate(classes[image])
                ]
            )
    return layers, explained


def _maps(
    model: keras.Model,
    x: np.ndarray,
    target: Any,
    batch_size: int,
    options: Mapping[str, Any],
) -> Iterator[Explanation]:
    # Given as such, False too, so that nobody is warned of what the page shows.
    options = {"implicit_biases": False} | dict(options)
    method = gradient.full_gradients
    return explain_iter(method, model, x, target=target, batch_size=batch_size, return_terms=True, **options)


def _beyond_rounding(found: Decomposition) -> Callable[[Part], bool]:
    """Tells layers that add something from linear ones, whose implicit biases are rounding errors."""
    size = np.sum([np.abs(part.explicit) + np.abs(part.implicit) for part in found.parts], axis=0)

    def adds(part: Part) -> bool:
        return bool(part.explicit.any() or (np.abs(part.implicit) > _ROUNDING * size).any())

    return adds


def _layers(model: keras.Model, parts: Sequence[Part], drawn: Sequence[str]) -> list[Layer]:
    """All that adds to the logits or to the maps, in the order in which it is applied."""
    own = read_model(model).own
    names = model_layers.layer_names(own)
    kinds = {names[id(layer)]: type(layer).__name__ for layer in model_layers.flatten_layers(own)}
    kinds |= {part.name: part.kind for part in parts}
    order = [part.name for part in parts]
    place = 0
    for name in drawn:
        if name not in order:
            order.insert(place, name)
        place = order.index(name) + 1
    cells = {name: cell for cell, name in enumerate(drawn)}
    return [Layer(name, kinds[name], cells.get(name)) for name in order]


def _terms(parts: Sequence[Part], layers: Sequence[Layer]) -> np.ndarray:
    """What each layer adds: (explicit and implicit, layers, images, K)."""
    found = {part.name: (part.explicit, part.implicit) for part in parts}
    nothing = np.zeros([2, *parts[0].explicit.shape])
    return np.stack([found.get(layer.name, nothing) for layer in layers], axis=1)
