"""Where a model's logits are, and how many there are."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.model import layers
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
    flat = keras.tree.flatten(outputs)
    if len(flat) != 1:
        by_key = isinstance(outputs, dict) and len(outputs) == len(flat)
        names = list(outputs) if by_key else list(range(len(flat)))
        raise ValueError(
            f"expected a model with one output, got {len(flat)}: target=ke.targets.Output({names[0]!r}) "
            f"explains the first of {names}; or name the layer of the logits: expose(model, outputs=...)"
        )
    return flat[0]


def chosen(
    outputs: Any, which: Any, model: keras.Model, of_layers: Sequence[tuple[keras.Layer, Any]]
) -> tf.Tensor:
    """One of a model's outputs, or what a layer of it puts out.

    Args:
        outputs: What the model put out.
        which: Its key in a dictionary or a named tuple, its index, the name that Keras gives it, or a
            layer's.
        model: The model.
        of_layers: Of each call of a layer the layer, and what it put out.

    Returns:
        The output.

    Raises:
        ValueError: If there is none, or the layer was called several times.

    Example:
        >>> chosen({"a": tf.ones([1, 2])}, "a", keras.Model(), []).shape
        TensorShape([1, 2])
    """
    if isinstance(outputs, dict) and which in outputs:
        held = keras.tree.flatten(outputs[which])
        if len(held) == 1:
            return held[0]
    flat = keras.tree.flatten(outputs)
    of_model = getattr(model, "output_names", None) or []
    names = list(outputs if isinstance(outputs, dict) else getattr(outputs, "_fields", of_model))
    if isinstance(which, int) and -len(flat) <= which < len(flat):
        return flat[which]
    if which in names and len(names) == len(flat) and not isinstance(outputs, dict):
        return flat[names.index(which)]
    paths = layers.layer_names(model)
    of_layer = [each for layer, each in of_layers if which in (paths.get(id(layer)), layer.name)]
    if len(of_layer) != 1 or not isinstance(of_layer[0], tf.Tensor):
        found = f"a layer of that name, which was called {len(of_layer)} times" if of_layer else "none"
        raise ValueError(
            f"expected {which!r} to be one of the outputs {names or list(range(len(flat)))} of model "
            f"'{model.name}', an index below {len(flat)}, or the name of a layer that puts out one tensor, "
            f"got {found}"
        )
    return of_layer[0]


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
            "explains one number of an image, which target= makes of them, such as of class 1 at all "
            "positions: target=ke.targets.Region(1)"
        )
    return outputs


def before_probabilities(
    output: tf.Tensor, applications: Sequence[Application]
) -> tuple[tf.Tensor, str | None]:
    """What came before a softmax or sigmoid that ends the model: a layer's, or an operation's.

    In eager execution operations leave no trace, and layers alone are known.

    Args:
        output: The model's output.
        applications: The calls of its layers.

    Returns:
        The logits, and what made the output of them, ``softmax``, ``log_softmax`` or ``sigmoid``; the output
        itself and None where none of them did.

    Example:
        >>> before_probabilities(tf.constant([[0.5, 0.5]]), [])[1] is None
        True
    """
    for application in reversed(applications):
        if application.output is not output:
            continue
        if isinstance(application.layer, keras.layers.Softmax):
            return application.input, "softmax"
        activation = keras.activations.get(getattr(application.layer, "activation", None))
        if activation in _ACTIVATIONS:
            return application.preactivation, activation.__name__
    return (output, None) if tf.executing_eagerly() else _before_operation(output)


def _before_operation(output: tf.Tensor) -> tuple[tf.Tensor, str | None]:
    """What a softmax or sigmoid took in, brought into shape as what it put out was."""
    shaped: list[tf.Operation] = []
    tensor = output
    while tensor.op.type in _SHAPING:
        shaped.append(tensor.op)
        tensor = tensor.op.inputs[0]
    name = _PROBABILITIES.get(tensor.op.type)
    if name is None:
        return output, None
    tensor = tensor.op.inputs[0]
    for op in reversed(shaped):
        tensor = _SHAPING[op.type](op, tensor)
    return tf.cast(tensor, output.dtype), name


_ACTIVATIONS = (keras.activations.softmax, keras.activations.sigmoid)
_PROBABILITIES = {"LogSoftmax": "log_softmax", "Sigmoid": "sigmoid", "Softmax": "softmax"}
_SHAPING: dict[str, Callable[[tf.Operation, tf.Tensor], tf.Tensor]] = {
    "Cast": lambda op, x: x,
    "ExpandDims": lambda op, x: tf.expand_dims(x, op.inputs[1]),
    "Identity": lambda op, x: x,
    "Reshape": lambda op, x: tf.reshape(x, op.inputs[1]),
    "Squeeze": lambda op, x: tf.squeeze(x, op.get_attr("squeeze_dims") or None),
}
