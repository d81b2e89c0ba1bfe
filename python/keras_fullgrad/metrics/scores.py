"""What measures give: a figure for each image."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scores:
    """A figure for each image.

    Attributes:
        values: The figures, (images,).
    """

    values: np.ndarray

    @property
    def mean(self) -> float:
        """The mean over the images."""
        return float(self.values.mean())


@dataclasses.dataclass(frozen=True)
class Localisation(Scores):
    """How much of each map lies in its region.

    Attributes:
        values: Of each map, (images,), from 0 to 1.
        areas: The share of positions inside, (images,): what chance would give.
    """

    areas: np.ndarray

    @property
    def mean_area(self) -> float:
        """The mean share of positions."""
        return float(self.areas.mean())
