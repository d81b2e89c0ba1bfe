"""What is explained of some of many images: classes and targets are cut as the images are."""

import dataclasses
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_fullgrad.targets.state import state
from keras_fullgrad.targets.target import Target

Wanted = np.ndarray | Target | None
"""Classes, (images, K); a target; or None, for each image's top class."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A target whose numbers all have an axis of images, of 1 where they are the same for all."""

    target: Target
    images: int | None

    @classmethod
    def to(cls, target: Target, outputs: Callable[[], Any], images: int | None = None) -> "Fitted":
        """Brings a target's numbers to images.

        Args:
            target: The target.
            outputs: Tells what the model puts out of an image; asked where the numbers' axes follow from it.
            images: How many images there are, where that is known.

        Returns:
            The target, fitted.

        Raises:
            ValueError: If there are not as many numbers as images.
        """
        numbers = {name: np.asarray(each) for name, each in target.numbers.items()}
        if not numbers:
            return cls(target, images)
        ranks = target.ranks(outputs)
        for name, each in numbers.items():
            if each.ndim == ranks[name]:
                numbers[name] = each = each[np.newaxis]
            if each.ndim != ranks[name] + 1:
                raise ValueError(
                    f"expected {name} of target {target.name} to have {ranks[name]} axes, or an axis of "
                    f"images before them, got shape {each.shape}"
                )
            if images is not None and len(each) not in (1, images):
                raise ValueError(
                    f"expected {name} of target {target.name} for all or for each of {images} images, got "
                    f"{len(each)}"
                )
        return cls(target.with_numbers(numbers), images)

    def rows(self, start: int, count: int) -> Target:
        """The target of some images.

        Args:
            start: The first.
            count: How many.

        Returns:
            The target, with numbers for each of them.

        Raises:
            ValueError: If there are not so many.
        """
        numbers = {}
        for name, each in self.target.numbers.items():
            if len(each) == 1 and self.images != 1:
                numbers[name] = np.broadcast_to(each, [count, *each.shape[1:]])
                continue
            numbers[name] = each[start : start + count]
            if len(numbers[name]) != count:
                raise ValueError(
                    f"expected {name} of target {self.target.name} for each image, got {len(each)} and at "
                    f"least {start + count} images"
                )
        return self.target.with_numbers(numbers)


def rows(wanted: Wanted, which: slice) -> Wanted:
    """What is explained of some images of a batch.

    Args:
        wanted: What is explained of the batch; a target has numbers for each image.
        which: The images.

    Returns:
        That of these images.

    Example:
        >>> rows(np.array([[1], [2]]), slice(0, 1)).tolist()
        [[1]]
    """
    if wanted is None or isinstance(wanted, np.ndarray):
        return None if wanted is None else wanted[which]
    return wanted.with_numbers({name: each[which] for name, each in wanted.numbers.items()})


class Parts(NamedTuple):
    """What is explained, taken apart for a trace.

    Attributes:
        tensors: What is given to the trace at each call, with an axis of images first.
        whole: From tensors in the place of these to what is explained.
    """

    tensors: list[tf.Tensor]
    whole: Callable[[list[tf.Tensor]], Any]


def parts(wanted: Wanted) -> Parts:
    """Takes apart what is explained.

    Args:
        wanted: What is explained of a batch.

    Returns:
        Its parts.

    Example:
        >>> parts(np.array([[1], [2]])).tensors[0].shape
        TensorShape([2, 1])
    """
    if wanted is None:
        return Parts([], lambda _: None)
    if not isinstance(wanted, Target):
        return Parts([tf.convert_to_tensor(wanted)], lambda tensors: tensors[0])
    names = tuple(wanted.numbers)
    # What is kept must not keep the numbers.
    bare = wanted.with_numbers({name: each[:0] for name, each in wanted.numbers.items()})
    tensors = [tf.convert_to_tensor(wanted.numbers[name]) for name in names]
    return Parts(tensors, lambda given: bare.with_numbers(dict(zip(names, given, strict=True))))


def key(wanted: Wanted) -> Hashable:
    """What a trace depends on besides the tensors that it is given.

    Args:
        wanted: What is explained of a batch.

    Returns:
        Something to compare.

    Example:
        >>> key(np.array([[1]])) == key(np.array([[2]]))
        True
    """
    if isinstance(wanted, Target):
        return state(wanted.key)
    return None if wanted is None else "classes"
