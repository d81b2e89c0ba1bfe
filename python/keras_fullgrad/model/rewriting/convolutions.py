"""Convolutions as they are computed, by all rules for them."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.model.listening import Application
from keras_fullgrad.model.rewriting import padding
from keras_fullgrad.model.rewriting.depthwise import Depthwise, is_depthwise


def as_computed(
    applications: Sequence[Application], layer: keras.Layer, inputs: tf.Tensor
) -> tuple[Any, tf.Tensor]:
    """Finds what a layer's ``call`` is to see in the layer's place.

    Args:
        applications: The calls of layers so far.
        layer: The layer.
        inputs: What it is called with.

    Returns:
        What has all that the ``call`` asks for of the layer, and what to call it with; the layer itself where
        it is to be computed as it is.

    Example:
        >>> layer, x = keras.layers.Dense(2), tf.ones([1, 3])
        >>> as_computed([], layer, x) == (layer, x)
        True
    """
    if getattr(layer, "quantization_mode", None) is not None:  # Keras calls it by another code.
        return layer, inputs
    stand_in: Any = layer
    unpadded = padding.unpadded(applications, layer, inputs)
    if unpadded is not None:
        stand_in, inputs = padding.Same(layer), unpadded
    return (Depthwise(stand_in) if is_depthwise(layer) else stand_in), inputs
