"""Traced functions of a model, kept for the next call."""

import contextlib
import dataclasses
import re
import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.model.info import ModelInfo
from keras_fullgrad.running import replicas
from keras_fullgrad.running.pieces import Pieces
from keras_fullgrad.targets import rows
from keras_fullgrad.targets.rows import Wanted
from keras_fullgrad.targets.state import state

Compute = Callable[..., Any]
"""From a model, its inputs, what to explain and named arguments to tensors with an axis of images first."""

# For each model, of some 25 MB each: a new lambda in every call must not fill the memory, and a folder of
# images of forty sizes must not be traced at every image.
_MOST_KEPT = 64

# What TensorFlow says of a class or a position beyond the last.
_BEYOND = re.compile(
    r"assertion failed: \[(?P<expected>expected [^\]]*)\]"
    r".*?\[x [^\]]*\] (?P<given>[^x]*?) \[y [^\]]*\] \[(?P<last>\d+)\]",
    re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Trace:
    """A traced function.

    Attributes:
        function: The function.
        compute: What was traced; it may have noted what its results are.
        pieces: How many images at a time it is run with.
    """

    function: Callable[..., Any]
    compute: Compute
    pieces: Pieces


class _Kept:
    """The traces of one model."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # Threads that explain with one model share what one of them traced.
        self.traces: OrderedDict[Hashable, Trace] = OrderedDict()
        self.told = False  # Whether its user knows that there are too many.


_KEPT: weakref.WeakKeyDictionary[keras.Model, _Kept] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Call:
    """A traced function, and what to call it with.

    Attributes:
        trace: The function.
        batched: Tensors with an axis of images.
        others: Further tensors.
    """

    trace: Trace
    batched: list[tf.Tensor]
    others: list[tf.Tensor]

    def tensors(self) -> Any:
        """What comes of the batch, as tensors, of the structure that was computed."""
        with _advice():
            return self.trace.function(*self.batched, *self.others)

    def results(self) -> Iterator[Any]:
        """What comes of the batch, as NumPy arrays: in as many pieces as its memory asks for.

        Yields:
            Results, of the structure that was computed.
        """
        images = len(self.batched[0])

        def run(which: slice) -> Any:
            whole = which == slice(0, images)
            tensors = self.batched if whole else [tensor[which] for tensor in self.batched]
            with _advice():
                results = self.trace.function(*tensors, *self.others)
            return tf.nest.map_structure(lambda tensor: tensor.numpy(), results)

        return self.trace.pieces.run(run, images)


def traced(
    info: ModelInfo,
    compute: Compute,
    key: Hashable,
    inputs: Any,
    wanted: Wanted = None,
    params: Mapping[str, Any] | None = None,
) -> Call:
    """Finds the trace of a computation, or traces it.

    Weights are read when a trace is called. A model whose configuration has changed is traced anew.

    Args:
        info: The model.
        compute: What to trace.
        key: What it depends on besides the model, the shapes and types of its arguments, and ``params``.
        inputs: A batch of inputs, tensors.
        wanted: What to explain: classes, (images, K), a target with numbers for each image, or None.
        params: Further arguments of ``compute``, by name: those that hold tensors are given to the trace at
            each call, the others are part of it.

    Returns:
        The trace, with the tensors of this batch.

    Example:
        >>> from keras_fullgrad.model.info import read_model
        >>> model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2, kernel_initializer="ones")])
        >>> def double(model, inputs, classes):
        ...     return 2 * model(inputs)
        >>> call = traced(read_model(model), double, "double", tf.ones([1, 3]))
        >>> [result.tolist() for result in call.results()]
        [[[6.0, 6.0]]]
    """
    params = params or {}
    arrays = {name: value for name, value in params.items() if _holds_tensors(value)}
    static = {name: value for name, value in params.items() if name not in arrays}
    arrays = tf.nest.map_structure(tf.convert_to_tensor, arrays)
    structure = keras.tree.map_structure(lambda _: 0, inputs)  # What is kept must not keep data.
    tensors = keras.tree.flatten(inputs)
    sources = len(tensors)
    explained = rows.parts(wanted)
    whole = explained.whole  # It holds no data.
    tensors += explained.tensors
    batched = len(tensors)
    tensors += tf.nest.flatten(arrays)
    signature = [
        tf.TensorSpec([None, *t.shape[1:]] if i < batched else t.shape, t.dtype)
        for i, t in enumerate(tensors)
    ]
    model = weakref.ref(info.model)  # What is kept for a model must not keep the model.

    def step(*tensors: tf.Tensor) -> Any:
        inputs = keras.tree.pack_sequence_as(structure, tensors[:sources])
        indices = whole(list(tensors[sources:batched]))
        given = tf.nest.pack_sequence_as(arrays, tensors[batched:])
        return compute(model(), inputs, indices, **static, **given)

    def trace() -> Trace:
        with info.strategy.scope():
            function = tf.function(replicas.divided(step, batched, info.strategy), autograph=False)
            return Trace(function.get_concrete_function(*signature), compute, Pieces())

    def full_key() -> Hashable:
        return (
            info.configuration,
            info.strategy,
            key,
            state(static),
            tuple(arrays),
            repr(structure),
            rows.key(wanted),
            batched,
            tuple(signature),
        )

    return Call(_kept(info.model, full_key, trace), tensors[:batched], tensors[batched:])


def clear_cache(model: keras.Model | None = None) -> None:
    """Forgets what was traced for a model, or for all.

    Args:
        model: The model. None: all models.

    Example:
        >>> clear_cache()
    """
    with _LOCK:
        if model is None:
            _KEPT.clear()
        else:
            _KEPT.pop(model, None)


@contextlib.contextmanager
def _advice() -> Iterator[None]:
    """Says in words what a trace refuses, and what TensorFlow itself cannot differentiate."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        beyond = _BEYOND.search(str(error))
        if beyond is not None:
            given = max(map(int, re.findall(r"-?\d+", beyond["given"])))
            message = f"{beyond['expected']}, from 0 to {beyond['last']}, got {given}"
            raise tf.errors.InvalidArgumentError(None, None, message) from None
        if "only supports NHWC" not in str(error):
            raise
        raise ValueError(
            "expected TensorFlow to differentiate convolutions with channels first, which on this processor "
            "it does with oneDNN only: set TF_ENABLE_ONEDNN_OPTS=1 before TensorFlow is imported"
        ) from error


def _kept(model: keras.Model, key: Callable[[], Hashable], trace: Callable[[], Trace]) -> Trace:
    """The trace that was made for a model before, or a new one."""
    with _LOCK:
        kept = _KEPT.setdefault(model, _Kept())
    with kept.lock:
        last = key()
        found = kept.traces.get(last)
        if found is None:
            found = trace()
            last = key()  # A user's function may have noted that it was called.
            kept.traces[last] = found
        kept.traces.move_to_end(last)
        if len(kept.traces) > _MOST_KEPT:
            kept.traces.popitem(last=False)
            if not kept.told:
                kept.told = True
                warnings.warn(
                    f"model '{model.name}' was traced for more than {_MOST_KEPT} sizes of images or sets of "
                    "options, which takes seconds each time: bring images to few sizes, and make a function "
                    "that is an option once, not in every call",
                    stacklevel=2,
                )
        return found


def _holds_tensors(value: Any) -> bool:
    leaves = tf.nest.flatten(value)
    return bool(leaves) and all(
        isinstance(leaf, (np.ndarray, tf.Tensor, tf.Variable, keras.Variable)) for leaf in leaves
    )
