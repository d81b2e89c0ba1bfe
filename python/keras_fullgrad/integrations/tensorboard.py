"""FullGrad maps in TensorBoard, while a model is trained."""

import importlib.util
import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad import pictures
from keras_fullgrad.shortcuts import full_gradients
from keras_fullgrad.targets.classes import check_count


class FullGradTensorBoard(keras.callbacks.Callback):
    """Logs chosen images and their maps to TensorBoard while a model is trained.

    A picture shows an image and, beside it, the image under the map of each class. Maps are computed by the
    weights at the end of an epoch, and traced once.

    Args:
        log_dir: The folder of the logs, such as that of `keras.callbacks.TensorBoard`. The run is named
            ``fullgrad``.
        images: Images of one size, (images, height, width, 1 or 3), as they are shown: integers from 0 to
            255, or floats from 0 to 1.
        y: Classes: (images, K), (images,), or one for all. None: the top class of the moment.
        every: After how many epochs there are new pictures; the first is always shown.
        preprocess: What makes the model's inputs of ``images``, such as the `preprocess_input` of
            `keras.applications`. None: they are the inputs.
        tag: The pictures' name in TensorBoard.
        **params: Further arguments of :func:`keras_fullgrad.full_gradients`.

    Raises:
        ValueError: If images or classes are of another kind, or ``every`` is less than 1. What does not fit
            the model is found when training begins.
        TypeError: If classes are not integers.
        ImportError: If TensorBoard is not installed, which TensorFlow writes its summaries by.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> x, y = np.ones([4, 8, 8, 3]), np.zeros([4])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = FullGradTensorBoard(folder, x[:2], y=[0, 1])
        ...     history = model.fit(x, y, epochs=2, callbacks=[log], verbose=0)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        images: Any,
        y: Any | None = None,
        *,
        every: int = 1,
        preprocess: Callable[[np.ndarray], Any] | None = None,
        tag: str = "FullGrad",
        **params: Any,
    ) -> None:
        super().__init__()
        if importlib.util.find_spec("tensorboard") is None:
            raise ImportError("expected TensorBoard to be installed, got none: pip install tensorboard")
        if every < 1:
            raise ValueError(f"expected every to be at least 1, got {every}")
        images = np.asarray(images)
        if images.ndim != 4 or len(images) == 0:
            raise ValueError(
                f"expected images of shape (images, height, width, 1 or 3), got shape {images.shape}"
            )
        if y is not None and np.ndim(y):
            check_count(y, len(images))
        self._images = [pictures.displayable(image) for image in images]
        # A copy, since those of keras.applications write to what they are given.
        self._inputs = images if preprocess is None else preprocess(images.copy())
        self._classes = y
        self._log_dir = os.path.join(log_dir, "fullgrad")
        self._every = every
        self._tag = tag
        self._params = {"verbose": 0} | params

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens the log, and draws once what is not logged: an error shows now, not after an epoch."""
        self._draw()
        self._writer = tf.summary.create_file_writer(self._log_dir)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Logs the pictures, in the step that `keras.callbacks.TensorBoard` gives to the epoch."""
        if epoch % self._every:
            return
        drawn = self._draw()
        with self._writer.as_default(step=epoch):
            tf.summary.image(self._tag, drawn, max_outputs=len(drawn))
        self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the log."""
        self._writer.close()

    def _draw(self) -> np.ndarray:
        maps = full_gradients(self.model, self._inputs, self._classes, **self._params).maps
        return np.stack([_beside_maps(image, each) for image, each in zip(self._images, maps, strict=True)])


def _beside_maps(image: np.ndarray, maps: np.ndarray) -> np.ndarray:
    overlays = (pictures.overlay(image, maps[..., index]) for index in range(maps.shape[-1]))
    return pictures.side_by_side([image, *overlays])
