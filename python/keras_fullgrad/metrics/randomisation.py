"""Whether maps change when a model forgets what it learnt."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_fullgrad import _keras
from keras_fullgrad.explain import explain, explain_iter
from keras_fullgrad.methods.meta import Method
from keras_fullgrad.metrics import similarities
from keras_fullgrad.metrics.arrays import as_images
from keras_fullgrad.metrics.outputs import of_whole, same
from keras_fullgrad.model import calling, listening
from keras_fullgrad.model import layers as model_layers
from keras_fullgrad.running import batches


@dataclasses.dataclass(frozen=True)
class Cascade:
    """How similar maps are to those of the model as it was, while its layers are randomised.

    Attributes:
        layers: The name of the layer that each step reached, from the logits down.
        values: The similarity of each image's map, (images, steps).
    """

    layers: tuple[str, ...]
    values: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean over the images, (steps,)."""
        return self.values.mean(axis=0)


def cascading_randomisation(
    method: Method,
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    similarity: str = "spearman",
    every: int = 1,
    seed: int = 0,
    batch_size: int | None = None,
    **params: Any,
) -> Cascade:
    """Randomises a model's layers from the logits down, and compares maps with those before.

    A map that stays the same shows the image and not what the model learnt (Adebayo et al. 2018,
    arXiv:1810.03292). Each weight of a layer is shuffled within itself, where the paper draws it anew: so
    signals keep their scale, and a batch norm's variances stay positive.

    The model's own weights are changed while this runs and are put back bit for bit, after an exception too;
    nothing else may use the model meanwhile.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        model: Any Keras model of one input.
        x: The images, (images, space, channels): an array.
        y: The class of each image, or one for all. None: the top class before anything is randomised.
        similarity: ``spearman``, the correlation of ranks, or ``pearson``, that of values, from -1 to 1, 0
            where a map is even; or ``ssim``, the structural similarity of maps rescaled to [0, 1], for maps
            of two axes.
        every: Compare after every so many layers, and after the last.
        seed: The seed of the shuffles.
        batch_size: Images computed at a time. None: chosen by their size.
        **params: Further arguments of :func:`keras_fullgrad.explain_iter`, and of the method.

    Returns:
        The similarities after each step. All layers reached so far are random then.

    Raises:
        ValueError: If shapes, classes or options do not fit; the message says what was expected.
        TypeError: If the images are no array, or classes no integers.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, name="convolution"),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2, name="logits")])
        >>> cascade = cascading_randomisation(gradients, model, np.ones([1, 8, 8, 3]))
        >>> cascade.layers, cascade.values.shape
        (('logits', 'convolution'), (1, 2))
    """
    if every < 1:
        raise ValueError(f"expected every to be at least 1, got {every}")
    x = as_images(x)
    compare = similarities.named(similarity, x)
    layers = _layers_from_the_logits_down(model, x[:1])
    if not layers:
        raise ValueError(f"expected a model with weights, got '{model.name}' without")
    batch_size = batches.default_size(x.shape) if batch_size is None else batch_size

    target = params.pop("target", None)
    params |= same(of_whole(model, x, y, target, batch_size), target)
    before = explain(method, model, x, batch_size=batch_size, verbose=0, **params).maps
    rng = np.random.default_rng(seed)
    names, columns = [], []
    with _restored([variable for _, variables in layers for variable in variables]):
        for reached, (name, variables) in enumerate(layers, 1):
            for variable in variables:
                variable.assign(_shuffled(variable, rng))
            if reached % every and reached < len(layers):
                continue
            column: list[np.ndarray] = []
            for _, maps in explain_iter(method, model, x, batch_size=batch_size, **params):
                start = sum(map(len, column))
                column.append(compare(before[start : start + len(maps), ..., 0], maps[..., 0]))
            names.append(name)
            columns.append(np.concatenate(column))
    return Cascade(tuple(names), np.stack(columns, axis=1))


def _layers_from_the_logits_down(model: keras.Model, x: np.ndarray) -> list[tuple[str, list[keras.Variable]]]:
    """The layers that are applied and have weights of their own, the last one first."""
    info, data = batches.for_model(model, x)
    ((inputs, _),) = data.batches
    names = model_layers.layer_names(info.own)
    layers = [info.own, *model_layers.flatten_layers(info.own)]
    started: list[keras.Layer] = []

    def note(layer: keras.Layer, *_: Any, **__: Any) -> None:
        started.append(layer)

    with (
        listening.listening(layers, report=lambda _: None, replace=note),
        _keras.any_size(layers),
    ):
        calling.call(info.own, inputs)
    found: list[tuple[str, list[keras.Variable]]] = []
    seen: set[int] = set()
    for layer in reversed(started):
        # A layer starts before those that it holds, which come first here and own what is theirs.
        own = [v for v in layer.weights if id(v) not in seen and "float" in v.dtype]
        seen.update(map(id, own))
        if own:
            found.append((names[id(layer)], own))
    return found


@contextlib.contextmanager
def _restored(variables: Sequence[keras.Variable]) -> Iterator[None]:
    before = [_values(variable) for variable in variables]
    try:
        yield
    finally:
        for variable, values in zip(variables, before, strict=True):
            variable.assign(values)


def _shuffled(variable: keras.Variable, rng: np.random.Generator) -> np.ndarray:
    values = _values(variable)
    return values.ravel()[rng.permutation(values.size)].reshape(values.shape)


def _values(variable: keras.Variable) -> np.ndarray:
    return np.array(variable.numpy())
