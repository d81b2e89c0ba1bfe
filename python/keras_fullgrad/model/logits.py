"""Where a model's logits are, and how many there are."""

from collections.abc import Callable, Sequence
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


def for_each_image(outputs: tf.Tensor) -> tf.Tensor:
    """Logits as (batch, classes); one number for each image is one class.

    Args:
        outputs: What is to be explained, (batch, classes) or (batch,).

    Returns:
        The logits, (batch, classes).

    Raises:
        ValueError: If they have more axes.

    Example:
        >>> for_each_image(tf.ones([5])).shape
        TensorShape([5, 1])
    """
    rank = outputs.shape.rank
    if rank == 1:
        return outputs[:, tf.newaxis]
    if rank != 2:
        raise ValueError(
            f"expected logits of shape (images, classes), got outputs of shape {outputs.shape}: a map "
            "explains one number of an image. Make a model of it around yours, such as of class 1 at all "
            "positions: keras.Model(model.input, keras.ops.mean(model.output[..., 1], (1, 2)))"
        )
    return outputs


def before_softmax(output: tf.Tensor, applications: Sequence[Application]) -> tf.Tensor:
    """What came before a softmax or sigmoid that ends the model: a layer's, or an operation's.

    In eager execution operations leave no trace, and layers alone are known.

    Args:
        output: The model's output.
        applications: The calls of its layers.

    Returns:
        The logits; the output itself where neither of them made it.

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
    return output if tf.executing_eagerly() else _before_operation(output)


def _before_operation(output: tf.Tensor) -> tf.Tensor:
    """What a softmax or sigmoid took in, brought into shape as what it put out was."""
    shaped: list[tf.Operation] = []
    tensor = output
    while tensor.op.type in _SHAPING:
        shaped.append(tensor.op)
        tensor = tensor.op.inputs[0]
    if tensor.op.type not in _PROBABILITIES:
        return output
    tensor = tensor.op.inputs[0]
    for op in reversed(shaped):
        tensor = _SHAPING[op.type](op, tensor)
    return tf.cast(tensor, output.dtype)


_PROBABILITIES = ("LogSoftmax", "Sigmoid", "Softmax")
_SHAPING: dict[str, Callable[[tf.Operation, tf.Tensor], tf.Tensor]] = {
    "Cast": lambda op, x: x,
    "ExpandDims": lambda op, x: tf.expand_dims(x, op.inputs[1]),
    "Identity": lambda op, x: x,
    "Reshape": lambda op, x: tf.reshape(x, op.inputs[1]),
    "Squeeze": lambda op, x: tf.squeeze(x, op.get_attr("squeeze_dims") or None),
}
