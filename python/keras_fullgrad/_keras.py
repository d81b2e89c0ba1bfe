"""All private API of Keras that this package uses; ``tests/test_private_api.py`` tells what broke.

Layers are told what to do by attributes of their instances. Other threads may call the same layers meanwhile,
so what is put in place must do for them what the layer did before.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

_ABSENT = object()


class _Replacement:
    """An attribute that is replaced, by how many users, and what it was."""

    def __init__(self, layer: Any, before: Any, value: Any) -> None:
        self.layer = layer  # Held, so that its id stays its own.
        self.before = before
        self.value = value
        self.users = 0


_REPLACEMENTS: dict[tuple[int, str], _Replacement] = {}
_LOCK = threading.Lock()


@contextlib.contextmanager
def replaced(layer: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Replaces an attribute of a layer, or of a class, while anybody needs it.

    The first user puts the replacement in place, the last one takes it away, in whichever thread they are;
    what somebody else assigned meanwhile stays.

    Args:
        layer: The layer, or the class.
        name: The attribute.
        make: From the attribute to its replacement. It must be the same for all users.

    Yields:
        Nothing.
    """
    key = (id(layer), name)
    with _LOCK:
        if key not in _REPLACEMENTS:
            before = vars(layer).get(name, _ABSENT)
            _REPLACEMENTS[key] = _Replacement(layer, before, make(getattr(layer, name, None)))
            _set(layer, name, _REPLACEMENTS[key].value)
        replacement = _REPLACEMENTS[key]
        replacement.users += 1
    try:
        yield
    finally:
        with _LOCK:
            replacement.users -= 1
            if replacement.users == 0:
                del _REPLACEMENTS[key]
                if vars(layer).get(name, _ABSENT) is replacement.value:
                    _set(layer, name, replacement.before)


def _set(layer: Any, name: str, value: Any) -> None:
    """Sets or deletes an attribute past a layer's own assignment, which would track it."""
    of = type if isinstance(layer, type) else object
    if value is _ABSENT:
        of.__delattr__(layer, name)
    else:
        of.__setattr__(layer, name, value)


def attributes(layer: keras.Layer) -> dict[str, Any]:
    """The attributes of a layer, without what :func:`replaced` put in their place."""
    with _LOCK:
        found = dict(vars(layer))
        if _REPLACEMENTS:
            for (key, name), replacement in _REPLACEMENTS.items():
                if key == id(layer):
                    found[name] = replacement.before
                    if replacement.before is _ABSENT:
                        del found[name]
    return found


@contextlib.contextmanager
def any_size(models: Sequence[keras.Layer]) -> Iterator[None]:
    """Lets functional models take inputs of another size than they were built for.

    Keras compares an input with the whole shape of a model's symbolic input, although most nets of
    convolutions take any size. What a layer really needs, it still checks.

    Args:
        models: Models and layers; the others of them have no such check.

    Yields:
        Nothing; the check is off until the context is left.
    """
    with contextlib.ExitStack() as patches:
        for model in models:
            if isinstance(getattr(type(model), "input_spec", None), property):
                patches.enter_context(replaced(model, "_manual_input_spec", lambda _: None))
        yield


class _Here(threading.local):
    """Whether this thread keeps floats in place of integers."""

    keeps_floats = False


_HERE = _Here()


@contextlib.contextmanager
def floats_kept(models: Sequence[keras.Layer]) -> Iterator[None]:
    """Lets functional models take numbers of floating type for integers, which have no gradient.

    Keras casts what comes in to the type of the symbolic input. Other threads' inputs are cast as ever.

    Args:
        models: Models and layers; the others of them cast nothing.

    Yields:
        Nothing; this thread's inputs are kept until the context is left.
    """
    outer = _HERE.keeps_floats
    with contextlib.ExitStack() as patches:
        for model in models:
            if any("float" not in str(each.dtype) for each in getattr(model, "inputs", None) or ()):
                patches.enter_context(replaced(model, "_convert_inputs_to_tensors", _converted))
        _HERE.keeps_floats = True
        try:
            yield
        finally:
            _HERE.keeps_floats = outer


def _converted(convert: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    def converted(inputs: list[Any]) -> list[Any]:
        found = convert(inputs)
        if not _HERE.keeps_floats:
            return found
        both = zip(inputs, found, strict=True)
        return [given if _floating(given) and not _floating(cast) else cast for given, cast in both]

    return converted


def _floating(x: Any) -> bool:
    return isinstance(x, tf.Tensor) and x.dtype.is_floating


def sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """The layers that a layer holds itself."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def symbolic_tensors(layer: keras.Layer, node: int, of_inputs: bool) -> list[keras.KerasTensor]:
    """What a layer took in or put out when it was called on symbolic tensors the ``node``-th time."""
    nodes = layer._inbound_nodes
    if not nodes:
        raise ValueError(
            f"expected layer '{layer.name}' to be part of a functional graph, "
            "got a layer that was never called on a symbolic tensor; expose() needs no graph"
        )
    return list(nodes[node].input_tensors if of_inputs else nodes[node].output_tensors)


def takes_training(layer: keras.Layer) -> bool:
    """Whether a layer's ``call`` has an argument ``training``."""
    return layer._call_has_training_arg


def call_as(layer: keras.Layer, stand_in: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a layer's code on another object, which has what that code asks for of the layer."""
    return type(layer).call(stand_in, *args, **kwargs)


def preprocessing_of(application: Callable[..., keras.Model]) -> Callable[..., Any]:
    """The ``preprocess_input`` that stands beside a net of keras.applications."""
    return sys.modules[application.__module__].preprocess_input
