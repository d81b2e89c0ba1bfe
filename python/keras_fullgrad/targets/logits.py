"""Targets that are logits of classes, or differences of them."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import tensorflow as tf

from keras_fullgrad.model.logits import for_each_image, single
from keras_fullgrad.targets.classes import gather, top_classes
from keras_fullgrad.targets.target import Explained, Target, each_image, whole_numbers


@dataclasses.dataclass(frozen=True, eq=False)
class Class(Target):
    r"""The logit of a class, or of several: what ``y=`` is short for.

    .. math:: s = o_c

    Args:
        index: The class: one for all images, (images,), or (images, K). None: each image's top class, or
            ``top`` of them.

    Returns:
        Called with the logits, (batch, classes): those of the classes, (batch, K).

    Raises:
        TypeError: If classes are not whole numbers.
        ValueError: If a class is negative, or the outputs are no logits of classes.

    Example:
        >>> Class([0, 1])(tf.constant([[1.0, 2.0], [3.0, 4.0]])).numpy().tolist()
        [[1.0], [4.0]]
    """

    index: Any = None

    def __post_init__(self) -> None:
        if self.index is not None:
            object.__setattr__(self, "index", whole_numbers(self.index, "index"))

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Takes the logits of the classes."""
        return self.explain(outputs).values

    @property
    def key(self) -> tuple[type, bool]:
        """Whether it is to find the classes."""
        return type(self), self.index is None

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The classes."""
        return {} if self.index is None else {"index": self.index}

    def ranks(self, outputs: Callable[[], Any]) -> Mapping[str, int]:
        """Of each image K classes, or one."""
        return dict.fromkeys(self.numbers, 1 if len(self.index.shape) > 1 else 0)

    def of_classes(self, classes: tf.Tensor | None) -> "Target":
        """The logits of these classes."""
        return self if classes is None else Class(classes)

    def explain(self, outputs: Any, top: int = 1, binary: bool = False) -> Explained:
        """Takes the logits, and tells which they are.

        Of a single unit behind a sigmoid there are two: 1 is the unit, 0 its negative.
        """
        logits = for_each_image(single(outputs))
        both = tf.concat([-logits, logits], axis=-1) if binary and logits.shape[-1] == 1 else logits
        if self.index is None:
            classes = top_classes(logits, top)
            classes = classes if both is logits else tf.ones_like(classes)
        else:
            classes = tf.convert_to_tensor(self.index)
            classes = each_image(classes, 1 if classes.shape.rank == 2 else 0)
            classes = classes if classes.shape.rank == 2 else classes[:, tf.newaxis]
        if classes.shape[-1] is None:
            raise ValueError(f"expected indices of a known number of classes, got shape {classes.shape}")
        return Explained(gather(both, classes), classes, logits)


@dataclasses.dataclass(frozen=True, eq=False)
class Contrast(Target):
    r"""Why one class rather than another: the difference of two logits.

    .. math:: s = o_a - o_b

    Args:
        a: The class: one for all images, or (images,). None: each image's top class.
        b: The class to subtract, likewise; ``"runner-up"``: the highest of the others; None: the mean of
            all others.

    Returns:
        Called with the logits, (batch, classes): the differences, (batch,).

    Raises:
        TypeError: If classes are not whole numbers.
        ValueError: If a class is negative, ``b`` is another word, or the outputs are no logits of classes.

    Example:
        >>> logits = tf.constant([[1.0, 5.0, 3.0]])
        >>> [float(Contrast(1, b)(logits)[0]) for b in (0, "runner-up", None)]
        [4.0, 2.0, 3.0]
    """

    a: Any = None
    b: Any | Literal["runner-up"] = None

    def __post_init__(self) -> None:
        if isinstance(self.b, str) and self.b != "runner-up":
            raise ValueError(f"expected b to be a class, 'runner-up' or None, got {self.b!r}")
        for name, numbers in self.numbers.items():
            object.__setattr__(self, name, whole_numbers(numbers, name))

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Subtracts one logit from the other."""
        return self.explain(outputs).values[:, 0]

    @property
    def key(self) -> tuple[type, bool, str]:
        """Which classes it is to find."""
        return type(self), self.a is None, self.b if isinstance(self.b, str) else type(self.b).__name__

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The classes."""
        given = {"a": self.a, "b": self.b}
        return {name: each for name, each in given.items() if not (each is None or isinstance(each, str))}

    def of_classes(self, classes: tf.Tensor | None) -> "Target":
        """The same, of these classes."""
        return self if classes is None or self.a is not None else Contrast(classes[:, 0], self.b)

    def explain(self, outputs: Any, top: int = 1, binary: bool = False) -> Explained:
        """Subtracts one logit from the other, and tells of which class the first is."""
        logits = for_each_image(single(outputs))
        if logits.shape[-1] == 1:
            raise ValueError("expected logits of several classes for Contrast, got those of one")
        classes = top_classes(logits) if self.a is None else _each_class(self.a, logits)
        first = gather(logits, classes)
        if self.b is None:
            count = tf.cast(tf.shape(logits)[-1], logits.dtype)
            others = (tf.reduce_sum(logits, axis=-1, keepdims=True) - first) / (count - 1)
        elif isinstance(self.b, str):
            taken = tf.one_hot(classes[:, 0], tf.shape(logits)[-1], on_value=True, off_value=False)
            left = tf.where(taken, tf.constant(logits.dtype.min, logits.dtype), logits)
            others = gather(logits, top_classes(left))
        else:
            others = gather(logits, _each_class(self.b, logits))
        return Explained(first - others, classes, None)


def _each_class(numbers: Any, logits: tf.Tensor) -> tf.Tensor:
    classes = each_image(numbers, 0)[:, tf.newaxis]
    return tf.broadcast_to(classes, [tf.shape(logits)[0], 1])
