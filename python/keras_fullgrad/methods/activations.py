"""The signal over the image that class activation maps are made of: the one named, or the last."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from keras_fullgrad.model.exposing import Endpoint, ExposedModel, expose, expose_logits
from keras_fullgrad.model.layers import get_nested_layer
from keras_fullgrad.targets.outputs import as_target
from keras_fullgrad.targets.target import Target
from keras_fullgrad.terms import collect
from keras_fullgrad.terms.collect import ForwardPass
from keras_fullgrad.terms.path import path
from keras_fullgrad.terms.positions import Placement

Named: TypeAlias = str | Sequence[str]
"""A layer's name, or the names on the way to it."""

_NAME_IT = "name a layer by layer="
_PARTS_TAKEN = ("GatherNd", "GatherV2", "Slice", "Split", "StridedSlice", "Unpack")
_POOLING = ("AvgPool", "AvgPool3D", "Max", "MaxPool", "MaxPool3D", "Mean", "Sum")
_LINEAR = (
    *("Add", "AddV2", "BiasAdd", "Cast", "ConcatV2", "ExpandDims", "GatherNd", "GatherV2", "Identity", "Neg"),
    *("Reshape", "Squeeze", "StridedSlice", "Sub", "Transpose", "Unpack"),
)
_PRODUCTS = ("BatchMatMulV2", "Conv2D", "Einsum", "MatMul", "Mul", "RealDiv")


def forward(
    model: keras.Model,
    inputs: Any,
    indices: tf.Tensor | Target | None,
    layer: Named | None,
    **options: Any,
) -> tuple[ForwardPass, tf.Tensor]:
    """Calls a model, and finds the signal.

    Args:
        model: The model, exposed or not; with two outputs, the second with positions, these are the logits
            and the signal.
        inputs: The inputs.
        indices: What to explain.
        layer: The layer that puts out the signal. None: the one that was exposed, if that is one; else the
            last signal over the image that all goes through.
        **options: Passed on to :func:`keras_fullgrad.terms.collect.forward`.

    Returns:
        The forward pass, and the signal.

    Raises:
        ValueError: If there is no such signal, or it is not clear which.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, activation="relu"),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
        >>> def signal(x):
        ...     return forward(model, x, None, None)[1]
        >>> tf.function(signal, autograph=False)(tf.ones([1, 8, 8, 3])).shape
        TensorShape([1, 6, 6, 4])
    """
    chosen = model
    if layer is not None:
        own, logits = (model.model, model.logits) if isinstance(model, ExposedModel) else (model, None)
        chosen = expose(own, [Endpoint(get_nested_layer(own, layer), "output", node=-1)], logits)
    if isinstance(chosen, ExposedModel):
        named = len(chosen.arguments) == 1
    else:
        named = as_target(indices).output is None and _puts_out_a_signal(chosen)
    if named:
        # A bias of 0: the signal alone is wanted.
        computed = collect.forward(chosen, inputs, indices, biases=[tf.zeros([])], **options)
        return computed, computed.terms[-1].signal
    computed = collect.forward(expose_logits(model), inputs, indices, **options)
    return computed, _last(computed)


def placement_of(computed: ForwardPass, signal: tf.Tensor) -> Placement:
    """Where a signal lies in the image; ValueError where it does not."""
    where = computed.located.of(signal)
    if isinstance(where, str):
        raise ValueError(
            f"expected a signal whose positions lie in the image, got {signal.op.name} of shape "
            f"{signal.shape}: {where}; {_NAME_IT}"
        )
    return where


def check_pooled(computed: ForwardPass, signal: tf.Tensor) -> None:
    """Raises a ValueError if what is explained is no weighted sum of the signal's averages or maxima."""
    after = [step.tensor for step in path(computed.targets[0], [signal])]
    poolings = [each.op.type for each in after if each.op.type in _POOLING]
    depends = {signal.name, *(each.name for each in after)}
    products = {each.op.type for each in after if each.op.type in _PRODUCTS and _of_two(each.op, depends)}
    others = sorted(products | {each.op.type for each in after} - {*_LINEAR, *_PRODUCTS, *_POOLING})
    if len(poolings) != 1 or others:
        found = ", ".join(others) or f"{len(poolings)} poolings"
        raise ValueError(
            f"expected one pooling over all positions and a dense layer after {signal.op.name}, got {found}: "
            "Grad-CAM, ke.gradcam, explains other heads"
        )


def _of_two(op: tf.Operation, depends: set[str]) -> bool:
    """Whether more than one factor of a product is a signal."""
    return sum(tensor.name in depends for tensor in op.inputs) > 1


def _puts_out_a_signal(model: keras.Model) -> bool:
    """Whether a model's outputs are logits and a signal."""
    ranks = [len(each.shape) for each in getattr(model, "outputs", None) or []]
    return len(ranks) == 2 and ranks[0] == 2 and ranks[1] > 2


def _last(computed: ForwardPass) -> tf.Tensor:
    """The last signal over the image, if all that the answer is made of goes through it."""
    positions = computed.located
    steps = list(path(computed.targets[0], [positions.source]))
    said = {tensor.name for tensor in computed.said}
    for index in range(len(steps) - 1, -1, -1):
        signal, alone = steps[index]
        if isinstance(positions.of(signal), str):
            continue
        if any(step.tensor.name in said for step in steps[: index + 1]):
            raise ValueError(f"expected an answer without positions, got one over the image: {_NAME_IT}")
        if not alone:
            raise ValueError(
                "expected one last signal over the image, which all goes through, got several, one of them "
                f"{signal.op.name}: {_NAME_IT}"
            )
        taken = next((step.tensor.op for step in steps[index + 1 :] if step.alone), None)
        if taken is not None and taken.type in _PARTS_TAKEN and taken.inputs[0] is signal:
            raise ValueError(
                f"expected the answer to depend on positions of {signal.op.name}, it takes what has none, as "
                f"a class token: {_NAME_IT} before the last attention"
            )
        return signal
    raise ValueError(f"expected a signal over the image between input and answer, found none: {_NAME_IT}")
