"""What a user's function or object computes by, besides its arguments: a kept trace must not outlive it."""

import functools
import hashlib
import sys
import types
import weakref
from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.model.configuration import configuration

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, type, types.BuiltinFunctionType)
_DEEPEST = 8
_LIBRARIES = {"keras", "keras_fullgrad", "numpy", "tensorflow"}


def state(value: Any) -> Hashable:
    """Something to compare: equal as long as a function or an object would compute the same.

    Of a function these are its code, its defaults, what it closes over and the globals that it names; of an
    object its attributes; of an array its numbers. The weights of layers and models are read at each call.
    What cannot be compared is equal to nothing, not even to itself later: it is traced anew in each call.

    Args:
        value: A function, a method, an object that can be called, or anything that such a one holds.

    Returns:
        Its state.

    Example:
        >>> def times(factor):
        ...     return lambda outputs: factor * outputs[:, 0]
        >>> state(times(2)) == state(times(2)), state(times(2)) == state(times(3))
        (True, False)
    """
    return _Reader().read(value, 0)


class _Same:
    """Equal as long as it is the very same object, which is not kept alive for that."""

    def __init__(self, value: Any) -> None:
        self._id = id(value)
        self._alive = weakref.ref(value)

    def __hash__(self) -> int:
        return self._id

    def __eq__(self, other: object) -> bool:
        own = self._alive()
        return isinstance(other, _Same) and own is not None and own is other._alive()


class _Reader:
    """Reads states; what holds itself is read once."""

    def __init__(self) -> None:
        # With what was seen, which must live on: another may get its id else.
        self._seen: dict[int, tuple[Any, int]] = {}

    def read(self, value: Any, depth: int) -> Hashable:
        if isinstance(value, _PLAIN) or _is_constant(value):
            return type(value), value
        if id(value) in self._seen:
            return "seen", self._seen[id(value)][1]
        self._seen[id(value)] = value, len(self._seen)
        if depth > _DEEPEST:
            return object()
        return type(value), self._parts(value, depth + 1)

    def _parts(self, value: Any, depth: int) -> Hashable:
        read = functools.partial(self.read, depth=depth)
        match value:
            case types.FunctionType():
                return self._function(value, depth)
            case types.MethodType():
                return read(value.__func__), read(value.__self__)
            case functools.partial():
                return read(value.func), read(value.args), read(value.keywords)
            case tuple() | list():
                return tuple(map(read, value))
            case set() | frozenset():
                return frozenset(map(read, value))
            case Mapping():
                return frozenset((read(key), read(each)) for key, each in value.items())
            case np.ndarray() | tf.Tensor():
                # One of a graph has no numbers: it was noted while something was traced.
                return _Same(value) if tf.is_symbolic_tensor(value) else _numbers(np.asarray(value))
            case keras.Layer():
                return _Same(value), configuration(value)
            case types.ModuleType() | tf.Variable() | keras.Variable():
                return _Same(value)
        function = getattr(value, "python_function", None)  # Of a tf.function.
        if function is not None:
            return read(function)
        attributes = getattr(value, "__dict__", None)
        slots = getattr(type(value), "__slots__", None)
        if attributes is None and not slots:
            return object()
        names = [slots] if isinstance(slots, str) else list(slots or ())
        held = {name: getattr(value, name) for name in names if hasattr(value, name)} | (attributes or {})
        return tuple((name, read(each)) for name, each in held.items() if name != "__weakref__")

    def _function(self, function: types.FunctionType, depth: int) -> Hashable:
        read = functools.partial(self.read, depth=depth)
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        defaults = (function.__defaults__, function.__kwdefaults__)
        if _is_of_library(function.__module__):  # Its globals are constants.
            return function.__code__, *map(read, (defaults, cells))
        named = _names(function.__code__)
        held = [function.__globals__[name] for name in named if name in function.__globals__]
        # What a module of the user's own holds under a name that the function looks up.
        within = [
            getattr(module, name)
            for module in held
            if isinstance(module, types.ModuleType) and not _is_of_library(module.__name__)
            for name in named
            if hasattr(module, name)
        ]
        return function.__code__, *map(read, (defaults, cells, held, within))


def _is_constant(value: Any) -> bool:
    """Whether it is a function that a library holds under its name."""
    if not isinstance(value, types.FunctionType) or not _is_of_library(value.__module__):
        return False
    return getattr(sys.modules.get(value.__module__), value.__name__, None) is value


def _is_of_library(module: str | None) -> bool:
    return (module or "").split(".")[0] in _LIBRARIES


def _numbers(array: np.ndarray) -> Hashable:
    """What an array holds, by a digest: what is kept must not keep data."""
    if array.dtype.hasobject:
        return object()
    return array.shape, array.dtype.str, hashlib.sha256(np.ascontiguousarray(array).data).digest()


def _names(code: types.CodeType) -> list[str]:
    """The names of globals and attributes that code looks up, in functions within it too."""
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= dict.fromkeys(_names(constant))
    return list(names)


def _is_filled(cell: types.CellType) -> bool:
    """Whether a name that is closed over has been assigned."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
