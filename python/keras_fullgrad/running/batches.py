"""Cuts data of every kind that Keras takes into batches of inputs and classes."""

import concurrent.futures
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.model import calling
from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.model.info import ModelInfo, read_model
from keras_fullgrad.model.logits import for_each_image
from keras_fullgrad.running import checks, kinds, memory
from keras_fullgrad.targets import classes, rows
from keras_fullgrad.targets.classes import Labels
from keras_fullgrad.targets.logits import Class
from keras_fullgrad.targets.outputs import as_target
from keras_fullgrad.targets.rows import Fitted, Wanted
from keras_fullgrad.targets.target import Target

Batch = tuple[Any, Wanted]
"""Inputs, and what is explained of them."""

POSITIONS = 2**20
"""Without a batch size, about as many positions go into a batch: 4 images of 512x512, 20 of 224x224."""

LARGEST = 32

_BYTES = 2**13
"""About what a position of an image takes, with the signals and the gradients of a large net."""


@dataclasses.dataclass(frozen=True)
class Batches:
    """Batches of inputs and classes.

    Attributes:
        batches: Yields inputs and classes, or inputs and None.
        images: How many images there are, where that is known.
        steps: How many batches there are, where that is known.
    """

    batches: Iterator[Batch]
    images: int | None
    steps: int | None


def cut(
    x: Any,
    y: Any | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
    several: bool = False,
    devices: int = 1,
    labels: Labels = True,
    count: Callable[[Any], int | None] = lambda _: None,
) -> Batches:
    """Cuts data into batches.

    Args:
        x: An array, a tensor, a `tf.data.Dataset`, a Keras `PyDataset`, or an iterable; the latter
            three yield batches of inputs, or tuples of inputs and classes. A dictionary of arrays, or,
            with ``several``, a list or a tuple of them, holds several inputs.
        y: Classes for an array or a tensor: (images, K), (images,), one class for all, or None; or a target
            with numbers for each image.
        batch_size: The images in a batch. None: :func:`default_size` for arrays, and the batches as they
            come for the rest.
        steps: At most as many batches.
        several: Whether a list or a tuple of arrays holds several inputs, not several images.
        devices: How many share a batch: where nobody asked for a size, there is as much for each.
        labels: The names of the classes, where they are given by name. False: those that data of batches
            holds are not looked at.
        count: Tells how many classes there are, from some inputs; asked where labels may be one-hot.

    Returns:
        The batches.

    Raises:
        ValueError: If there is no image, inputs, classes and images are not as many, or a size is
            not positive.
        TypeError: If the data is of another kind, or classes are not integers.

    Example:
        >>> [inputs.shape[0] for inputs, _ in cut(np.zeros([5, 8, 8, 3]), batch_size=2).batches]
        [2, 2, 1]
    """
    for name, value in (("batch_size", batch_size), ("steps", steps)):
        if value is not None and value < 1:
            raise ValueError(f"expected {name} to be at least 1, got {value}")
    if isinstance(x, (list, tuple)) and not several:
        x = np.asarray(x)
    kinds.check(x)
    if kinds.is_stream(x):
        if y is not None:
            raise ValueError(f"expected no y beside a {type(x).__name__}: its batches hold the classes")
        return _cut_stream(x, batch_size, steps, several, labels, count)

    images = _count_images(x)
    if not isinstance(y, Target):
        y = classes.as_classes(y, images, labels, functools.partial(count, x))
    return _cut_arrays(x, y, images, batch_size, steps, devices)


def _count_images(x: Any) -> int:
    arrays = keras.tree.flatten(x)
    shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
    counts = {0 if len(array.shape) == 0 else int(array.shape[0]) for array in arrays}
    if len(counts) > 1:
        raise ValueError(f"expected as many images in each input, got inputs of shapes {shapes}")
    (images,) = counts
    if images == 0:
        raise ValueError(f"expected at least one image, got inputs of shape {shapes}")
    return images


def _cut_arrays(
    x: Any, y: Wanted, images: int, batch_size: int | None, steps: int | None = None, devices: int = 1
) -> Batches:
    size = batch_size or devices * min(default_size(array.shape) for array in keras.tree.flatten(x))
    count = -(-images // size)
    if steps is not None and steps < count:
        count, images = steps, steps * size

    def piece(index: int) -> Batch:
        which = slice(index * size, (index + 1) * size)
        inputs = keras.tree.map_structure(lambda array: kinds.as_array(array[which]), x)
        return inputs, rows.rows(y, which)

    return Batches(map(piece, range(count)), images, count)


def for_model(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
    *,
    target: Any | None = None,
    labels: Labels = True,
) -> tuple[ModelInfo, Batches]:
    """Reads what a model is, and cuts data into batches as it takes them: checked, as tensors of its types.

    A model without weights is built here, in the caller's thread and `tf.distribute` scope, on the first
    batch.

    Args:
        model: The model.
        x: The data; see :func:`cut`. Several inputs are a dictionary, or a list or a tuple where the
            model says that it takes several.
        y: The classes; see :func:`cut`.
        batch_size: The images in a batch.
        steps: At most as many batches.
        target: What to explain in the place of classes: a target or a function of the outputs.
        labels: See :func:`cut`.

    Returns:
        What the model is, and the batches. What does not fit the model is found when its batch is due.

    Raises:
        ValueError: As :func:`cut`, and if shapes, classes or the target do not fit the model, both are given,
            or within a `tf.function`.
        TypeError: As :func:`cut`, and if the model is none of Keras 3.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
        >>> info, data = for_model(model, np.ones([3, 4]))
        >>> info.classes, [inputs.dtype.name for inputs, _ in data.batches]
        (2, ['float32'])
    """
    if not tf.executing_eagerly():
        raise ValueError(
            "expected a call outside of tf.function, which has data and returns arrays: in a function of "
            "your own call one of keras_fullgrad.methods, as methods.gradient.full_gradients(model, inputs, "
            "indices), tensors in, tensors out"
        )
    if target is not None and y is not None:
        raise ValueError("expected y or target, got both: y is short for target=ke.targets.Class(y)")
    wanted = None if target is None else as_target(target)
    streamed = not isinstance(x, (list, tuple)) and kinds.is_stream(x)
    if isinstance(wanted, Class) and (wanted.index is None or not streamed):
        # Lists of classes, and no labels that may be one-hot.
        y, wanted = None if wanted.index is None else np.asarray(wanted.index).tolist(), None
    info = read_model(model)
    devices = info.strategy.num_replicas_in_sync
    of_data = labels if target is None else False
    known: list[int | None] = []

    def count(x: Any) -> int | None:
        if not known:  # Of a data set's batches it is asked again and again.
            known.append(count_classes(model, x))
        return known[0]

    data = cut(x, y, batch_size, steps, info.takes_several(x), devices, of_data, count)
    if not info.own.built:
        first = next(data.batches, None)
        if first is not None:
            inputs = checks.checked(info, first)[0]
            calling.call(info.own, keras.tree.map_structure(lambda x: x[:1], inputs))
            data = dataclasses.replace(data, batches=itertools.chain([first], data.batches))
        info = read_model(model)
    output = None if wanted is None else wanted.output
    batches: Iterator[Batch] = (checks.checked(info, batch, output) for batch in data.batches)
    if wanted is not None:
        # Of fewer steps than there are batches numbers are left over.
        batches = _with_target(info, batches, wanted, data.images if steps is None else None)
    return info, dataclasses.replace(data, batches=batches)


def count_classes(model: keras.Model, x: Any) -> int | None:
    """How many classes a model has; where it does not say, it is called on the first image.

    Args:
        model: The model.
        x: Some inputs.

    Returns:
        The number. None: it has several outputs.

    Example:
        >>> count_classes(keras.Sequential([keras.layers.Dense(2)]), np.ones([3, 4]))
        2
    """
    info = read_model(model)
    if info.classes is not None:
        return info.classes
    first = checks.as_tensors(info, keras.tree.map_structure(lambda array: kinds.as_array(array[:1]), x))
    if not info.own.built:
        calling.call(info.own, first)
    outputs = keras.tree.flatten(expose_logits(info.model).signals(first).outputs)
    return None if len(outputs) != 1 else for_each_image(outputs[0]).shape[-1]


def _with_target(
    info: ModelInfo, batches: Iterator[Batch], target: Target, images: int | None
) -> Iterator[Batch]:
    """Batches with a target's numbers of their images; the first image tells what the model puts out."""
    of_images: Fitted | None = None
    start = 0
    for inputs, _ in batches:
        of_images = fitted(info, target, inputs, images) if of_images is None else of_images
        count = len(keras.tree.flatten(inputs)[0])
        yield inputs, of_images.rows(start, count)
        start += count


def fitted(info: ModelInfo, target: Target, inputs: Any, images: int | None) -> Fitted:
    """Brings a target's numbers to images.

    Args:
        info: The model, built.
        target: The target.
        inputs: A batch of inputs, tensors; the first image tells what the model puts out.
        images: How many images there are, where that is known.

    Returns:
        The target, to be cut as images are.

    Raises:
        ValueError: If there are not as many numbers as images, or the target does not fit the outputs.

    Example:
        >>> from keras_fullgrad.targets import Similarity
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
        >>> of_three = fitted(read_model(model), Similarity(np.ones([3, 2])), tf.ones([3, 4]), 3)
        >>> of_three.rows(1, 2).embedding.shape
        (2, 2)
    """

    def outputs() -> Any:
        first = keras.tree.map_structure(lambda x: x[:1], inputs)
        return expose_logits(info.model).signals(first, output=target.output).outputs

    return Fitted.to(target, outputs, images)


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Reads and converts the next batch, in a thread of its own, while this one is computed.

    Args:
        batches: The batches.

    Yields:
        The batches. An error in reading one is raised where that batch is due.

    Example:
        >>> [inputs.shape for inputs, _ in ahead(cut(np.zeros([3, 8, 8, 3]), batch_size=2).batches)]
        [(2, 8, 8, 3), (1, 8, 8, 3)]
    """
    reader = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="keras_fullgrad")
    try:
        upcoming = reader.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = reader.submit(next, batches, None)
            yield batch
    finally:
        reader.shutdown(wait=False, cancel_futures=True)


def default_size(shape: tuple[int, ...]) -> int:
    """The images in a batch where nobody chose; it follows from their shape and the machine's memory alone.

    About :data:`POSITIONS` positions, or what a large net fits into half of the memory, and :data:`LARGEST`
    images at most.

    Args:
        shape: The shape of all images, (images, ...).

    Returns:
        How many at a time.

    Example:
        >>> default_size((1000, 1, 1, 3))
        32
    """
    per_image = int(np.prod(shape[1:-1])) or 1
    positions = min(POSITIONS, memory.total_memory() // 2 // _BYTES)
    return max(1, min(LARGEST, positions // per_image))


def _cut_stream(
    data: Any,
    batch_size: int | None,
    steps: int | None,
    several: bool,
    labels: Labels,
    count_classes: Callable[[Any], int | None],
) -> Batches:
    count: int | None
    if isinstance(data, keras.utils.PyDataset):
        count = data.num_batches
        stream: Iterable[Any] = itertools.islice(iter(data), count)
    elif isinstance(data, tf.data.Dataset):
        count, stream = int(data.cardinality()), data
        if count == 0:
            raise ValueError("expected at least one batch, got an empty dataset")
        count = count if count > 0 else None
    elif isinstance(data, Iterable):
        count, stream = None, data
    else:
        raise TypeError(
            "expected x to be an array, a tensor, a tf.data.Dataset, a keras PyDataset or an iterable "
            f"of batches, got {type(data).__name__}"
        )

    def batches() -> Iterator[Batch]:
        for element in stream:
            x, y = element[:2] if isinstance(element, tuple) and len(element) > 1 else (element, None)
            if isinstance(x, tuple) and not several:
                (x,) = x
            x = np.asarray(x) if isinstance(x, list) and not several else x
            kinds.check(x)
            images = _count_images(x)
            y = None if labels is False else y
            if not isinstance(y, Target):
                try:
                    y = classes.as_classes(y, images, labels, functools.partial(count_classes, x))
                except (TypeError, ValueError) as error:
                    message = f"{error}; labels=False leaves the labels of the data out of account"
                    raise type(error)(message) from error
            yield from _cut_arrays(x, y, images, batch_size or images).batches

    known = None if batch_size is not None else count
    if steps is None:
        return Batches(batches(), None, known)
    return Batches(itertools.islice(batches(), steps), None, steps)
