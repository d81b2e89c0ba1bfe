"""Applies the rules while a model is called."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad import _keras
from keras_fullgrad.model.listening import Activate, Application, Replace
from keras_fullgrad.model.rewriting import activations, convolutions, pooling, squeeze
from keras_fullgrad.model.rewriting.folding import Folding
from keras_fullgrad.native import loading


class Rewriting:
    """Takes the place of layers and activations, as `model.listening.listening` lets it.

    Args:
        native: Whether the rules that need the native library apply, where there is one.

    Attributes:
        folding: The batch norms that were computed in one with the layers before them.

    Example:
        >>> import functools
        >>> from keras_fullgrad.model.exposing import expose
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(2, 3),
        ...                           keras.layers.BatchNormalization()])
        >>> rewriting = Rewriting()
        >>> signals = functools.partial(expose(model).signals, rewriting=rewriting)
        >>> heard = tf.function(signals, autograph=False)(tf.ones([1, 8, 8, 3]))
        >>> len(rewriting.folding.folds)
        1
    """

    def __init__(self, native: bool = True) -> None:
        self.folding = Folding()
        self._native = native and not loading.why_not_native()
        # Their kernels are for CPUs: on a GPU TensorFlow's own run.
        self._on_cpus = self._native and not loading.sees_gpus()

    def of_call(self, applications: Sequence[Application]) -> tuple[Replace, Activate]:
        """The rules for one call of the model.

        Args:
            applications: The calls of layers so far, a list that grows.

        Returns:
            What takes the place of layers and of activations.
        """
        return functools.partial(self._layer, applications), self._activation

    def _layer(
        self, applications: Sequence[Application], layer: keras.Layer, *args: Any, **kwargs: Any
    ) -> tf.Tensor | None:
        if tf.executing_eagerly() or not args:
            return None
        if type(layer) is keras.layers.BatchNormalization:
            return self.folding.normalize(applications, layer, *args, **kwargs)
        if self._on_cpus:
            for rule in (squeeze, pooling):
                if (found := rule.compute(layer, args[0])) is not None:
                    return found
        stand_in, inputs = convolutions.as_computed(applications, layer, args[0])
        return None if stand_in is layer else _keras.call_as(layer, stand_in, inputs, *args[1:], **kwargs)

    def _activation(self, function: Callable[..., Any], x: tf.Tensor) -> tf.Tensor | None:
        return activations.activate(function, x) if self._native and not tf.executing_eagerly() else None
