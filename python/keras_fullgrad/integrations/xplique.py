"""FullGrad as an explainer of Xplique (Fel et al. 2022, arXiv:2206.04394), for its metrics and plots."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad import inspection
from keras_fullgrad.running import batches
from keras_fullgrad.shortcuts import full_gradients


class FullGrad:
    """Explains as Xplique's own explainers are called: ``FullGrad(model)(inputs, targets)``.

    Args:
        model: Any Keras model.
        output_layer: What is explained: the index or the name of a layer of a functional model. None: the
            model's output, before a softmax that ends it.
        batch_size: Images computed at a time. None: chosen by their size.
        operator: What is explained in the place of the targets' classes: one of ``keras_fullgrad.targets``,
            or a function from the model's outputs to (images,).
        **params: Further arguments of :func:`keras_fullgrad.full_gradients`.

    Attributes:
        model: The model that is explained. It may be replaced, as Xplique's randomization of models does.
        batch_size: As above.

    Raises:
        ValueError: If there is no such layer.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> FullGrad(model)(np.ones([1, 8, 8, 3]), np.array([[0.0, 1.0]])).shape
        TensorShape([1, 8, 8, 1])
    """

    def __init__(
        self,
        model: keras.Model,
        output_layer: int | str | None = None,
        batch_size: int | None = None,
        operator: Any | None = None,
        **params: Any,
    ) -> None:
        if output_layer is not None:
            (explained,) = inspection.endpoints(model, [output_layer])
            model = keras.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], explained)
        self.model = model
        self.batch_size = batch_size
        self._params: dict[str, Any] = {"verbose": 0, "target": operator} | params

    def explain(self, inputs: Any, targets: Any | None = None) -> tf.Tensor:
        """Draws the map of one class of each image.

        Args:
            inputs: The inputs, (images, space, channels), or a `tf.data.Dataset` of inputs and targets, in
                batches or one by one.
            targets: One class for each image, one-hot, (images, classes). None: each image's top class.

        Returns:
            The maps, (images, space, 1), in [0, 1] unless ``postprocessing`` says otherwise.

        Raises:
            ValueError: If targets are not one-hot or stand beside a dataset, and as
                :func:`keras_fullgrad.full_gradients`.
            TypeError: As :func:`keras_fullgrad.full_gradients`.
        """
        classes = None if targets is None or self._params["target"] is not None else _classes(targets)
        if isinstance(inputs, tf.data.Dataset):
            if targets is not None:
                raise ValueError("expected no targets beside a dataset, which holds them, got both")
            symbolic = getattr(self.model, "inputs", None)
            rank = len(symbolic[0].shape) if symbolic else None
            inputs = _batches(inputs, self.batch_size, self._params["target"] is None, rank)
        explained = full_gradients(self.model, inputs, classes, batch_size=self.batch_size, **self._params)
        return tf.constant(explained.maps)

    __call__ = explain


def _batches(
    dataset: tf.data.Dataset, batch_size: int | None, of_targets: bool, rank: int | None
) -> Iterator[tuple[Any, np.ndarray | None]]:
    """Inputs and classes; an operator explains something else than a dataset's targets."""
    element = dataset.element_spec
    if not isinstance(element, tuple) or len(element) != 2:
        raise ValueError(f"expected a dataset of inputs and targets, got one of {element}")
    one_by_one = element[1].shape.rank == 1 if rank is None else element[0].shape.rank == rank - 1
    if one_by_one:
        dataset = dataset.batch(batch_size or batches.LARGEST)
    return ((inputs, _classes(targets) if of_targets else None) for inputs, targets in dataset)


def _classes(targets: Any) -> np.ndarray | None:
    """The classes of one-hot targets. None: the only unit, which is explained as it is."""
    targets = np.asarray(targets)
    if targets.ndim != 2:
        raise ValueError(f"expected one-hot targets, (images, classes), got shape {targets.shape}")
    classes = targets.argmax(axis=-1)
    wrong = (targets != keras.utils.to_categorical(classes, targets.shape[1])).any(axis=-1)
    if wrong.any():
        raise ValueError(f"expected one-hot targets, one class for each image, got {targets[wrong][0]}")
    return None if targets.shape[1] == 1 else classes
