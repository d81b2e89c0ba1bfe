"""Outputs of a model, computed as maps are: batch by batch, by a kept trace."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.explain import explain
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.targets.classes import gather
from keras_fullgrad.targets.outputs import as_target
from keras_fullgrad.targets.target import Target
from keras_fullgrad.terms import collect


def output_of_class(
    model: keras.Model,
    inputs: Any,
    indices: tf.Tensor | Target | None = None,
    *,
    activation: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> Explanation:
    """Computes the output of a class, and which class that is: a method without a map.

    Args:
        model: The model.
        inputs: Its inputs, tensors.
        indices: The classes, (batch, 1), or a target. None: each image's top class.
        activation: What makes outputs of all logits; of a single unit's a softmax is a sigmoid. Not for what
            a target makes of the outputs.

    Returns:
        The outputs, (batch, 1), in the place of the maps too.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2, kernel_initializer="ones")])
        >>> output_of_class(model, tf.ones([1, 4])).logits.numpy().tolist()
        [[4.0]]
    """
    computed = collect.forward(expose_logits(model), inputs, indices, fold_batch_norms=True)
    logits = computed.outputs
    if logits is None:
        outputs = computed.logits
    elif logits.shape[-1] == 1:
        outputs = (tf.sigmoid if activation is keras.activations.softmax else activation)(computed.logits)
    else:
        outputs = gather(activation(logits), computed.classes)
    return Explanation(outputs, outputs, classes=computed.classes)


def of_whole(
    model: keras.Model, x: np.ndarray, y: Any, target: Any, batch_size: int, activation: Any = tf.identity
) -> Explanation:
    """Computes the outputs of images before anything is done to them.

    Args:
        model: The model.
        x: The images.
        y: The class of each image, or one for all. None: the top class as the model and the images are now.
        target: What to look at in the place of a class, or None.
        batch_size: Images computed at a time.
        activation: See :func:`output_of_class`.

    Returns:
        The outputs, (images, 1), and of which classes they are.

    Raises:
        ValueError: If classes or the target do not fit, or are several for an image.

    Example:
        >>> model = keras.Sequential([keras.Input([4, 1]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> of_whole(model, np.ones([3, 4, 1]), 1, None, batch_size=3).classes.ravel().tolist()
        [1, 1, 1]
    """
    options: dict[str, Any] = {"target": target, "verbose": 0, "resizing": False, "activation": activation}
    explained = explain(output_of_class, model, x, y, batch_size, **options)
    if explained.logits.shape[1] != 1:
        if target is None:
            raise ValueError(f"expected one class for each image in y, got shape {np.shape(y)}")
        raise ValueError(f"expected a target of one scalar for each image, got {explained.logits.shape[1]}")
    return explained


def same(explained: Explanation, target: Any) -> dict[str, Any]:
    """What was explained of images, to be explained of others.

    Args:
        explained: From :func:`of_whole`.
        target: What was explained in the place of a class, or None.

    Returns:
        The argument ``y`` or ``target`` of :func:`keras_fullgrad.explain.explain`.

    Example:
        >>> same(Explanation(np.ones([1, 1]), np.ones([1, 1]), classes=np.array([[3]])), None)["y"]
        [[3]]
    """
    if target is None:
        return {"y": explained.classes.tolist()}
    return {"target": as_target(target).of_classes(explained.classes)}
