"""Outputs of a model, computed as maps are: batch by batch, by a kept trace."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.explanation import Explanation
from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.targets import classes
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
        outputs = classes.gather(activation(logits), computed.classes)
    return Explanation(outputs, outputs, classes=computed.classes)
