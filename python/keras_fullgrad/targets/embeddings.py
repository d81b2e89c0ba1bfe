"""Targets that compare what a model says of an image with what it said of another."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from keras_fullgrad.model.logits import single
from keras_fullgrad.targets.dense import in_full
from keras_fullgrad.targets.target import Target, each_image


@dataclasses.dataclass(frozen=True, eq=False)
class Similarity(Target):
    r"""How alike an image's embedding is to another.

    .. math:: s = \langle o, e \rangle \quad\text{or}\quad \frac{\langle o, e \rangle}{\|o\| \, \|e\|}

    The cosine does not change where the whole embedding grows: by Euler's theorem for functions homogeneous
    of degree 0, what the embedding adds to it by its gradient is nothing, and all of the value is the
    target's own, an implicit bias without a place in the map. The map still shows what turns the embedding.

    Args:
        embedding: What to compare with, of an output's shape: one for all images, or one for each.
        kind: ``"dot"`` or ``"cosine"``.

    Returns:
        Called with the embeddings, (batch, ...): the similarities, (batch,).

    Raises:
        ValueError: If the kind is unknown, or the embedding is not of the output's shape.

    Example:
        >>> output = tf.constant([[3.0, 4.0]])
        >>> [round(float(Similarity([1.0, 0.0], kind)(output)[0]), 2) for kind in ("dot", "cosine")]
        [3.0, 0.6]
    """

    embedding: Any
    kind: Literal["dot", "cosine"] = "dot"

    def __post_init__(self) -> None:
        if self.kind not in ("dot", "cosine"):
            raise ValueError(f"expected kind to be dot or cosine, got {self.kind!r}")
        if not isinstance(self.embedding, tf.Tensor):
            object.__setattr__(self, "embedding", np.asarray(self.embedding))

    @property
    def key(self) -> tuple[Any, ...]:
        """The kind."""
        return type(self), self.kind

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The embedding."""
        return {"embedding": self.embedding}

    def ranks(self, outputs: Callable[[], Any]) -> Mapping[str, int]:
        """An embedding has the output's axes."""
        return {"embedding": len(single(outputs()).shape) - 1}

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Compares the embeddings."""
        output = in_full(single(outputs))
        other = each_image(self.embedding, output.shape.rank - 1, output.dtype)
        if not other.shape[1:].is_compatible_with(output.shape[1:]):
            raise ValueError(f"expected an embedding of shape {output.shape[1:]}, got {other.shape[1:]}")
        axes = list(range(1, output.shape.rank))
        dot = tf.reduce_sum(output * other, axes)
        if self.kind == "dot":
            return dot
        squares = tf.reduce_sum(output * output, axes) * tf.reduce_sum(other * other, axes)
        return tf.math.divide_no_nan(dot, tf.sqrt(squares))
