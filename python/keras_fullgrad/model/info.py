"""What a model is, read once, where it comes in."""

import dataclasses
import functools
from collections.abc import Hashable
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.model import calling, configuration, layers
from keras_fullgrad.model.exposing import ExposedModel


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model says of itself.

    Attributes:
        model: The model, exposed or not.
        own: The model without what exposes it.
        inputs: Its symbolic inputs; none where it does not tell them.
        classes: How many logits it has, where that is known without calling it.
        strategy: The `tf.distribute` strategy to run it under: that whose scope this is, else the one whose
            scope the model was made in; TensorFlow's default, of one replica, where there is neither.
    """

    model: keras.Model
    own: keras.Model
    inputs: tuple[keras.KerasTensor, ...]
    classes: int | None
    strategy: tf.distribute.Strategy

    @functools.cached_property
    def layout(self) -> str:
        """``channels_first`` where a layer says so, ``channels_last`` elsewhere."""
        formats = {getattr(layer, "data_format", None) for layer in layers.flatten_layers(self.own)}
        return "channels_first" if "channels_first" in formats else "channels_last"

    @functools.cached_property
    def configuration(self) -> Hashable:
        """What the model computes by, besides its weights; see `model.configuration`."""
        return configuration.configuration(self.own)

    @property
    def channel_axis(self) -> int:
        """Where the channels of an input are: 1 or -1."""
        return 1 if self.layout == "channels_first" else -1

    def types(self, inputs: Any) -> list[str | None]:
        """What types it says that its inputs have, flattened; None where it does not say."""
        if isinstance(inputs, dict):
            of_name: dict[str, str | None] = {tensor.name: tensor.dtype for tensor in self.inputs}
            return [of_name.get(name) for name in sorted(inputs)]
        types: list[str | None] = [tensor.dtype for tensor in self.inputs]
        count = len(keras.tree.flatten(inputs))
        return types if len(types) == count else [None] * count

    @property
    def names(self) -> list[str]:
        """What it calls its inputs: their names, or those of the arguments that its call needs."""
        return [tensor.name for tensor in self.inputs] or calling.arguments(self.own)

    def takes_several(self, x: Any) -> bool:
        """Whether a tuple or list is a set of inputs; a model without symbolic inputs may not tell."""
        if self.inputs:
            return len(self.inputs) > 1
        return isinstance(x, tuple) or len(calling.arguments(self.own)) > 1


def read_model(model: keras.Model) -> ModelInfo:
    """Reads what a model is.

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.

    Returns:
        What it says of itself.

    Raises:
        TypeError: If it is no Keras model.

    Example:
        >>> info = read_model(keras.Sequential([keras.Input([4]), keras.layers.Dense(2)]))
        >>> info.classes, info.layout, info.strategy.num_replicas_in_sync
        (2, 'channels_last', 1)
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"expected a Keras 3 model, got {type(model).__module__}.{type(model).__qualname__}")
    own = model.model if isinstance(model, ExposedModel) else model
    here = tf.distribute.has_strategy()
    return ModelInfo(
        model=model,
        own=own,
        inputs=tuple(getattr(own, "inputs", None) or ()),
        classes=_count_classes(model, own),
        strategy=tf.distribute.get_strategy() if here else own.distribute_strategy,
    )


def _count_classes(model: keras.Model, own: keras.Model) -> int | None:
    if isinstance(model, ExposedModel) and model.logits is not None:
        return getattr(model.logits.layer, "units", None)
    outputs = getattr(own, "outputs", None)
    if not outputs:
        return None
    return 1 if len(outputs[0].shape) == 1 else outputs[0].shape[-1]
