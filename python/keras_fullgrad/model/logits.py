"""Where a model's logits are, and how many there are."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.model.listening import Application


def single(outputs: Any) -> tf.Tensor:
    """The one output of a model.

    Args:
        outputs: What the model put out: any structure of tensors.

    Returns:
        The output.

    Raises:
        ValueError: If there are several.

    Example:
        >>> single([tf.ones([1, 2])]).shape
        TensorShape([1, 2])
    """
    outputs = keras.tree.flatten(outputs)
    if len(outputs) != 1:
        raise ValueError(
            f"expected a model with one output, got {len(outputs)}; "
            "name the layer of the logits: expose(model, outputs=...)"
        )
    return outputs[0]


def before_softmax(output: tf.Tensor, applications: Sequence[Application]) -> tf.Tensor:
    """What came before a softmax or sigmoid that ends the model, in a layer of its own or within one.

    Args:
        output: The model's output.
        applications: The calls of its layers.

    Returns:
        The logits; the output itself where no layer that was called last applies either of them.

    Example:
        >>> before_softmax(tf.constant([[0.5, 0.5]]), []).numpy().tolist()
        [[0.5, 0.5]]
    """
    for application in reversed(applications):
        if application.output is not output:
            continue
        if isinstance(application.layer, keras.layers.Softmax):
            return application.input
        activation = keras.activations.get(getattr(application.layer, "activation", None))
        if activation in (keras.activations.softmax, keras.activations.sigmoid):
            return application.preactivation
    return output
