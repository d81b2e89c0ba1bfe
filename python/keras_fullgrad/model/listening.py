"""Listens to the layers of a model while it is called, whatever kind of model it is.

A graph of layers can be read only from a functional model, and only at its top level. A call can
be listened to in every model: functional, Sequential, subclassed, nested in any mix. While
:func:`listening` is active, each layer's ``call`` reports what it put out, and signals may be replaced on
their way. Afterwards every layer is as it was, after an exception too; other threads that call the model
meanwhile get what they always get.
"""

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad import _keras, _tensorflow


@dataclasses.dataclass(frozen=True)
class Application:
    """One call of one layer.

    Attributes:
        layer: The layer.
        input: Its first argument.
        output: What it returned.
        preactivation: What it handed to its own activation; its output where it has none.
        made: What it returned before its own signals were replaced.
    """

    layer: keras.Layer
    input: Any
    output: Any
    preactivation: Any
    made: Any


Substitute = Callable[[keras.Layer, tf.Tensor], tf.Tensor]
"""Takes a layer and a signal of floating type that its own operations made; returns what goes on."""


Replace = Callable[..., tf.Tensor | None]
"""Takes a layer and its arguments; returns what it puts out, or None to let it be called."""

Activate = Callable[[Callable[..., Any], tf.Tensor], tf.Tensor | None]
"""Takes an activation and what a layer hands to it; returns what it puts out, or None to let it be called."""


@contextlib.contextmanager
def listening(
    layers: Sequence[keras.Layer],
    report: Callable[[Application], None],
    substitute: Substitute | None = None,
    replace: Replace | None = None,
    activate: Activate | None = None,
) -> Iterator[None]:
    """Reports each call of ``layers`` that this thread makes, and lets their signals be replaced.

    The signals are what a layer takes in, what it hands to its own activation, and what it puts out.
    Each is seen once, at the innermost layer that made it. What is computed in a graph of its own, as
    within the loop of a recurrent layer, is out of reach: nothing there is reported or replaced.

    An activation that was assigned by its name (``layer.activation = "linear"``), which Keras
    cannot call, is looked up for the time of the call.

    Args:
        layers: The layers to listen to.
        report: Called after each call of one of them.
        substitute: What may replace signals. None: nothing does.
        replace: What may take the place of layers. None: nothing does.
        activate: What may take the place of layers' own activations. None: nothing does.

    Yields:
        Nothing; the layers report until the context is left.

    Example:
        >>> dense, seen = keras.layers.Dense(2), []
        >>> with listening([dense], seen.append):
        ...     _ = dense(tf.ones([1, 3]))
        >>> seen[0].output.shape
        TensorShape([1, 2])
    """
    listener = _Listener(layers, report, substitute, replace, activate)
    outer = _HERE.listener
    with contextlib.ExitStack() as patches:
        for layer in layers:
            # Keras calls a layer that was quantized by another name.
            quantized = getattr(layer, "quantization_mode", None) is not None
            patches.enter_context(
                _keras.replaced(
                    layer,
                    "quantized_call" if quantized else "call",
                    functools.partial(_call_through_listener, layer),
                )
            )
        _HERE.listener = listener
        try:
            yield
        finally:
            _HERE.listener = outer


class _Here(threading.local):
    """Who listens in this thread."""

    listener: "_Listener | None" = None


_HERE = _Here()


def _call_through_listener(layer: keras.Layer, call: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's ``call`` that lets this thread's listener hear it, if there is one."""

    @functools.wraps(call)
    def heard(*args: Any, **kwargs: Any) -> Any:
        listener = _HERE.listener
        if listener is None or not listener.hears(layer):
            return call(*args, **kwargs)
        # Inside a tf.function of its own a layer's tensors would be out of reach.
        return listener.call(layer, getattr(call, "python_function", call), args, kwargs)

    return heard


@dataclasses.dataclass
class _Frame:
    """A call that has not returned yet."""

    layer: keras.Layer
    preactivations: list[Any] = dataclasses.field(default_factory=list)


class _Listener:
    """What :func:`listening` does at each call of a layer."""

    def __init__(
        self,
        layers: Sequence[keras.Layer],
        report: Callable[[Application], None],
        substitute: Substitute | None,
        replace: Replace | None,
        activate: Activate | None,
    ) -> None:
        self._layers = {id(layer): layer for layer in layers}
        self._report = report
        self._replace = replace
        self._activate = activate
        self._signals = _Signals(substitute)
        self._frames: list[_Frame] = []

    def hears(self, layer: keras.Layer) -> bool:
        """Whether it is one of the layers that are listened to, and its signals are those that go on."""
        return id(layer) in self._layers and not _tensorflow.is_vectorizing()

    def call(self, layer: keras.Layer, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Calls a layer, and reports the call."""
        signals = self._signals
        if isinstance(layer, keras.layers.TimeDistributed):
            call = functools.partial(_call_once, layer, call, signals)
        caller = self._frames[-1].layer if self._frames else layer
        args, kwargs = signals.pass_on(caller, (args, kwargs))
        frame = _Frame(layer)
        self._frames.append(frame)
        try:
            with self._activation_heard(layer):
                output = None if self._replace is None else self._replace(layer, *args, **kwargs)
                made = call(*args, **kwargs) if output is None else output
                output = signals.pass_on(layer, made)
        finally:
            self._frames.pop()
        if signals.in_reach(output):
            first = args[0] if args else next(iter(kwargs.values()), None)
            handed = frame.preactivations[-1] if frame.preactivations else output
            seen = [signals.seen(each) for each in (first, output, handed)]
            self._report(Application(layer, seen[0], seen[1], seen[2], made))
        return output

    @contextlib.contextmanager
    def _activation_heard(self, layer: keras.Layer) -> Iterator[None]:
        activation = getattr(layer, "activation", None)
        # A recurrent layer's is its cell's, and cannot be set.
        of_class = isinstance(getattr(type(layer), "activation", None), property)
        if of_class or not (callable(activation) or isinstance(activation, str)):
            yield
            return
        make = functools.partial(_activation_through_listener, layer)
        with _keras.replaced(layer, "activation", make):
            yield

    def activation(self, layer: keras.Layer, function: Callable[..., Any], x: Any) -> tuple[Any, Any]:
        """Notes what a layer hands to its activation.

        Returns:
            What is to be handed on; and what the activation puts out, where it is not to be called.
        """
        if not self._frames or self._frames[-1].layer is not layer:
            return x, None
        x = self._signals.pass_on(layer, x)
        self._frames[-1].preactivations.append(x)
        return x, None if self._activate is None else self._activate(function, x)


def _activation_through_listener(layer: keras.Layer, activation: Any) -> Callable[..., Any]:
    """A layer's activation that lets this thread's listener hear what it is handed, if there is one."""
    if isinstance(activation, str):
        activation = keras.activations.get(activation)

    @functools.wraps(activation)
    def heard(x: Any, *args: Any, **kwargs: Any) -> Any:
        listener = _HERE.listener
        if listener is not None and listener.hears(layer):
            x, output = listener.activation(layer, activation, x)
            if output is not None and not args and not kwargs:
                return output
        return activation(x, *args, **kwargs)

    return heard


class _Signals:
    """Replaces signals on their way, each once, and keeps them in the shape that the listener is to see."""

    def __init__(self, substitute: Substitute | None) -> None:
        self._substitute = substitute
        self._home = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
        self._steps: list[int | tf.Tensor] = []
        # By identity, which is a tensor's own as long as it is held.
        self._onward: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}
        self._seen: dict[int, tf.Tensor] = {}

    def in_reach(self, structure: Any) -> bool:
        """Whether all tensors are of the graph, or the eager context, in which listening began."""
        tensors = [each for each in keras.tree.flatten(structure) if isinstance(each, tf.Tensor)]
        return all(_graph(tensor) is self._home for tensor in tensors)

    def pass_on(self, layer: keras.Layer, structure: Any) -> Any:
        """Takes the signals that a layer's own operations made, and returns what goes on in their place."""
        if self._substitute is None and not self._steps:
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
        if self._substitute is not None:
            seen = self._substitute(layer, seen)
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
    options = {"training": training} if _keras.takes_training(distributed.layer) else {}
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
