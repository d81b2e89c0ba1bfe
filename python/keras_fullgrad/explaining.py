"""Runs a method over data of any size, batch by batch, and returns NumPy arrays."""

import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from keras_fullgrad import batches, decomposing, filters, inspection, reference, replicas
from keras_fullgrad.batch_sizes import BATCHES_FOR_TRIALS, BatchSize
from keras_fullgrad.methods import gradient
from keras_fullgrad.methods.meta import Method


class _Step(NamedTuple):
    """A traced step, and how many images at a time it is run with."""

    function: Callable[..., tuple[Any, ...]]
    batch_size: BatchSize


_MOST_STEPS = 16  # For each model: a new lambda as `psi` in every call must not fill the memory.
_STEPS: weakref.WeakKeyDictionary[keras.Model, OrderedDict[Hashable, _Step]]
_STEPS = weakref.WeakKeyDictionary()
_TRACING = threading.RLock()  # Threads that explain with one model share what one of them traced.

_LARGE_SHARE = 0.1
_WARNED: weakref.WeakSet[keras.Model] = weakref.WeakSet()


def explain(
    method: Method,
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    batch_size: int | None = None,
    verbose: str | int = "auto",
    steps: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    postprocessing: filters.Filter | None = None,
    resizing: bool | Sequence[int] | None = True,
    **method_params: Any,
) -> tuple[Any, ...]:
    """Explains a model's logits over a set of inputs.

    The method is traced once for each model, shape of inputs and set of parameters; further calls,
    and a last, smaller batch, use the same trace. A model's weights are read when it is called.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        x: Inputs, (images, space, channels): an array of any type, a tensor, a `tf.data.Dataset`, a
            Keras `PyDataset`, or an iterable of batches; the latter three may hold classes too.
        y: Classes: (images, K), (images,), or one for all. None: each image's top class.
        batch_size: Images computed at a time. None: chosen by their size, and fewer where that turns out
            to be faster in a long run, which changes maps by rounding only; not where
            `tf.config.experimental.enable_op_determinism` was called.
        verbose: 0 for no progress bar, 1 or "auto" for one.
        steps: At most as many batches.
        callbacks: Keras callbacks, called as in `predict`.
        postprocessing: A filter of the finished maps, such as :func:`keras_fullgrad.filters.normalize`.
        resizing: True: maps of a size other than the inputs' are resized to it; a size: to that;
            False or None: not.
        **method_params: Passed on to the method.

    Returns:
        The logits, (images, K), or all of them where ``y`` is None, the maps, (images, space, K), and what
        else the method returns; all as NumPy arrays.

    Raises:
        ValueError: If shapes, classes or options do not fit; the message says what was expected.
        TypeError: If the data or the classes are of a wrong type.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = explain(gradients, model, np.ones([5, 8, 8, 3]), y=1, verbose=0)
        >>> logits.shape, maps.shape
        ((5, 1), (5, 8, 8, 1))
    """
    data = batches.for_model(model, x, y, batch_size, steps)
    progress = keras.callbacks.CallbackList(
        list(callbacks or []),
        add_progbar=verbose != 0,
        verbose=1 if verbose == "auto" else verbose,
        model=model,
        epochs=1,
        steps=data.steps,
    )
    results: Any = None
    progress.on_predict_begin()
    for index, (inputs, classes) in enumerate(batches.ahead(data.batches)):
        progress.on_predict_batch_begin(index)
        for result in _explain_batch(
            method, model, inputs, classes, data, postprocessing, resizing, method_params
        ):
            if results is None:
                results = tf.nest.map_structure(lambda part: _Rows(part, data.images), result)
            tf.nest.map_structure(_Rows.add, results, result)
        progress.on_predict_batch_end(index)
    if results is None:
        raise ValueError("expected at least one batch, got an iterable without any")
    progress.on_predict_end()
    return tf.nest.map_structure(_Rows.array, results)


def explain_iter(
    method: Method,
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
    postprocessing: filters.Filter | None = None,
    resizing: bool | Sequence[int] | None = True,
    **method_params: Any,
) -> Iterator[tuple[Any, ...]]:
    """Explains a model's logits batch by batch, for data and maps larger than memory.

    One batch is computed at a time, when it is asked for, while the next is read; what was yielded is yours,
    whatever comes after.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        x: Inputs; see :func:`explain`.
        y: Classes; see :func:`explain`.
        batch_size: Images computed at a time. None: chosen by their size.
        steps: At most as many batches.
        postprocessing: A filter of the finished maps.
        resizing: See :func:`explain`.
        **method_params: Passed on to the method.

    Returns:
        An iterator of what :func:`explain` returns, a batch of it at a time.

    Raises:
        ValueError: As :func:`explain`; at once where it can be told without a batch.
        TypeError: As :func:`explain`.

    Example:
        >>> from keras_fullgrad.methods.gradient import gradients
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> [len(maps) for _, maps in explain_iter(gradients, model, np.ones([5, 8, 8, 3]), batch_size=2)]
        [2, 2, 1]
    """
    data = batches.for_model(model, x, y, batch_size, steps)
    return (
        result
        for inputs, classes in batches.ahead(data.batches)
        for result in _explain_batch(
            method, model, inputs, classes, data, postprocessing, resizing, method_params
        )
    )


_SHORTCUT: dict[str, Any] = {"postprocessing": filters.normalize, "resizing": False}


def gradients(
    model: keras.Model, x: Any, y: Any | None = None, **params: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Explains logits by input gradients, rescaled to [0, 1].

    Args:
        model: Any Keras model.
        x: The inputs; see :func:`explain`.
        y: The classes; see :func:`explain`.
        **params: Further arguments of :func:`explain` and
            :func:`keras_fullgrad.methods.gradient.gradients`.

    Returns:
        The logits, (images, K), and the maps, (images, space, K), in [0, 1].

    Raises:
        ValueError: As :func:`explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> gradients(model, np.ones([1, 8, 8, 3]), verbose=0)[1].shape
        (1, 8, 8, 1)
    """
    return explain(gradient.gradients, model, x, y, **(_SHORTCUT | params))


def full_gradients(model: keras.Model, x: Any, y: Any | None = None, **params: Any) -> tuple[Any, ...]:
    """Explains logits by FullGrad maps, rescaled to [0, 1].

    With ``return_terms`` nothing is rescaled, so that the maps of the terms add up to the maps.

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        x: The inputs; see :func:`explain`.
        y: The classes; see :func:`explain`.
        **params: Further arguments of :func:`explain` and
            :func:`keras_fullgrad.methods.gradient.full_gradients`, such as ``preset="paper"``.

    Returns:
        The logits, (images, K), and the maps, (images, space, K), in [0, 1]. With ``return_terms`` also a
        dictionary of the maps of each term, by the layer's name.

    Raises:
        ValueError: As :func:`explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = full_gradients(model, np.ones([1, 8, 8, 3]), y=[[0, 1]], verbose=0)
        >>> maps.shape
        (1, 8, 8, 2)
    """
    defaults = _SHORTCUT | ({"postprocessing": None} if params.get("return_terms") else {})
    return explain(gradient.full_gradients, model, x, y, **(defaults | params))


class _Rows:
    """An array that grows by rows: allocated once where it is known how many there will be."""

    def __init__(self, first: np.ndarray, rows: int | None) -> None:
        self._whole = None if rows is None else np.empty((rows, *first.shape[1:]), first.dtype)
        self._parts: list[np.ndarray] = []
        self._filled = 0

    def add(self, part: np.ndarray) -> None:
        if self._whole is None:
            self._parts.append(part)
        else:
            self._whole[self._filled : self._filled + len(part)] = part
        self._filled += len(part)

    def array(self) -> np.ndarray:
        return np.concatenate(self._parts) if self._whole is None else self._whole


def _explain_batch(
    method: Method,
    model: keras.Model,
    inputs: Any,
    classes: np.ndarray | None,
    data: batches.Batches,
    postprocessing: filters.Filter | None,
    resizing: bool | Sequence[int] | None,
    params: dict[str, Any],
) -> Iterator[tuple[Any, ...]]:
    """The results of a batch, in as many pieces as its memory and its size ask for."""
    if method is gradient.full_gradients:
        _warn_of_left_out(model, inputs, classes, params)
    step, batched, given = _step(model, method, inputs, classes, postprocessing, resizing, params)
    images = len(batched[0])

    def run(rows: slice) -> tuple[Any, ...]:
        tensors = batched if rows == slice(0, images) else [tensor[rows] for tensor in batched]
        return tf.nest.map_structure(lambda tensor: tensor.numpy(), step.function(*tensors, *given))

    # The same images give the same bits only in batches of the same size.
    whole = data.chosen == images and not is_op_determinism_enabled()
    many = (data.steps or 0) >= BATCHES_FOR_TRIALS
    return step.batch_size.pieces(run, images, data.chosen if whole else None, trying=many)


def _warn_of_left_out(
    model: keras.Model, inputs: Any, classes: np.ndarray | None, params: dict[str, Any]
) -> None:
    """Says once for each model where maps leave out much of what it computes."""
    chosen = {"biases", "simple", "implicit_biases"} & {name for name in params if params[name] is not None}
    if model in _WARNED or chosen or isinstance(model, inspection.ExposedModel):
        return
    _WARNED.add(model)
    first = keras.tree.map_structure(lambda x: x[:1], inputs)
    share = decomposing.left_out(model, first, None if classes is None else classes[:1, :1])
    if share > _LARGE_SHARE:
        warnings.warn(
            f"implicit biases make up {share:.0%} of what model '{model.name}' adds up to its logit on the "
            "first image, and the map leaves them out: implicit_biases=True draws them too, and "
            "completeness(model) tells which layers they come from",
            stacklevel=5,
        )


def _step(
    model: keras.Model,
    method: Method,
    inputs: Any,
    classes: np.ndarray | None,
    postprocessing: filters.Filter | None,
    resizing: bool | Sequence[int] | None,
    params: dict[str, Any],
) -> tuple[_Step, list[tf.Tensor], list[tf.Tensor]]:
    """The traced step for such a batch, and the tensors to call it with: those of the batch, and others."""
    arrays = {name: value for name, value in params.items() if _holds_tensors(value)}
    static = {name: value for name, value in params.items() if name not in arrays}
    arrays = tf.nest.map_structure(tf.convert_to_tensor, arrays)
    structure = keras.tree.map_structure(lambda _: 0, inputs)  # What is kept must not keep data.
    tensors = keras.tree.flatten(inputs)
    sources = len(tensors)
    if classes is not None:
        tensors.append(tf.convert_to_tensor(classes))
    batched = len(tensors)
    tensors += tf.nest.flatten(arrays)
    signature = [
        tf.TensorSpec([None, *t.shape[1:]] if i < batched else t.shape, t.dtype)
        for i, t in enumerate(tensors)
    ]

    strategy = replicas.strategy_of(model)
    key = (
        strategy,
        method,
        postprocessing,
        _frozen(resizing),
        _frozen(static),
        tuple(arrays),
        repr(structure),
        batched,
        tuple(signature),
    )
    reference_to_model = weakref.ref(model)  # What is kept for a model must not keep the model.

    def step(*tensors: tf.Tensor) -> tuple[Any, ...]:
        inputs = keras.tree.pack_sequence_as(structure, tensors[:sources])
        indices = tensors[sources] if batched > sources else None
        given = tf.nest.pack_sequence_as(arrays, tensors[batched:])
        logits, *maps = method(reference_to_model(), inputs, indices, **static, **given)
        if postprocessing is not None:
            maps[0] = postprocessing(maps[0], axis=tuple(range(1, maps[0].shape.rank - 1)))
        if resizing is not None and resizing is not False:
            drawn = gradient.drawn_input(inputs, static.get("source"))
            maps = tf.nest.map_structure(lambda m: _resize(m, drawn, resizing), maps)
        return logits, *maps

    def trace() -> _Step:
        with strategy.scope():
            function = tf.function(replicas.divided(step, batched, strategy), autograph=False)
            return _Step(function.get_concrete_function(*signature), BatchSize())

    return _kept(model, key, trace), tensors[:batched], tensors[batched:]


def _kept(model: keras.Model, key: Hashable, trace: Callable[[], _Step]) -> _Step:
    """The step that was traced for a model before, or a new one."""
    with _TRACING:
        steps = _STEPS.setdefault(model, OrderedDict())
        if key not in steps:
            steps[key] = trace()
        steps.move_to_end(key)
        if len(steps) > _MOST_STEPS:
            steps.popitem(last=False)
        return steps[key]


def _holds_tensors(value: Any) -> bool:
    leaves = tf.nest.flatten(value)
    return bool(leaves) and all(
        isinstance(leaf, (np.ndarray, tf.Tensor, tf.Variable, keras.Variable)) for leaf in leaves
    )


def _frozen(value: Any) -> Hashable:
    if isinstance(value, dict):
        return tuple((name, _frozen(value[name])) for name in sorted(value))
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def _resize(maps: tf.Tensor, inputs: tf.Tensor, resizing: bool | Sequence[int]) -> tf.Tensor:
    spatial = slice(1, maps.shape.rank - 1)
    if resizing is True:
        if maps.shape[spatial] == inputs.shape[spatial]:
            return maps
        size = tf.shape(inputs)[spatial]
    else:
        size = tf.constant(resizing, tf.int32)
    for axis in range(1, maps.shape.rank - 1):
        maps = reference.resize_axis(maps, axis, size[axis - 1], "half_pixel")
    return maps
