"""All private API of TensorFlow that this package uses; ``tests/test_private_api.py`` tells what broke."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import kernels, ops

_LOCK = threading.Lock()
_USERS = 0
_BEFORE: dict[str, Any] = {}


@contextlib.contextmanager
def registered_gradients(gradients: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Replaces the gradients that TensorFlow has registered for operations; put back by the last who leaves.

    The public way to register takes no second gradient for an operation.

    Args:
        gradients: By the operation's type. They must be the same for all users, and give the values that
            TensorFlow's own do: other threads meet them too.

    Yields:
        Nothing.
    """
    global _USERS
    registry = ops._gradient_registry._registry
    with _LOCK:
        if _USERS == 0:
            _BEFORE.update({name: registry[name] for name in gradients})
            registry.update({name: {"type": each, "location": None} for name, each in gradients.items()})
        _USERS += 1
    try:
        yield
    finally:
        with _LOCK:
            _USERS -= 1
            if _USERS == 0:
                registry.update(_BEFORE)
                _BEFORE.clear()


def function_graph(op: tf.Operation, attribute: str = "f") -> tf.Graph | None:
    """The graph of a function that an operation calls, with its ``inputs`` and ``outputs``, if any."""
    called = getattr(op.get_attr(attribute), "name", None)
    function = None if called is None else op.graph._get_function(called)
    return getattr(function, "graph", None)


def is_vectorizing() -> bool:
    """Whether this is the function of a `tf.vectorized_map`, whose operations others replace later."""
    if tf.executing_eagerly():
        return False
    graph, scope = tf.compat.v1.get_default_graph(), tf.get_current_name_scope().split("/")
    for index, name in enumerate(scope):
        if name.startswith("loop_body"):
            loop = "/".join([*scope[: index + 1], "PlaceholderWithDefault"])
            with contextlib.suppress(KeyError):
                return graph.get_operation_by_name(loop).type == "PlaceholderWithDefault"
    return False


def devices_with_kernel(op: str) -> list[str]:
    """The types of device that an operation has a kernel for."""
    return sorted({kernel.device_type for kernel in kernels.get_registered_kernels_for_op(op).kernel})


def operations_of_saved_model(folder: Path) -> set[str]:
    """The types of all operations in a SavedModel."""
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return {op.name for graph in saved.meta_graphs for op in graph.meta_info_def.stripped_op_list.op}
