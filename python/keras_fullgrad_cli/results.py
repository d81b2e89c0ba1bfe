"""What comes of images: maps, and reasons why there are none."""

from typing import Any, NamedTuple

import numpy as np

from keras_fullgrad_cli.folder import Entry
from keras_fullgrad_cli.images import Source


class Result(NamedTuple):
    """A map, and what it explains.

    Attributes:
        entry: The image.
        pixels: What it shows, (height, width, channels), uint8.
        map: The map, (height, width, K).
        classes: The classes that were explained, K.
        labels: Their names.
        logits: Their logits.
    """

    entry: Entry
    pixels: np.ndarray
    map: np.ndarray
    classes: list[int]
    labels: list[str]
    logits: list[float]

    @property
    def record(self) -> dict[str, Any]:
        """What the index says of the image."""
        results = {"classes": self.classes, "labels": self.labels, "logits": self.logits}
        return self.entry.source._asdict() | self.entry.place._asdict() | results


class Outcome(NamedTuple):
    """What came of some images.

    Attributes:
        records: What the index is to say of those whose maps are written.
        unreadable: The others, and why.
    """

    records: list[dict[str, Any]]
    unreadable: list[tuple[Source, str]]
