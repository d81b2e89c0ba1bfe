"""What targets have in common, and functions as targets."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Explained(NamedTuple):
    """What is explained of a batch.

    Attributes:
        values: The scalars, (batch, K).
        classes: Which classes they are of, (batch, K). None: they are of none.
        logits: All logits, (batch, classes), of which they are some. None: likewise.
    """

    values: tf.Tensor
    classes: tf.Tensor | None = None
    logits: tf.Tensor | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """One or several scalars of each image, made of a model's outputs.

    The outputs are the model's own, in its structure, but that a softmax or sigmoid that ends one of them is
    taken off. Numbers and arrays that a target holds may be of each image: they have an axis of images first
    then, are cut as the images are, and do not cost a new trace.
    """

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Computes the scalars, (batch,) or (batch, K)."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """What a part of the logit is called that the target itself adds."""
        return type(self).__name__

    @property
    def output(self) -> str | int | None:
        """Which of the model's outputs the target is of. None: all, in their structure."""
        return None

    @property
    def key(self) -> tuple[Any, ...]:
        """What the computation depends on, besides :attr:`numbers`: all other attributes, unless told."""
        held = {name: each for name, each in vars(self).items() if name not in self.numbers}
        return type(self), type(self).__call__, held

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The numbers and arrays, by field, that are given to a trace at each call."""
        return {}

    def ranks(self, outputs: Callable[[], Any]) -> Mapping[str, int]:
        """How many axes each of the numbers has of one image, where the outputs are such.

        Args:
            outputs: Tells what the model puts out of an image.
        """
        return dict.fromkeys(self.numbers, 0)

    def with_numbers(self, numbers: Mapping[str, Any]) -> "Target":
        """The target with other numbers."""
        return dataclasses.replace(self, **numbers) if numbers else self

    def of_classes(self, classes: tf.Tensor | None) -> "Target":
        """The target of classes that were found of these images, (batch, K), where it was to find them."""
        return self

    def __str__(self) -> str:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        given = ", ".join(f"{name}={_shown(each)}" for name, each in fields.items() if each is not None)
        return f"{type(self).__name__}({given})"

    def explain(self, outputs: Any, top: int = 1, binary: bool = False) -> Explained:
        """Computes what is explained.

        Args:
            outputs: What the model put out, or the output that the target is of.
            top: How many classes, where the target is to find them.
            binary: Whether a single unit is a choice between two classes.

        Returns:
            The scalars.

        Raises:
            ValueError: If they are not of shape (batch,) or (batch, K).
        """
        values = self(outputs)
        if not isinstance(values, tf.Tensor):
            raise ValueError(f"expected target {self.name} to return a tensor, got {type(values).__name__}")
        if values.shape.rank == 1:
            values = values[:, tf.newaxis]
        if values.shape.rank != 2 or values.shape[1] is None or not values.dtype.is_floating:
            raise ValueError(
                f"expected target {self.name} to return one scalar for each image, (images,), or K of them, "
                f"(images, K), of a floating type, got {values.dtype.name} of shape {values.shape}"
            )
        return Explained(values)


@dataclasses.dataclass(frozen=True, eq=False)
class Function(Target):
    """A function of the user's own, from outputs to (images,) or (images, K)."""

    function: Callable[[Any], tf.Tensor]

    def __call__(self, outputs: Any) -> tf.Tensor:
        """Calls the function."""
        return self.function(outputs)

    @property
    def name(self) -> str:
        """The function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def key(self) -> tuple[Any, ...]:
        """The function itself."""
        return type(self), self.function


def _shown(value: Any) -> str:
    """A field in few words."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return str(value) if isinstance(value, Target) else getattr(value, "__name__", repr(value))
    return str(np.asarray(value).tolist()) if np.size(value) <= 4 else f"{tuple(shape)}"


def each_image(numbers: Any, rank: int, dtype: tf.DType | None = None) -> tf.Tensor:
    """Numbers with an axis of images, of 1 where they are the same for all.

    Args:
        numbers: The numbers.
        rank: How many axes those of one image have.
        dtype: The type to bring them to.

    Returns:
        The numbers, (batch, ...) or (1, ...).

    Raises:
        ValueError: If they have other axes.

    Example:
        >>> each_image(3, 0).shape, each_image([[1, 2], [3, 4]], 1).shape
        (TensorShape([1]), TensorShape([2, 2]))
    """
    tensor = tf.convert_to_tensor(numbers)
    tensor = tensor if dtype is None else tf.cast(tensor, dtype)
    if tensor.shape.rank == rank:
        tensor = tensor[tf.newaxis]
    if tensor.shape.rank != rank + 1:
        raise ValueError(f"expected {rank} axes, or an axis of images before them, got shape {tensor.shape}")
    return tensor


def whole_numbers(numbers: Any, what: str) -> Any:
    """Checks that numbers are whole, where they are no tensors.

    Args:
        numbers: The numbers.
        what: What they are.

    Returns:
        The same, as int64; tensors as they are.

    Raises:
        TypeError: If they are not.

    Example:
        >>> whole_numbers([1, 2], "classes").dtype.name
        'int64'
    """
    if isinstance(numbers, tf.Tensor):
        return numbers
    array = np.asarray(numbers)
    if array.dtype.kind not in "iu" and not (array.dtype.kind == "f" and (array == np.round(array)).all()):
        raise TypeError(f"expected {what} to be whole numbers, got {array.dtype.name}")
    if array.size and array.min() < 0:
        raise ValueError(f"expected {what} of 0 or more, got {array.min()}")
    return array.astype(np.int64)
