"""Listens to the layers of a model while it is called, whatever kind of model it is.

A graph of layers can be read only from a functional model, and only at its top level. A call can
be listened to in every model: functional, Sequential, subclassed, nested in any mix. While
:func:`listening` is active, each layer's ``call`` reports what it put out; afterwards every layer
is as it was, after an exception too.
"""

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

# Layers are patched for the time of a call, so one thread at a time may listen.
_LOCK = threading.RLock()


@dataclasses.dataclass(frozen=True)
class Application:
    """One call of one layer.

    Attributes:
        layer: The layer.
        input: Its first argument.
        output: What it returned.
        preactivation: What it handed to its own activation; its output where it has none.
    """

    layer: keras.Layer
    input: Any
    output: Any
    preactivation: Any


@contextlib.contextmanager
def listening(layers: Sequence[keras.Layer], report: Callable[[Application], None]) -> Iterator[None]:
    """Reports each call of ``layers`` that this thread makes.

    An activation that was assigned by its name (``layer.activation = "linear"``), which Keras
    cannot call, is looked up for the time of the call.

    Args:
        layers: The layers to listen to.
        report: Called after each call of one of them.

    Yields:
        Nothing; the layers report until the context is left.

    Example:
        >>> dense, seen = keras.layers.Dense(2), []
        >>> with listening([dense], seen.append):
        ...     _ = dense(tf.ones([1, 3]))
        >>> seen[0].output.shape
        TensorShape([1, 2])
    """
    thread = threading.get_ident()

    def listen(layer: keras.Layer, patches: contextlib.ExitStack) -> None:
        call = layer.call
        # Inside a tf.function of its own a layer's tensors would be out of reach.
        call = getattr(call, "python_function", call)

        @functools.wraps(call)
        def reporting(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread:
                return call(*args, **kwargs)
            with _preactivations(layer) as preactivations:
                output = call(*args, **kwargs)
            first = args[0] if args else next(iter(kwargs.values()), None)
            report(Application(layer, first, output, preactivations[-1] if preactivations else output))
            return output

        patches.enter_context(_attribute(layer, "call", reporting))

    with _LOCK, contextlib.ExitStack() as patches:
        for layer in layers:
            listen(layer, patches)
        yield


@contextlib.contextmanager
def any_size(models: Sequence[keras.Layer]) -> Iterator[None]:
    """Lets functional models take inputs of another size than they were built for.

    Keras compares an input with the whole shape of a model's symbolic input, although most nets of
    convolutions take any size. What a layer really needs, it still checks.

    Args:
        models: Models and layers; only functional models are concerned.

    Yields:
        Nothing; the check is off until the context is left.

    Example:
        >>> image = keras.Input([8, 8, 3])
        >>> model = keras.Model(image, keras.layers.Conv2D(2, 3)(image))
        >>> with any_size([model]):
        ...     model(tf.ones([1, 5, 5, 3])).shape
        TensorShape([1, 3, 3, 2])
    """
    with _LOCK, contextlib.ExitStack() as patches:
        for model in models:
            if isinstance(getattr(type(model), "input_spec", None), property):
                patches.enter_context(_attribute(model, "_manual_input_spec", None))
        yield


@contextlib.contextmanager
def _preactivations(layer: keras.Layer) -> Iterator[list[tf.Tensor]]:
    """Collects what the layer hands to its activation."""
    collected: list[tf.Tensor] = []
    activation = getattr(layer, "activation", None)
    if isinstance(activation, str):
        activation = keras.activations.get(activation)
    if not callable(activation):
        yield collected
        return

    @functools.wraps(activation)
    def collecting(x: tf.Tensor, *args: Any, **kwargs: Any) -> tf.Tensor:
        collected.append(x)
        return activation(x, *args, **kwargs)

    with _attribute(layer, "activation", collecting):
        yield collected


_ABSENT = object()


@contextlib.contextmanager
def _attribute(layer: keras.Layer, name: str, value: Any) -> Iterator[None]:
    """Sets an attribute of one instance, past Keras's tracking of attributes."""
    before = vars(layer).get(name, _ABSENT)
    object.__setattr__(layer, name, value)
    try:
        yield
    finally:
        if before is _ABSENT:
            object.__delattr__(layer, name)
        else:
            object.__setattr__(layer, name, before)
