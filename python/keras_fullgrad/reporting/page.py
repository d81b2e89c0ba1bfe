"""Fills the template of a page."""

import base64
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_fullgrad import pictures
from keras_fullgrad.reporting import encoding
from keras_fullgrad.reporting.explanations import ExplainedClass, Layer
from keras_fullgrad.reporting.numbers import percent

_TEMPLATES = Path(__file__).with_name("templates")
_CLASSES_SHOWN = 5

_LEAST, _GREATEST = 1e-3, 1e6
"""Numbers below or above are written in scientific form."""

_FEW = 12
"""Up to so many images are drawn at once, and found without a search."""

_PARTS = {
    "css": ["report", "chart", "finding", "print"],
    "js": ["drawing", "chart", "card", "finding", "start"],
}
"""The files of each kind, in the order in which they are put together."""


class Card(NamedTuple):
    """An image on the page.

    Attributes:
        name: What it is called.
        pixels: What is shown, (height, width, 3), uint8.
        logits: The logits of all classes, (classes,).
        probabilities: Their probabilities, likewise. None: the model puts out none.
        explanations: Those of its classes that are explained.
    """

    name: str
    pixels: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray | None
    explanations: Sequence[ExplainedClass]


def render(
    title: str,
    facts: Sequence[str],
    layers: Sequence[Layer],
    cards: Sequence[Card],
    labels: Sequence[str] | None,
    skipped: Sequence[tuple[str, str]] = (),
) -> str:
    """Makes a page.

    Args:
        title: Its title.
        facts: What is said below the title.
        layers: The layers.
        cards: The images.
        labels: The names of the classes. None: their numbers.
        skipped: The images that are not on the page, each with the reason.

    Returns:
        The page, HTML that needs nothing else.

    Example:
        >>> "<h1>1 &lt; 2</h1>" in render("1 < 2", [], [], [], None)
        True
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (
        "\n".join((_TEMPLATES / f"{name}.{kind}").read_text("utf-8") for name in names)
        for kind, names in _PARTS.items()
    )
    return environment.get_template("report.html").render(
        title=title,
        facts=facts,
        skipped=skipped,
        many=len(cards) > _FEW,
        style=style,
        script=script,
        # The browser runs and applies these only, whatever a name says.
        style_hash=_hash(style),
        script_hash=_hash(script),
        shared={"layers": [layer._asdict() for layer in layers], "colours": _colours()},
        cards=[
            {
                "name": card.name,
                "image": encoding.image(card.pixels),
                "ranking": _ranking(card, labels),
                "explanations": [_data(explanation) for explanation in card.explanations],
                "start": _start(layers, card.explanations[0]),
                "error": card.explanations[0].error,
                "probability": None
                if card.probabilities is None
                else float(card.probabilities[card.explanations[0].target]),
            }
            for card in cards
        ],
    )


def _hash(source: str) -> str:
    """A source as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _colours() -> str:
    """The 256 colours of maps, base64 of RGB."""
    return base64.b64encode(pictures.coloured(np.arange(256)[np.newaxis]).tobytes()).decode()


def _ranking(card: Card, labels: Sequence[str] | None) -> list[dict[str, Any]]:
    """The highest classes and those that are explained, with the places of their explanations."""
    places = {explanation.target: place for place, explanation in enumerate(card.explanations)}
    highest = np.argsort(-card.logits, kind="stable")
    shown = [index for rank, index in enumerate(highest.tolist()) if rank < _CLASSES_SHOWN or index in places]
    greatest = np.abs(card.logits).max()
    return [
        {
            "label": f"class {index}" if labels is None else str(labels[index]),
            "logit": _number(card.logits[index], greatest),
            "probability": None if card.probabilities is None else percent(card.probabilities[index]),
            "explanation": places.get(index),
        }
        for index in shown
    ]


def _number(value: float, greatest: float) -> str:
    """A number, with as many decimals as give the greatest of those beside it four digits."""
    if greatest and not _LEAST <= greatest < _GREATEST:
        return (
            "0" if value == 0 else np.format_float_scientific(value, precision=3, unique=False, exp_digits=1)
        )
    return f"{value:.{max(0, 3 - math.floor(math.log10(greatest or 1)))}f}"


def _start(layers: Sequence[Layer], explanation: ExplainedClass) -> int:
    """The layer to show first: of those with a map the one that adds most, up or down."""
    sizes = np.abs(np.add(explanation.explicit, explanation.implicit))
    return max(
        (place for place, layer in enumerate(layers) if layer.cell is not None),
        key=lambda place: sizes[place],
    )


def _data(explanation: ExplainedClass) -> dict[str, Any]:
    """An explanation as the script reads it; bars and colours need no more than some digits."""
    sheet = explanation.sheet
    return explanation._asdict() | {
        "explicit": _rounded(explanation.explicit),
        "implicit": _rounded(explanation.implicit),
        "sheet": sheet._asdict() | {"least": _rounded(sheet.least), "greatest": _rounded(sheet.greatest)},
    }


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
