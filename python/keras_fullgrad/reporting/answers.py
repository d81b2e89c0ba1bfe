"""What a model says of images: all logits, and the probabilities that it makes of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.model.logits import for_each_image, single
from keras_fullgrad.running import batches, traces


class Answers(NamedTuple):
    """What a model says.

    Attributes:
        logits: The logits of all classes, (images, classes).
        probabilities: The probabilities of all classes, likewise. None: the model puts out none.
        binary: Whether it is one unit, which a sigmoid makes a choice between two classes.
    """

    logits: np.ndarray
    probabilities: np.ndarray | None = None
    binary: bool = False

    def of_both_classes(self) -> "Answers":
        """Of a binary model both classes: 1 is the unit, 0 its negative; of others what they are."""
        if not self.binary:
            return self
        assert self.probabilities is not None
        logits = np.concatenate([-self.logits, self.logits], axis=1)
        return Answers(logits, np.concatenate([1 - self.probabilities, self.probabilities], axis=1))


def answers(model: keras.Model, x: np.ndarray, batch_size: int) -> Answers:
    """Asks a model about images.

    Probabilities are what the model itself puts out, where a softmax or a sigmoid is taken off to explain
    the logits before it. Of other outputs nobody knows that they are logits of probabilities.

    Args:
        model: The model.
        x: Its inputs, (images, height, width, channels).
        batch_size: Images computed at a time.

    Returns:
        What it says.

    Raises:
        ValueError: If the outputs are not of shape (images, classes), or a logit is not finite.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Flatten(),
        ...                           keras.layers.Dense(2, activation="softmax")])
        >>> said = answers(model, np.ones([3, 8, 8, 3]), batch_size=2)
        >>> said.logits.shape, said.probabilities.sum(axis=1).round(3).tolist()
        ((3, 2), [1.0, 1.0, 1.0])
    """
    said = list(_pieces(model, x, batch_size))
    logits = np.concatenate([piece["logits"] for piece in said])
    if not np.isfinite(logits).all():
        raise ValueError("expected finite logits, got NaN or infinity")
    told = "probabilities" in said[0]
    probabilities = np.concatenate([piece["probabilities"] for piece in said]) if told else None
    return Answers(logits, probabilities, bool(told and logits.shape[1] == 1))


def _pieces(model: keras.Model, x: np.ndarray, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
    info, data = batches.for_model(model, x, batch_size=batch_size)
    for inputs, _ in data.batches:
        yield from traces.traced(info, _said, "answers", inputs).results()


def _said(model: keras.Model, inputs: Any, _: Any) -> dict[str, tf.Tensor]:
    """Logits and probabilities. Traced: in eager execution a softmax that is an operation is not seen."""
    heard = expose_logits(model).signals(inputs)
    logits = for_each_image(single(heard.outputs))
    found = {"logits": tf.cast(logits, tf.float32)}
    (activation,) = heard.activations
    # Of one unit a softmax says 1, whatever it is.
    if activation == "sigmoid" or (activation is not None and logits.shape[-1] != 1):
        probabilities = tf.cast(for_each_image(single(heard.said)), tf.float32)
        found["probabilities"] = tf.exp(probabilities) if activation == "log_softmax" else probabilities
    return found
