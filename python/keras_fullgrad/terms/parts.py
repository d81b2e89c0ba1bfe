"""What inputs and layers add to logits."""

import dataclasses
import sys

import numpy as np

from keras_fullgrad.terms import table


@dataclasses.dataclass(frozen=True)
class Part:
    """What an input, or one layer, adds to the logits.

    Attributes:
        name: The layer's name, with those of the models that hold it.
        kind: The layer's class, or ``Input``.
        explicit: What its bias adds, signed, (images, K). Of an input: all that it adds.
        implicit: What it adds because it is not linear, (images, K).
        left_out: What of it has no place in a map, signed, (images, K): all that a dense layer after a
            pooling adds, or what is added at a class token. NaN where that is not known.
        has_bias: Whether it has an explicit bias, be it 0.
        reason: Why. None: all of it has a place.
        explicit_tensors: On request the terms themselves, one for each time that the layer was applied:
            (images, *signal, K).
        implicit_tensors: Likewise, one for each signal that the layer made.
    """

    name: str
    kind: str
    explicit: np.ndarray
    implicit: np.ndarray
    left_out: np.ndarray
    has_bias: bool = False
    reason: str | None = None
    explicit_tensors: tuple[np.ndarray, ...] = ()
    implicit_tensors: tuple[np.ndarray, ...] = ()

    @property
    def total(self) -> np.ndarray:
        """The explicit and the implicit part, (images, K)."""
        return self.explicit + self.implicit

    def with_term(
        self,
        total: np.ndarray,
        left_out: np.ndarray,
        tensors: tuple[np.ndarray, ...],
        implicit: bool,
        reason: str | None = None,
    ) -> "Part":
        """Adds a term.

        Args:
            total: What it adds, (images, K).
            left_out: What of that has no place in a map, (images, K).
            tensors: The term itself, where it is kept.
            implicit: Whether it is that of an implicit bias.
            reason: Why something is left out, if anything is.

        Returns:
            The part with the term.
        """
        part = dataclasses.replace(self, left_out=self.left_out + left_out, reason=self.reason or reason)
        if implicit:
            kept = self.implicit_tensors + tensors
            return dataclasses.replace(part, implicit=self.implicit + total, implicit_tensors=kept)
        kept = self.explicit_tensors + tensors
        return dataclasses.replace(part, explicit=self.explicit + total, explicit_tensors=kept, has_bias=True)


@dataclasses.dataclass(frozen=True, repr=False)
class Decomposition:
    """Logits as a sum of terms. As a string, and in a notebook, it is a table.

    Attributes:
        logits: The logits, or what a target made of the outputs, (images, K).
        classes: Which classes they are of, (images, K). None: of none.
        inputs: What each input adds.
        layers: What each layer adds, in the order in which they are applied: all that have a bias on the
            way to a logit, be it 0, and all that are not linear.
    """

    logits: np.ndarray
    classes: np.ndarray | None
    inputs: tuple[Part, ...]
    layers: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The inputs and the layers."""
        return self.inputs + self.layers

    @property
    def sum(self) -> np.ndarray:
        """The sum of all parts, (images, K): but for rounding, the logits."""
        return np.sum([part.total for part in self.parts], axis=0)

    @property
    def explicit_sum(self) -> np.ndarray:
        """The sum of the inputs and the explicit biases alone, (images, K)."""
        return np.sum([part.explicit for part in self.parts], axis=0)

    @property
    def relative_error(self) -> float:
        """How far the sum of all parts is from the logits: relative 2-norm over images and classes."""
        return self._relative_error(self.sum)

    @property
    def relative_error_of_explicit(self) -> float:
        """How far the inputs and the explicit biases alone are from the logits, likewise."""
        return self._relative_error(self.explicit_sum)

    def _relative_error(self, values: np.ndarray) -> float:
        return float(np.linalg.norm(values - self.logits) / np.linalg.norm(self.logits))

    @property
    def shares(self) -> dict[str, np.ndarray]:
        """Each part's share of all that is added up, (images, K), signed: their magnitudes add up to 1."""
        size = np.sum([np.abs(part.total) for part in self.parts], axis=0)
        return {part.name: part.total / size for part in self.parts}

    def __repr__(self) -> str:
        images, scalars = self.logits.shape
        return (
            f"Decomposition of {images} x {scalars} logits into {len(self.parts)} parts: relative error "
            f"{self.relative_error:.1e}"
        )

    def __str__(self) -> str:
        return table.text(self)

    def printed(self) -> None:
        """Prints the table; the notebook's cell that does so does not show it once more as its value."""
        print(self)
        vars(self)["_cell"] = _cell()

    def _repr_html_(self) -> str:
        return table.html(self)

    def _ipython_display_(self) -> None:
        if vars(self).get("_cell") == _cell():
            return
        from IPython.display import display

        display({"text/plain": str(self), "text/html": self._repr_html_()}, raw=True)


def _cell() -> int | None:
    """The number of the cell that IPython runs, where it does."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return None if shell is None else shell.execution_count
