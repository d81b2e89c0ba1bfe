"""Outputs of a model, computed as maps are: batch by batch, by a kept trace."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.explain import explain
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.targets.classes import as_one_class, gather
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
    return Explanation(outputs, outputs, classes=computed.classes, outputs=logits)


def fixed(model: keras.Model, x: np.ndarray, y: Any, target: Any, batch_size: int) -> dict[str, Any]:
    """What is explained of images, to be explained the same of others.

    Args:
        model: The model.
        x: The images.
        y: The class of each image, or one for all. None: the top class as the model and the images are now.
        target: What to explain in the place of a class, or None.
        batch_size: Images computed at a time.

    Returns:
        The arguments ``y`` or ``target`` of :func:`keras_fullgrad.explain.explain`.

    Raises:
        ValueError: If classes or the target do not fit.

    Example:
        >>> model = keras.Sequential([keras.Input([4, 1]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> fixed(model, np.ones([3, 4, 1]), 1, None, batch_size=3)["y"].ravel().tolist()
        [1, 1, 1]
    """
    classes = as_one_class(y, len(x))
    found = explain(
        output_of_class, model, x, classes, batch_size, target=target, verbose=0, resizing=False
    ).classes
    return {"y": found} if target is None else {"target": as_target(target).of_classes(found)}
