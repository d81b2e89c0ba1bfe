"""Listens to the layers of a model while it is called, whatever kind of model it is.

A graph of layers can be read only from a functional model, and only at its top level. A call can
be listened to in every model: functional, Sequential, subclassed, nested in any mix. While
:func:`listening` is active, each layer's ``call`` reports what it put out, and a tap may replace the
signals on their way; afterwards every layer is as it was, after an exception too.
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


Tap = Callable[[keras.Layer, tf.Tensor], tf.Tensor]
"""Takes a layer and a signal of floating type that its own operations made; returns what goes on."""


@contextlib.contextmanager
def listening(
    layers: Sequence[keras.Layer],
    report: Callable[[Application], None],
    tap: Tap | None = None,
    replace: Callable[..., tf.Tensor | None] | None = None,
) -> Iterator[None]:
    """Reports each call of ``layers`` that this thread makes, and taps their signals.

    The signals are what a layer takes in, what it hands to its own activation, and what it puts out.
    Each is tapped once, by the innermost layer that made it. What is computed in a graph of its own, as
    within the loop of a recurrent layer, is out of reach: nothing there is reported or tapped.

    An activation that was assigned by its name (``layer.activation = "linear"``), which Keras
    cannot call, is looked up for the time of the call.

    Args:
        layers: The layers to listen to.
        report: Called after each call of one of them.
        tap: What may replace the signals. None: nothing does.
        replace: Called with a layer and its arguments, before the layer is; what it returns, if anything, the
            layer puts out without being called.

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
    signals = _Signals(tap)
    callers: list[keras.Layer] = []

    def listen(layer: keras.Layer, patches: contextlib.ExitStack) -> None:
        call = layer.call
        # Inside a tf.function of its own a layer's tensors would be out of reach.
        call = getattr(call, "python_function", call)
        if isinstance(layer, keras.layers.TimeDistributed):
            call = functools.partial(_call_once, layer, call, signals)

        @functools.wraps(layer.call)
        def reporting(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread:
                return call(*args, **kwargs)
            args, kwargs = signals.pass_on(callers[-1] if callers else layer, (args, kwargs))
            callers.append(layer)
            try:
                with _preactivations(layer, functools.partial(signals.pass_on, layer)) as preactivations:
                    output = None if replace is None else replace(layer, *args, **kwargs)
                    if output is None:
                        output = call(*args, **kwargs)
                    output = signals.pass_on(layer, output)
            finally:
                callers.pop()
            if signals.in_reach(output):
                first = args[0] if args else next(iter(kwargs.values()), None)
                handed = preactivations[-1] if preactivations else output
                report(Application(layer, *map(signals.seen, (first, output, handed))))
            return output

        patches.enter_context(_attribute(layer, "call", reporting))

    with _LOCK, contextlib.ExitStack() as patches:
        for layer in layers:
            listen(layer, patches)
        yield


class _Signals:
    """Taps signals on their way, each once, and keeps them in the shape that the listener is to see."""

    def __init__(self, tap: Tap | None) -> None:
        self._tap = tap
        self._home = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        self._steps: list[int | tf.Tensor] = []
        # By identity, which is a tensor's own as long as it is held.
        self._onward: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}
        self._seen: dict[int, tf.Tensor] = {}

    def in_reach(self, structure: Any) -> bool:
        """Whether all tensors are of the graph, or the eager context, in which listening began."""
        return all(_graph(signal) is self._home for signal in keras.tree.flatten(structure))

    def pass_on(self, layer: keras.Layer, structure: Any) -> Any:
        """Taps the signals that a layer's own operations made, and returns what goes on in their place."""
        if self._tap is None and not self._steps:
            return structure
        return keras.tree.map_structure(functools.partial(self._once, layer), structure)

    def _once(self, layer: keras.Layer, signal: Any) -> Any:
        if not isinstance(signal, tf.Tensor) or not signal.dtype.is_floating:
            return signal
        if id(signal) in self._onward:
            return self._onward[id(signal)][1]
        if not self.in_reach(signal):
            return signal
        seen = _split(signal, self._steps[-1]) if self._steps else signal
        if self._tap is not None:
            seen = self._tap(layer, seen)
        onward = _fold(seen) if self._steps else seen
        self._onward[id(signal)] = (signal, onward)
        self._onward[id(onward)] = (onward, onward)
        self._seen[id(onward)] = seen
        return onward

    def seen(self, structure: Any) -> Any:
        """What the listener is to see of signals that were passed on."""
        return keras.tree.map_structure(lambda signal: self._seen.get(id(signal), signal), structure)

    @property
    def in_time(self) -> bool:
        """Whether steps of time are folded already."""
        return bool(self._steps)

    @contextlib.contextmanager
    def folded(self, steps: int | tf.Tensor) -> Iterator[None]:
        """While steps of time are images of the batch: signals are seen with an axis of time again."""
        self._steps.append(steps)
        try:
            yield
        finally:
            self._steps.pop()


def _call_once(
    distributed: keras.layers.TimeDistributed,
    call: Callable[..., Any],
    signals: _Signals,
    inputs: tf.Tensor,
    training: bool | None = None,
    mask: tf.Tensor | None = None,
) -> Any:
    """Applies a layer to all steps of time at once, where Keras does it step by step."""
    if mask is not None or signals.in_time:
        return call(inputs, training=training, mask=mask)
    steps = inputs.shape[1] or tf.shape(inputs)[1]
    options = {"training": training} if distributed.layer._call_has_training_arg else {}
    with signals.folded(steps):
        outputs = distributed.layer.call(_fold(inputs), **options)
    return keras.tree.map_structure(lambda output: _split(output, steps), outputs)


def _fold(signal: tf.Tensor) -> tf.Tensor:
    """(batch, time, ...) as (batch * time, ...)."""
    return tf.reshape(signal, tf.concat([[-1], tf.shape(signal)[2:]], axis=0))


def _split(signal: tf.Tensor, steps: int | tf.Tensor) -> tf.Tensor:
    """(batch * time, ...) as (batch, time, ...)."""
    return tf.reshape(signal, tf.concat([[-1, steps], tf.shape(signal)[1:]], axis=0))


def _graph(tensor: Any) -> tf.Graph | None:
    return tensor.graph if tf.is_symbolic_tensor(tensor) else None


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
def _preactivations(layer: keras.Layer, pass_on: Callable[[Any], Any]) -> Iterator[list[tf.Tensor]]:
    """Collects what the layer hands to its activation, and passes it on."""
    collected: list[tf.Tensor] = []
    activation = getattr(layer, "activation", None)
    if isinstance(activation, str):
        activation = keras.activations.get(activation)
    # A recurrent layer's is its cell's, and cannot be set.
    if not callable(activation) or isinstance(getattr(type(layer), "activation", None), property):
        yield collected
        return

    @functools.wraps(activation)
    def collecting(x: tf.Tensor, *args: Any, **kwargs: Any) -> tf.Tensor:
        x = pass_on(x)
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
