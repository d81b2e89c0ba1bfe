"""Cuts data of every kind that Keras takes into batches of inputs and classes."""

import concurrent.futures
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad import inspection, replicas

Batch = tuple[Any, Any | None]

POSITIONS = 2**20
"""Without a batch size, about as many positions go into a batch: 4 images of 512x512, 20 of 224x224."""

LARGEST = 32


class Batches(NamedTuple):
    """Batches of inputs and classes.

    Attributes:
        batches: Yields inputs and classes, or inputs and None.
        images: How many images there are, where that is known.
        steps: How many batches there are, where that is known.
        chosen: The images in a batch, where nobody asked for a size.
    """

    batches: Iterator[Batch]
    images: int | None
    steps: int | None
    chosen: int | None = None


def cut(
    x: Any,
    y: Any | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
    several: bool = False,
    devices: int = 1,
) -> Batches:
    """Cuts data into batches.

    Args:
        x: An array, a tensor, a `tf.data.Dataset`, a Keras `PyDataset`, or an iterable; the latter
            three yield batches of inputs, or tuples of inputs and classes. A dictionary of arrays, or,
            with ``several``, a list or a tuple of them, holds several inputs.
        y: Classes for an array or a tensor: (images, K), (images,), one class for all, or None.
        batch_size: The images in a batch. None: as many as have about :data:`POSITIONS` positions
            for arrays, and the batches as they come for the rest.
        steps: At most as many batches.
        several: Whether a list or a tuple of arrays holds several inputs, not several images.
        devices: How many share a batch: where nobody asked for a size, there is as much for each.

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
    arrays = keras.tree.flatten(x)
    if not all(isinstance(array, (np.ndarray, tf.Tensor)) for array in arrays):
        if y is not None:
            raise ValueError(f"expected no y beside a {type(x).__name__}: its batches hold the classes")
        return _cut_stream(x, batch_size, steps, several)

    shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
    counts = {0 if len(array.shape) == 0 else int(array.shape[0]) for array in arrays}
    if len(counts) > 1:
        raise ValueError(f"expected as many images in each input, got inputs of shapes {shapes}")
    (images,) = counts
    if images == 0:
        raise ValueError(f"expected at least one image, got inputs of shape {shapes}")
    chosen = None
    if batch_size is None:
        batch_size = chosen = devices * min(default_size(array.shape) for array in arrays)
    y = classes(y, images)
    count = -(-images // batch_size)
    if steps is not None and steps < count:
        count, images = steps, steps * batch_size

    def piece(index: int) -> Batch:
        rows = slice(index * batch_size, (index + 1) * batch_size)
        inputs = keras.tree.map_structure(lambda array: array[rows], x)
        return inputs, None if y is None else y[rows]

    return Batches(map(piece, range(count)), images, count, chosen)


def for_model(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    batch_size: int | None = None,
    steps: int | None = None,
) -> Batches:
    """Cuts data into batches as a model takes them: checked, and as tensors of its types.

    Args:
        model: The model; it gets its weights where it has none yet.
        x: The data; see :func:`cut`. Several inputs are a dictionary, or a list or a tuple where the
            model says that it takes several.
        y: The classes; see :func:`cut`.
        batch_size: The images in a batch.
        steps: At most as many batches.

    Returns:
        The batches. What does not fit the model is found when its batch is due.

    Raises:
        ValueError: As :func:`cut`, and if shapes or classes do not fit the model.
        TypeError: As :func:`cut`, and if the model is none of Keras 3.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
        >>> [inputs.dtype.name for inputs, _ in for_model(model, np.ones([3, 4])).batches]
        ['float32']
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"expected a Keras 3 model, got {type(model).__module__}.{type(model).__qualname__}")
    devices = replicas.strategy_of(model).num_replicas_in_sync
    data = cut(x, y, batch_size, steps, _takes_several(model, x), devices)

    def prepare(batch: Batch) -> Batch:
        inputs, classes = batch
        inputs = _as_tensors(model, inputs)
        _check_shape(model, inputs)
        _build(model, inputs)
        _check_classes(model, classes)
        return inputs, classes

    return data._replace(batches=map(prepare, data.batches))


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
    """The images in a batch where nobody chose: about :data:`POSITIONS` positions, 32 images at most."""
    per_image = int(np.prod(shape[1:-1])) or 1
    return max(1, min(LARGEST, POSITIONS // per_image))


def classes(y: Any | None, images: int) -> np.ndarray | None:
    """Brings classes to the shape (images, K), and checks them.

    Args:
        y: Classes: (images, K), (images,), one for all images, or None.
        images: How many images there are.

    Returns:
        The classes, or None.

    Raises:
        ValueError: If classes and images are not as many, or a class is negative.
        TypeError: If classes are not integers.

    Example:
        >>> classes(3, images=2).tolist()
        [[3], [3]]
    """
    if y is None:
        return None
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        raise TypeError(f"expected y to hold classes as integers, got {y.dtype.name}")
    if y.ndim == 0:
        y = np.full([images], y)
    if y.ndim == 1:
        y = y[:, np.newaxis]
    if y.ndim != 2 or len(y) != images or y.shape[1] == 0:
        raise ValueError(f"expected y of shape ({images}, K) for {images} images, got {y.shape}")
    if y.min() < 0:
        raise ValueError(f"expected classes of 0 or more in y, got {y.min()}")
    return y.astype(np.int64)


def _cut_stream(data: Any, batch_size: int | None, steps: int | None, several: bool) -> Batches:
    count: int | None
    if isinstance(data, keras.utils.PyDataset):
        count = data.num_batches
        stream: Iterable[Any] = map(data.__getitem__, range(len(data)))
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
            images = max((len(array) for array in keras.tree.flatten(x)), default=0)
            yield from cut(x, y, batch_size or max(1, images), several=several).batches

    known = None if batch_size is not None else count
    if steps is None:
        return Batches(batches(), None, known)
    return Batches(itertools.islice(batches(), steps), None, steps)


def _takes_several(model: keras.Model, x: Any) -> bool:
    """Whether a tuple or list of arrays is a set of inputs. A model without symbolic inputs cannot tell."""
    symbolic = getattr(model, "inputs", None)
    return len(symbolic) > 1 if symbolic else isinstance(x, tuple)


def _as_tensors(model: keras.Model, inputs: Any) -> Any:
    """Tensors of the types that the model takes, so that data of any type can be given."""
    symbolic = getattr(model, "inputs", None) or []
    types = [tensor.dtype for tensor in symbolic]
    if isinstance(inputs, dict):
        types_of = {tensor.name: tensor.dtype for tensor in symbolic}
        types = [types_of.get(name, model.variable_dtype) for name in sorted(inputs)]
    flat = keras.tree.flatten(inputs)
    if len(flat) == 1:
        # A single input is what the map is drawn over: there is no gradient of an integer.
        types = [t if "float" in t else keras.config.floatx() for t in types or [model.variable_dtype]]
    types = types if len(types) == len(flat) else [model.variable_dtype] * len(flat)
    flat = [tf.cast(tf.convert_to_tensor(x), t) for x, t in zip(flat, types, strict=True)]
    return keras.tree.pack_sequence_as(inputs, flat)


def _build(model: keras.Model, inputs: Any) -> None:
    """Creates the weights of a model that never saw an input, which a traced function could not."""
    inner = model.model if isinstance(model, inspection.ExposedModel) else model
    if not inner.built:
        inner(keras.tree.map_structure(lambda x: x[:1], inputs), training=False)


def _check_shape(model: keras.Model, inputs: Any) -> None:
    symbolic = getattr(model, "inputs", None)
    if not symbolic or isinstance(inputs, dict):
        return
    channel_axis = 1 if inspection.data_layout(model) == "channels_first" else -1
    given = keras.tree.flatten(inputs)
    if len(given) != len(symbolic):
        raise ValueError(f"expected {len(symbolic)} inputs, got {len(given)}")
    for tensor, x in zip(symbolic, given, strict=True):
        expected, shape = tensor.shape, tuple(x.shape)
        if len(expected) != len(shape) or expected[channel_axis] not in (None, shape[channel_axis]):
            raise ValueError(
                f"expected inputs of shape {expected}, of any size where the model takes any, got {shape}"
            )


def _check_classes(model: keras.Model, classes: np.ndarray | None) -> None:
    known = inspection.count_classes(model)
    if classes is not None and known is not None and classes.max() >= known:
        raise ValueError(f"expected classes from 0 to {known - 1} in y, got {classes.max()}")
