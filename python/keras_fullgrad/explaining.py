"""Runs a method over data of any size, batch by batch, and returns NumPy arrays."""

import functools
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad import batches, filters, inspection, reference
from keras_fullgrad.methods import gradient
from keras_fullgrad.methods.meta import Method

Step = Callable[..., tuple[tf.Tensor, tf.Tensor]]

_MOST_STEPS = 16  # For each model: a new lambda as `psi` in every call must not fill the memory.
_STEPS: weakref.WeakKeyDictionary[keras.Model, OrderedDict[Hashable, Step]]
_STEPS = weakref.WeakKeyDictionary()


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
) -> tuple[np.ndarray, np.ndarray]:
    """Explains a model's logits over a set of inputs.

    The method is traced once for each model, shape of inputs and set of parameters; further calls,
    and a last, smaller batch, use the same trace. A model's weights are read when it is called.

    Args:
        method: The method, such as :func:`keras_fullgrad.methods.gradient.full_gradients`.
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        x: Inputs, (images, space, channels): an array of any type, a tensor, a `tf.data.Dataset`, a
            Keras `PyDataset`, or an iterable of batches; the latter three may hold classes too.
        y: Classes: (images, K), (images,), or one for all. None: each image's top class.
        batch_size: Images computed at a time. None: chosen by their size.
        verbose: 0 for no progress bar, 1 or "auto" for one.
        steps: At most as many batches.
        callbacks: Keras callbacks, called as in `predict`.
        postprocessing: A filter of the finished maps, such as :func:`keras_fullgrad.filters.normalize`.
        resizing: True: maps of a size other than the inputs' are resized to it; a size: to that;
            False or None: not.
        **method_params: Passed on to the method.

    Returns:
        The logits, (images, K), or all of them where ``y`` is None, and the maps, (images, space, K).

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
    if not isinstance(model, keras.Model):
        raise TypeError(f"expected a Keras 3 model, got {type(model).__module__}.{type(model).__qualname__}")
    data = batches.cut(x, y, batch_size, steps)
    progress = keras.callbacks.CallbackList(
        list(callbacks or []),
        add_progbar=verbose != 0,
        verbose=1 if verbose == "auto" else verbose,
        model=model,
        epochs=1,
        steps=data.steps,
    )
    dtype = _input_dtype(model)
    collected: list[tuple[np.ndarray, np.ndarray]] = []
    progress.on_predict_begin()
    for index, (inputs, classes) in enumerate(data.batches):
        progress.on_predict_batch_begin(index)
        inputs = tf.cast(tf.convert_to_tensor(inputs), dtype)
        _check_shape(model, inputs)
        _build(model, inputs)
        _check_classes(model, classes)
        step, tensors = _step(model, method, inputs, classes, postprocessing, resizing, method_params)
        logits, maps = step(*tensors)
        collected.append((logits.numpy(), maps.numpy()))
        progress.on_predict_batch_end(index)
    if not collected:
        raise ValueError("expected at least one batch, got an iterable without any")
    progress.on_predict_end()
    logits, maps = zip(*collected, strict=True)
    return np.concatenate(logits), np.concatenate(maps)


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


def full_gradients(
    model: keras.Model, x: Any, y: Any | None = None, **params: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Explains logits by FullGrad maps, rescaled to [0, 1].

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`.
        x: The inputs; see :func:`explain`.
        y: The classes; see :func:`explain`.
        **params: Further arguments of :func:`explain` and
            :func:`keras_fullgrad.methods.gradient.full_gradients`, such as ``preset="paper"``.

    Returns:
        The logits, (images, K), and the maps, (images, space, K), in [0, 1].

    Raises:
        ValueError: As :func:`explain`.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> logits, maps = full_gradients(model, np.ones([1, 8, 8, 3]), y=[[0, 1]], verbose=0)
        >>> maps.shape
        (1, 8, 8, 2)
    """
    return explain(gradient.full_gradients, model, x, y, **(_SHORTCUT | params))


def _input_dtype(model: keras.Model) -> str:
    """The floating type that the model takes, so that data of any type can be given."""
    inputs = getattr(model, "inputs", None)
    dtype = inputs[0].dtype if inputs else model.variable_dtype
    return dtype if "float" in dtype else keras.config.floatx()


def _build(model: keras.Model, inputs: tf.Tensor) -> None:
    """Creates the weights of a model that never saw an input, which a traced function could not."""
    inner = model.model if isinstance(model, inspection.ExposedModel) else model
    if not inner.built:
        inner(inputs[:1], training=False)


def _check_shape(model: keras.Model, inputs: tf.Tensor) -> None:
    symbolic = getattr(model, "inputs", None)
    if not symbolic:
        return
    expected = symbolic[0].shape
    channel_axis = 1 if inspection.data_layout(model) == "channels_first" else -1
    if len(expected) != inputs.shape.rank or expected[channel_axis] not in (
        None,
        inputs.shape[channel_axis],
    ):
        raise ValueError(
            f"expected inputs of shape {expected}, of any size where the model takes any, "
            f"got {tuple(inputs.shape)}"
        )


def _check_classes(model: keras.Model, classes: np.ndarray | None) -> None:
    known = inspection.count_classes(model)
    if classes is not None and known is not None and classes.max() >= known:
        raise ValueError(f"expected classes from 0 to {known - 1} in y, got {classes.max()}")


def _step(
    model: keras.Model,
    method: Method,
    inputs: tf.Tensor,
    classes: np.ndarray | None,
    postprocessing: filters.Filter | None,
    resizing: bool | Sequence[int] | None,
    params: dict[str, Any],
) -> tuple[Step, list[tf.Tensor]]:
    """The traced step for such a batch, and the tensors to call it with."""
    arrays = {name: value for name, value in params.items() if _holds_tensors(value)}
    static = {name: value for name, value in params.items() if name not in arrays}
    arrays = tf.nest.map_structure(tf.convert_to_tensor, arrays)
    flat = [] if classes is None else [tf.convert_to_tensor(classes)]
    flat += tf.nest.flatten(arrays)
    tensors = [inputs, *flat]
    batched = 1 if classes is None else 2
    signature = [
        tf.TensorSpec([None, *t.shape[1:]] if i < batched else t.shape, t.dtype)
        for i, t in enumerate(tensors)
    ]

    steps = _STEPS.setdefault(model, OrderedDict())
    key = (
        method,
        postprocessing,
        _frozen(resizing),
        _frozen(static),
        tuple(arrays),
        batched,
        tuple(signature),
    )
    if key in steps:
        steps.move_to_end(key)
        return steps[key], tensors

    reference_to_model = weakref.ref(model)  # What is kept for a model must not keep the model.

    @functools.partial(tf.function, autograph=False)  # As Keras's own predict.
    def step(inputs: tf.Tensor, *flat: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        indices = flat[0] if batched == 2 else None
        given = tf.nest.pack_sequence_as(arrays, flat[batched - 1 :])
        logits, maps = method(reference_to_model(), inputs, indices, **static, **given)
        if postprocessing is not None:
            maps = postprocessing(maps, axis=tuple(range(1, maps.shape.rank - 1)))
        if resizing is not None and resizing is not False:
            maps = _resize(maps, inputs, resizing)
        return logits, maps

    steps[key] = step.get_concrete_function(*signature)
    if len(steps) > _MOST_STEPS:
        steps.popitem(last=False)
    return steps[key], tensors


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
