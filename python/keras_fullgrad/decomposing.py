"""Takes logits apart into what the inputs and each layer's biases add to them, and checks the sum."""

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import rich.console
import rich.jupyter
import rich.table
import tensorflow as tf

from keras_fullgrad import batches, decomposition, inspection


@dataclasses.dataclass(frozen=True)
class Part:
    """What an input, or one layer, adds to the logits.

    Attributes:
        name: The layer's name, with those of the models that hold it.
        kind: The layer's class, or ``Input``.
        explicit: What its bias adds, signed, (images, K). Of an input: all that it adds.
        implicit: What it adds because it is not linear, (images, K).
        explicit_tensors: On request the terms themselves, one for each time that the layer was applied:
            (images, *signal, K).
        implicit_tensors: Likewise, one for each signal that the layer made.
    """

    name: str
    kind: str
    explicit: np.ndarray
    implicit: np.ndarray
    explicit_tensors: tuple[np.ndarray, ...] = ()
    implicit_tensors: tuple[np.ndarray, ...] = ()

    @property
    def total(self) -> np.ndarray:
        """The explicit and the implicit part, (images, K)."""
        return self.explicit + self.implicit


@dataclasses.dataclass(frozen=True)
class Decomposition:
    """Logits as a sum of terms. As a string, and in a notebook, it is a table.

    Attributes:
        logits: The logits, (images, K).
        inputs: What each input adds.
        layers: What each layer adds that adds anything, in the order in which they are applied.
    """

    logits: np.ndarray
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

    def __str__(self) -> str:
        # Without force_jupyter=False, rich shows in a notebook even what it only captures.
        console = rich.console.Console(width=110, force_jupyter=False)
        with console.capture() as captured:
            console.print(self._table())
        return captured.get()

    def _repr_html_(self) -> str:
        console = rich.console.Console(width=110, force_jupyter=False, record=True, file=io.StringIO())
        console.print(self._table())
        return console.export_html(inline_styles=True, code_format=rich.jupyter.JUPYTER_HTML_FORMAT)

    def _table(self) -> rich.table.Table:
        table = rich.table.Table(
            title_justify="left",
            caption_justify="left",
            title="What the logits are made of, mean over images and classes",
            caption=f"The sum is {self.sum.mean():.6g}, the logit {self.logits.mean():.6g}: relative error "
            f"{self.relative_error:.1e}; without implicit biases {self.relative_error_of_explicit:.1e}",
        )
        for column in ("layer", "class", "explicit", "implicit", "share"):
            table.add_column(column, justify="left" if column in ("layer", "class") else "right")
        shares = self.shares
        for part in self.parts:
            sums = (f"{part.explicit.mean():.4g}", f"{part.implicit.mean():.4g}")
            table.add_row(part.name, part.kind, *sums, f"{shares[part.name].mean():.1%}")
        return table


def decompose(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    batch_size: int | None = None,
    tensors: bool = False,
) -> Decomposition:
    r"""Takes logits apart into what the inputs and each layer's biases add to them.

    .. math::

        s(x) = \langle x, \nabla_x s \rangle + \sum_l \langle b_l, \nabla_{z_l} s \rangle

    over explicit biases and implicit ones, :math:`f(z) - J_f(z) z`; exactly, but for rounding (Srinivas &
    Fleuret 2019, arXiv:1905.00780, proposition 1).

    Args:
        model: Any Keras model, or one from :func:`keras_fullgrad.inspection.expose`, whose exposed layers
            are then those with explicit biases.
        x: The inputs, (images, ...): an array, a tensor, or an iterable of batches; or a list or dictionary
            of the arrays of several inputs.
        y: Classes: (images, K), (images,), or one for all. None: each image's top class.
        batch_size: Images computed at a time. None: chosen by their size.
        tensors: Whether to keep the terms themselves beside their sums.

    Returns:
        The decomposition.

    Raises:
        ValueError: If shapes or classes do not fit; the message says what was expected.
        TypeError: If the data or the classes are of a wrong type.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, activation="gelu"),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> decompose(model, np.ones([1, 8, 8, 3])).relative_error < 1e-4
        True
    """
    pieces = [
        _decompose(_with_all_biases(model), inputs, classes, tensors)
        for inputs, classes in batches.for_model(model, x, y, batch_size).batches
    ]
    if not pieces:
        raise ValueError("expected at least one batch, got an iterable without any")
    inputs = (_join(*parts) for parts in zip(*(piece.inputs for piece in pieces), strict=True))
    layers = (_join(*parts) for parts in zip(*(piece.layers for piece in pieces), strict=True))
    return Decomposition(
        np.concatenate([piece.logits for piece in pieces]),
        tuple(inputs),
        tuple(part for part in layers if part.explicit.any() or part.implicit.any()),
    )


def _join(*parts: Part) -> Part:
    def joined(tensors: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
        return tuple(np.concatenate(each) for each in zip(*tensors, strict=True))

    return Part(
        parts[0].name,
        parts[0].kind,
        np.concatenate([part.explicit for part in parts]),
        np.concatenate([part.implicit for part in parts]),
        joined([part.explicit_tensors for part in parts]),
        joined([part.implicit_tensors for part in parts]),
    )


def completeness(model: keras.Model, x: Any | None = None, y: Any | None = None) -> Decomposition:
    """Prints which layers make up a model's logits, and whether the sum of all terms meets them.

    Args:
        model: Any Keras model.
        x: The inputs; see :func:`decompose`. None: one drawn from a normal distribution.
        y: The classes; see :func:`decompose`.

    Returns:
        The decomposition that is printed.

    Raises:
        ValueError: If ``x`` is None and the model does not tell its inputs' shapes.

    Example:
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> parts = completeness(model)  # doctest: +ELLIPSIS
        What the logits are made of...
        >>> parts.relative_error < 1e-4
        True
    """
    parts = decompose(model, drawn_inputs(model) if x is None else x, y)
    print(parts)
    return parts


def left_out(model: keras.Model, inputs: Any, classes: np.ndarray | None = None) -> float:
    """Measures which share of a logit maps without implicit biases do not draw, in one backward pass.

    Args:
        model: Any built Keras model that is not exposed.
        inputs: The model's inputs, as tensors.
        classes: The classes, (images, 1). None: each image's top class.

    Returns:
        The magnitude of what implicit biases add, as a share of that and of all explicit terms.

    Example:
        >>> model = keras.Sequential([keras.Input([4]), keras.layers.Dense(3, "relu"), keras.layers.Dense(2)])
        >>> round(left_out(model, tf.ones([1, 4])), 3)
        0.0
    """
    parts = _decompose(_with_all_biases(model), inputs, classes, False, implicit_biases=False)
    missing = np.abs(parts.logits - parts.explicit_sum).sum()
    drawn = sum(np.abs(part.explicit).sum() for part in parts.parts)
    return float(missing / (missing + drawn)) if missing else 0.0


def _with_all_biases(model: keras.Model) -> inspection.ExposedModel:
    if isinstance(model, inspection.ExposedModel):
        return model
    return inspection.expose(model, inspection.layers_with_biases(model, return_biases=False))


def drawn_inputs(model: keras.Model) -> Any:
    """Draws one input for a model from a normal distribution, the same at each call.

    Args:
        model: A model that tells the shapes of its inputs; what it leaves open becomes 64.

    Returns:
        An array, or a list of arrays where the model has several inputs.

    Raises:
        ValueError: If the model does not tell its inputs' shapes.

    Example:
        >>> drawn_inputs(keras.Sequential([keras.Input([None, 3]), keras.layers.Conv1D(2, 3)])).shape
        (1, 64, 3)
    """
    symbolic = getattr(model, "inputs", None)
    if not symbolic:
        raise ValueError(f"expected x for model '{model.name}', which does not tell the shapes of its inputs")
    random = np.random.default_rng(0)
    drawn = [random.normal(size=[1, *(size or 64 for size in tensor.shape[1:])]) for tensor in symbolic]
    return drawn if len(drawn) > 1 else drawn[0]


def _decompose(
    model: inspection.ExposedModel,
    inputs: Any,
    classes: np.ndarray | None,
    tensors: bool,
    implicit_biases: bool = True,
) -> Decomposition:
    indices = None if classes is None else tf.constant(classes)
    logits, targets, terms, tape = decomposition.forward(
        model, inputs, indices, implicit_biases=implicit_biases
    )
    sources = [x for x in keras.tree.flatten(inputs) if x.dtype.is_floating]
    names = ["input"] if len(sources) == 1 else [f"input {i}" for i in range(len(sources))]
    input_terms = [decomposition.Term(name, "Input", x, x) for name, x in zip(names, sources, strict=True)]
    # Implicit terms come in the order of the signals, and so do the layers then.
    all_terms = input_terms + sorted(terms, key=lambda term: not term.implicit)
    signals = [term.signal for term in all_terms]
    gradients = zip(*(tape.gradient(target, signals) for target in targets), strict=True)

    nothing = np.zeros([logits.shape[0], len(targets)])
    parts: dict[str, Part] = {}
    for term, each in zip(all_terms, gradients, strict=True):
        if each[0] is not None:  # None: the signal does not reach the logits.
            product = np.stack([_product(term.bias, gradient) for gradient in each], axis=-1)
            part = parts.get(term.name, Part(term.name, term.kind, nothing, nothing))
            parts[term.name] = _with_product(part, product, term.implicit, tensors)
    inputs_found = [parts.pop(name) for name in names if name in parts]
    chosen = np.stack([np.reshape(target, [-1]) for target in targets], axis=-1)
    return Decomposition(chosen, tuple(inputs_found), tuple(parts.values()))


def _product(bias: tf.Tensor, gradient: tf.Tensor) -> np.ndarray:
    return (tf.cast(bias, tf.float64) * tf.cast(gradient, tf.float64)).numpy()


def _with_product(part: Part, product: np.ndarray, implicit: bool, tensors: bool) -> Part:
    images, classes = part.explicit.shape
    total = product.reshape(images, -1, classes).sum(axis=1)
    kept = (product,) if tensors else ()
    if implicit:
        return dataclasses.replace(
            part, implicit=part.implicit + total, implicit_tensors=part.implicit_tensors + kept
        )
    return dataclasses.replace(
        part, explicit=part.explicit + total, explicit_tensors=part.explicit_tensors + kept
    )
