"""What comes of images: maps, and reasons why there are none."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_fullgrad.reporting.numbers import percent
from keras_fullgrad_cli.folder import Entry
from keras_fullgrad_cli.sources import Source


class Result(NamedTuple):
    """A map, and what it explains.

    Attributes:
        entry: The image.
        file: Its file, or what that holds.
        map: The map of what the net saw, (height, width, K).
        classes: The classes that were explained, K.
        labels: Their names.
        logits: Their logits.
        probability: What the model makes of the logits, K. None: it does not end in a softmax or sigmoid.
    """

    entry: Entry
    file: str | bytes
    map: np.ndarray
    classes: list[int]
    labels: list[str]
    logits: list[float]
    probability: list[float] | None

    @property
    def captions(self) -> list[tuple[str, str]]:
        """What is written above the picture of each map."""
        return captions(self.labels, self.logits, self.probability)

    @property
    def record(self) -> dict[str, Any]:
        """What the index says of the image."""
        found = ("classes", "labels", "logits", "probability")
        return (
            self.entry.source._asdict()
            | self.entry.place._asdict()
            | {name: getattr(self, name) for name in found}
        )


class Outcome(NamedTuple):
    """What came of some images.

    Attributes:
        records: What the index is to say of those whose maps are written.
        unreadable: The others, and why.
    """

    records: list[dict[str, Any]]
    unreadable: list[tuple[Source, str]]


def captions(
    labels: Sequence[str], logits: Sequence[float], probability: Sequence[float] | None
) -> list[tuple[str, str]]:
    """Names each class, and says how sure the model is of it, or how high the logit is."""
    if probability is None:
        values = [f"logit {logit:.3g}" for logit in logits]
    else:
        values = [percent(share) for share in probability]
    names = [f"class {label}" if label.isdecimal() else label for label in labels]
    return list(zip(names, values, strict=True))
