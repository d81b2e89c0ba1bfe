"""Methods made from a method: averages over noise and over views of the image, and a weighing by Grad-CAM."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps import filters
from keras_fullgrad.methods import cams
from keras_fullgrad.methods.activations import Named
from keras_fullgrad.methods.finishing import resized
from keras_fullgrad.targets.outputs import as_target
from keras_fullgrad.terms.positions import size_along

Method = Callable[..., Explanation]
"""From a model, inputs and classes to an explanation, or of your own to a pair of logits and maps."""


def smooth(method: Method, repetitions: int = 20, noise: float = 0.1, seed: int = 0) -> Method:
    r"""Averages a method over noisy inputs (SmoothGrad, Smilkov et al. 2017, arXiv:1706.03825).

    .. math:: M(x) = \frac{1}{n} \sum_{i=0}^{n-1} m(x + \sigma \epsilon_i), \quad \epsilon_0 = 0

    The class explained is that of the clean image. All images of a batch get the same noise, so that
    a map does not depend on the batch that its image came in.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        repetitions: How many maps are averaged, the clean one among them; one is held at a time.
        noise: The noise's standard deviation, in the units of the inputs.
        seed: The noise's seed.

    Returns:
        A method of the same signature. Its logits are averages too.

    Raises:
        ValueError: If ``repetitions`` is less than 1.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> smooth(gradients, repetitions=3)(model, tf.ones([1, 8, 8, 3]))[1].shape
        TensorShape([1, 8, 8, 1])
    """
    if repetitions < 1:
        raise ValueError(f"expected at least 1 repetition, got {repetitions}")

    @functools.wraps(method)
    def apply(
        model: keras.Model, inputs: Any, indices: tf.Tensor | None = None, **params: Any
    ) -> Explanation:
        clean = Explanation.of(method(model, inputs, indices, **params), indices)
        further = _for_same_classes(method, model, clean, indices, params)

        def repeat(step: tf.Tensor, sums: dict[str, Any]) -> tuple[Any, ...]:
            more = _averaged(further(_noisy(inputs, noise, [seed, step])))
            return step + 1, tf.nest.map_structure(tf.add, sums, more)

        # One pass after the other, so that the activations of one are held at a time.
        sums = _averaged(clean)
        with tf.control_dependencies(tf.nest.flatten(sums)):
            first = tf.identity(1)
        _, sums = tf.while_loop(
            lambda step, _: step < repetitions, repeat, (first, sums), parallel_iterations=1
        )
        return _mean(clean, sums, repetitions)

    apply.__name__ = f"{method.__name__}_smooth"
    return apply


def _noisy(inputs: Any, noise: float, seed: tf.Tensor) -> Any:
    def draw(index: int, clean: tf.Tensor) -> tf.Tensor:
        if not clean.dtype.is_floating:
            return clean
        seed_of_input = tf.random.experimental.stateless_fold_in(seed, index) if index else seed
        return clean + tf.random.stateless_normal(
            tf.shape(clean)[1:], seed_of_input, stddev=noise, dtype=clean.dtype
        )

    flat = [draw(index, clean) for index, clean in enumerate(keras.tree.flatten(inputs))]
    return keras.tree.pack_sequence_as(inputs, flat)


def tta(
    method: Method,
    scales: Sequence[float] = (0.5, 1.5, 2.0),
    hflip: bool = True,
    resize_method: str = "bilinear",
) -> Method:
    """Averages a method over scaled and mirrored views of the images: test-time augmentation.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        scales: Sizes of further views, relative to the images; the model must take them.
        hflip: Whether each view is explained mirrored too.
        resize_method: How views and maps are resized, as in `tf.image.resize`.

    Returns:
        A method of the same signature, for batches of images with channels last.

    Raises:
        ValueError: If a scale is not positive.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([None, None, 3]), keras.layers.Conv2D(2, 3),
        ...                           keras.layers.GlobalAveragePooling2D()])
        >>> tta(gradients, scales=[2.0])(model, tf.ones([1, 8, 8, 3]))[1].shape
        TensorShape([1, 8, 8, 1])
    """
    if any(scale <= 0 for scale in scales):
        raise ValueError(f"expected positive scales, got {list(scales)}")

    @functools.wraps(method)
    def apply(
        model: keras.Model, inputs: tf.Tensor, indices: tf.Tensor | None = None, **params: Any
    ) -> Explanation:
        if not isinstance(inputs, tf.Tensor) or inputs.shape.rank != 4:
            raise ValueError(
                "expected a batch of images, (batch, height, width, channels), got "
                f"{keras.tree.map_structure(lambda x: tuple(x.shape), inputs)}"
            )
        size = tf.shape(inputs)[1:3]
        views = itertools.product((1.0, *scales), (False, True) if hflip else (False,))
        next(views)  # The image itself.
        clean = Explanation.of(method(model, inputs, indices, **params), indices)
        further = _for_same_classes(method, model, clean, indices, params)

        def explain_view(scale: float, mirrored: bool) -> Explanation:
            view = inputs
            if scale != 1:
                scaled: Any = tf.cast(scale * tf.cast(size, tf.float32), tf.int32)
                if inputs.shape[1:3].is_fully_defined():  # So that it is known where signals of the view lie.
                    scaled = [int(np.float32(scale) * np.float32(n)) for n in inputs.shape[1:3]]
                view = tf.cast(tf.image.resize(view, scaled, resize_method), inputs.dtype)
            explained = further(tf.reverse(view, [2]) if mirrored else view)
            return explained.with_parts(functools.partial(back, scale, mirrored), "maps", "terms")

        def back(scale: float, mirrored: bool, maps: tf.Tensor) -> tf.Tensor:
            if mirrored:
                maps = tf.reverse(maps, [2])
            same = scale == 1 and maps.shape[1:3] == inputs.shape[1:3]
            return maps if same else tf.cast(tf.image.resize(maps, size, resize_method), maps.dtype)

        clean = clean.with_parts(functools.partial(back, 1.0, False), "maps", "terms")
        sums, count = _averaged(clean), 1
        for scale, mirrored in views:
            # One view after the other, so that the activations of one are held at a time.
            with tf.control_dependencies(tf.nest.flatten(sums)):
                more = _averaged(explain_view(scale, mirrored))
            sums, count = tf.nest.map_structure(tf.add, sums, more), count + 1
        return _mean(clean, sums, count)

    apply.__name__ = f"{method.__name__}_tta"
    return apply


def focus(method: Method, layer: Named | None = None) -> Method:
    r"""Weighs a method's maps by Grad-CAM's: of what the net looks at, what speaks for the class.

    .. math:: M(x)_p = m(x)_p \, U(\mathrm{ReLU}(g(x)))_p

    where :math:`g` is :func:`keras_fullgrad.methods.cams.gradcam`, brought to [0, 1]. So Selvaraju et al.
    2016 (arXiv:1610.02391) weigh guided backpropagation.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        layer: See :func:`keras_fullgrad.methods.cams.gradcam`.

    Returns:
        A method of the same signature, for images, series and volumes alike; terms are weighed as maps are.

    Raises:
        ValueError: In a call, if it is not clear which signal Grad-CAM is to take.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> focus(gradients)(model, tf.ones([1, 8, 8, 3]))[1].shape
        TensorShape([1, 8, 8, 1])
    """

    @functools.wraps(method)
    def apply(
        model: keras.Model, inputs: Any, indices: tf.Tensor | None = None, **params: Any
    ) -> Explanation:
        found = Explanation.of(method(model, inputs, indices, **params), indices)
        shared = {name: value for name, value in params.items() if name in ("source", "spatial_axis")}
        weighing = functools.partial(cams.gradcam, layer=layer)
        weights = _for_same_classes(weighing, model, found, indices, shared)(inputs).maps
        weights = filters.positive_normalize(weights, axis=range(1, weights.shape.rank - 1))
        weights = resized(weights, size_along(found.maps, range(1, weights.shape.rank - 1)))
        return found.with_parts(lambda maps: maps * tf.cast(weights, maps.dtype), "maps", "terms")

    apply.__name__ = f"{method.__name__}_focus"
    return apply


def _for_same_classes(
    method: Method, model: keras.Model, clean: Explanation, indices: Any, params: dict[str, Any]
) -> Callable[[Any], Explanation]:
    """The method for further inputs, of the classes that were explained of the image itself."""
    if callable(indices):
        same = as_target(indices).of_classes(clean.classes)
        return lambda inputs: Explanation.of(method(model, inputs, same, **params))
    if clean.classes is None:
        raise ValueError("expected y, or a method that returns an Explanation with its classes")
    params = {name: value for name, value in params.items() if name != "top"}
    return lambda inputs: Explanation.of(method(model, inputs, clean.classes, **params), clean.classes)


def _averaged(explanation: Explanation) -> dict[str, Any]:
    """The parts that are averaged: which classes they are of is not."""
    names = ("logits", "outputs", "maps", "terms", "left_out")
    return {name: part for name, part in explanation.parts.items() if name in names}


def _mean(clean: Explanation, sums: dict[str, Any], count: int) -> Explanation:
    return Explanation(**tf.nest.map_structure(lambda total: total / count, sums), classes=clean.classes)
