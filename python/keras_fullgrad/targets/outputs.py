"""Targets that choose among a model's outputs, or add them up."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad.targets.dense import in_full
from keras_fullgrad.targets.logits import Class
from keras_fullgrad.targets.target import Explained, Function, Target


@dataclasses.dataclass(frozen=True, eq=False)
class Output(Target):
    """A target of one of a model's outputs.

    Args:
        which: The output: its key in a dictionary, its index in a list, the name that Keras gives it
            (``model.output_names``), or the name of the layer that puts it out, at any depth.
        target: The target, called with that output alone. None: its top classes.

    Returns:
        Called with that output: what the target makes of it.

    Example:
        >>> scores = Output("scores", Class(1))
        >>> scores(tf.constant([[1.0, 2.0]])).numpy().tolist()
        [[2.0]]
    """

    which: str | int
    target: Any = None

    def __post_init__(self) -> None:
        inner = as_target(self.target)
        if inner.output is not None:
            raise ValueError("expected a target of one output within Output, got another Output")
        object.__setattr__(self, "target", inner)

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Computes the target of the output."""
        return self.target(outputs)

    @property
    def name(self) -> str:
        """The target's."""
        return self.target.name

    @property
    def output(self) -> str | int:
        """Which output."""
        return self.which

    @property
    def key(self) -> tuple[Any, ...]:
        """The output, and the target's key."""
        return type(self), self.which, self.target.key

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The target's."""
        return self.target.numbers

    def ranks(self, outputs: Callable[[], Any]) -> Mapping[str, int]:
        """The target's."""
        return self.target.ranks(outputs)

    def with_numbers(self, numbers: Mapping[str, Any]) -> "Target":
        """The target with other numbers."""
        return Output(self.which, self.target.with_numbers(numbers))

    def of_classes(self, classes: tf.Tensor | None) -> "Target":
        """The target of these classes."""
        return Output(self.which, self.target.of_classes(classes))

    def explain(self, outputs: Any, top: int = 1, binary: bool = False) -> Explained:
        """Computes the target of the output."""
        return self.target.explain(outputs, top, binary)


@dataclasses.dataclass(frozen=True, eq=False)
class Sum(Target):
    r"""The sum of all that a model puts out of an image.

    .. math:: s = \sum_i o_i

    Returns:
        Called with outputs, (batch, ...): the sums, (batch,).

    Example:
        >>> float(Sum()(tf.ones([1, 2, 3]))[0])
        6.0
    """

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Adds up the outputs."""
        flat = [in_full(output) for output in keras.tree.flatten(outputs) if output.dtype.is_floating]
        widest = tf.float64 if any(output.dtype == tf.float64 for output in flat) else tf.float32
        sums = [tf.reduce_sum(output, list(range(1, output.shape.rank))) for output in flat]
        return tf.add_n([tf.cast(each, widest) for each in sums])


def as_target(explained: Any) -> Target:
    """What is to be explained, as a target.

    Args:
        explained: A target, a function from outputs to (images,) or (images, K), classes, or None.

    Returns:
        The target.

    Raises:
        TypeError: If it is nothing of these.

    Example:
        >>> as_target(None), as_target(Sum()).name
        (Class(index=None), 'Sum')
    """
    if isinstance(explained, Target):
        return explained
    if isinstance(explained, (type, str)):
        raise TypeError(f"expected a target, such as ke.targets.Class(3), or a function, got {explained!r}")
    if callable(explained):
        return Function(explained)
    return Class(explained)
