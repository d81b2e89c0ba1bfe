"""What explains logits: maps, and what they are made of."""

from collections.abc import Callable, Mapping
from typing import Any, SupportsIndex

import tensorflow as tf

from keras_fullgrad.targets.target import Target

_MOST_SHOWN = 8


class Explanation(tuple[Any, Any]):
    """Logits and their maps: a pair, ``logits, maps = ...``, with more as attributes.

    From :func:`keras_fullgrad.explain.explain` and its sisters the parts are NumPy arrays, of float32 or
    float64; from a method, tensors. Out of a `tf.function` of your own comes the pair alone.

    Attributes:
        logits: The logits that were explained, or what a target made of the outputs, (images, K).
        maps: The map of each, (images, space, K); with ``source="all"`` a list or dictionary of those over
            each input.
        classes: Which classes they are of, (images, K). None: of none, or a method of your own does not tell.
        outputs: All logits, (images, classes), of which those are some. None: likewise.
        terms: The maps of the input and of each layer with a place in the map, by its name, (images, space,
            K); they add up to the maps before these are rescaled. None: they were not asked for.
        left_out: The share of what each logit is made of that has no place in the map, (images, K): the
            magnitudes of those terms, of all terms'. None: it was not computed, as without ``return_terms``.

    Example:
        >>> explanation = Explanation(np.ones([1, 2]), np.zeros([1, 8, 8, 2]), classes=np.array([[3, 5]]))
        >>> logits, maps = explanation
        >>> maps.shape, explanation.classes.tolist()
        ((1, 8, 8, 2), [[3, 5]])
    """

    classes: Any
    outputs: Any
    terms: Mapping[str, Any] | None
    left_out: Any

    def __new__(
        cls,
        logits: Any,
        maps: Any = None,
        *,
        classes: Any | None = None,
        outputs: Any | None = None,
        terms: Mapping[str, Any] | None = None,
        left_out: Any | None = None,
    ) -> "Explanation":
        """Puts parts together."""
        if maps is None:  # So TensorFlow makes anew what it takes apart: of a pair alone.
            logits, maps = logits
        self = super().__new__(cls, (logits, maps))
        self.classes = classes
        self.outputs = outputs
        self.terms = terms
        self.left_out = left_out
        return self

    @classmethod
    def of(cls, result: Any, wanted: Any | None = None) -> "Explanation":
        """Makes one of what a method returned.

        Args:
            result: An explanation, or a pair of logits and maps, as a method of your own may return.
            wanted: The classes, or the target, that were asked for, if any were.

        Returns:
            The explanation.

        Raises:
            ValueError: If it is neither.
        """
        if isinstance(result, cls):
            return result
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise ValueError(
                "expected a method to return an Explanation, or a pair of logits and maps, got "
                f"{type(result).__name__}"
                + (f" of {len(result)}" if isinstance(result, (tuple, list)) else "")
            )
        logits, maps = result
        return cls(logits, maps, classes=None if isinstance(wanted, Target) else wanted)

    @property
    def logits(self) -> Any:
        """The logits that were explained, (images, K)."""
        return self[0]

    @property
    def maps(self) -> Any:
        """The maps, (images, space, K)."""
        return self[1]

    @property
    def parts(self) -> dict[str, Any]:
        """All that is there, by name."""
        found = {"logits": self.logits, "maps": self.maps, **vars(self)}
        return {name: part for name, part in found.items() if part is not None}

    def with_parts(self, change: Callable[[Any], Any], *names: str) -> "Explanation":
        """Changes parts.

        Args:
            change: From a part, or from the map of each term, to what is in its place.
            *names: Which parts. None: all.

        Returns:
            The explanation with these parts changed.
        """
        parts = self.parts
        for name in names or tuple(parts):
            if name in parts:
                parts[name] = tf.nest.map_structure(change, parts[name])
        return Explanation(**parts)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return _made, (self.parts,)

    def __repr__(self) -> str:
        def shape(part: Any) -> str:
            if isinstance(part, list):
                return f"{len(part)} of inputs"
            return f"{tuple(part)}" if isinstance(part, Mapping) else f"{tuple(part.shape)}"

        parts = ", ".join(f"{name}: {shape(part)}" for name, part in self.parts.items())
        return f"Explanation({parts})"

    def _repr_png_(self) -> bytes | None:
        """The maps of the first images, as a notebook shows them; nothing for series and volumes."""
        if isinstance(self.maps, (list, dict)) or len(self.maps.shape) != 4 or not len(self.maps):
            return None
        from keras_fullgrad.pictures.explained import picture

        return picture(self, _MOST_SHOWN)


def _made(parts: dict[str, Any]) -> Explanation:
    return Explanation(**parts)
