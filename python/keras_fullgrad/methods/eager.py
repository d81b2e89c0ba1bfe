"""Methods called eagerly: traced all the same, and the trace kept."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.explanation import Explanation
from keras_fullgrad.model.info import read_model
from keras_fullgrad.running import batches, traces
from keras_fullgrad.targets.outputs import as_target


def traced(method: Callable[..., Explanation]) -> Callable[..., Explanation]:
    """Lets a method be called eagerly too.

    Where signals lie in the image is read off a graph, and in a traced function TensorFlow computes no
    gradient that nobody asked for.

    Args:
        method: A method, which runs in a traced function.

    Returns:
        The same method, which an eager call traces.

    Example:
        >>> @traced
        ... def method(model, inputs, indices=None):
        ...     return Explanation(model(inputs), inputs)
        >>> model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        >>> method(model, tf.ones([1, 3])).logits.shape
        TensorShape([1, 2])
    """
    signature = inspect.signature(method)

    @tf.autograph.experimental.do_not_convert  # It loses defaults, and there is nothing to convert.
    @functools.wraps(method)
    def run(*args: Any, **kwargs: Any) -> Explanation:
        if not tf.executing_eagerly():
            return method(*args, **kwargs)
        given = signature.bind(*args, **kwargs).arguments
        model, inputs = given.pop("model"), given.pop("inputs")
        inputs = keras.tree.map_structure(tf.convert_to_tensor, inputs)

        def compute(model: keras.Model, inputs: Any, indices: Any, **params: Any) -> dict[str, Any]:
            return method(model, inputs, indices, **params).parts

        key = ("eager", method)
        wanted = given.pop("indices", None)
        info = read_model(model)
        if callable(wanted):
            images = len(keras.tree.flatten(inputs)[0])
            wanted = batches.fitted(info, as_target(wanted), inputs, images).rows(0, images)
        call = traces.traced(info, compute, key, inputs, wanted, given)
        return Explanation(**call.tensors())

    return run
