"""Explains the shipped network's answers on the shipped scenes, and draws them."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fullgrad import pictures
from keras_fullgrad.demo.scenes import Scenes
from keras_fullgrad.metrics import energy_pointing_game
from keras_fullgrad.shortcuts import full_gradients, gradients

NET = Path(__file__).with_name("net.keras")
SCENES = Path(__file__).with_name("scenes.npz")

_BOX = "#5ad1ff"


@dataclasses.dataclass(frozen=True)
class Demonstration:
    """Scenes, what the network says they show, and where it looked.

    Attributes:
        scenes: The scenes, all of digits that the network never saw.
        predicted: The network's top class for each, (scenes,), which the maps explain.
        full_gradients: FullGrad maps, (scenes, height, width).
        gradients: Maps of the plain input gradient, likewise.
        full_gradients_in_box: The share of each FullGrad map's energy inside the box, (scenes,).
        gradients_in_box: Likewise, of each gradient map's.
        box_area: The share of each scene's area that its box covers: what an even map would give.
    """

    scenes: Scenes
    predicted: np.ndarray
    full_gradients: np.ndarray
    gradients: np.ndarray
    full_gradients_in_box: np.ndarray
    gradients_in_box: np.ndarray
    box_area: np.ndarray

    @property
    def correct(self) -> int:
        """How many scenes the network predicts right."""
        return int(np.sum(self.predicted == self.scenes.classes))


def demonstrate(**params: Any) -> Demonstration:
    """Explains each shipped scene's top class by FullGrad and by the plain gradient.

    Args:
        **params: Options of :func:`keras_fullgrad.full_gradients`, such as ``preset="paper"``.

    Returns:
        The maps, and how much of them lies on the digit.
    """
    model = keras.models.load_model(NET, compile=False)
    scenes = Scenes.load(SCENES)
    explained = full_gradients(model, scenes.images, verbose=0, **params)
    full = explained.maps[..., 0]
    plain = gradients(model, scenes.images, verbose=0).maps[..., 0]
    full_energy, plain_energy = (energy_pointing_game(maps, scenes.boxes) for maps in (full, plain))
    return Demonstration(
        scenes=scenes,
        predicted=explained.classes[:, 0],
        full_gradients=full,
        gradients=plain,
        full_gradients_in_box=full_energy.values,
        gradients_in_box=plain_energy.values,
        box_area=full_energy.areas,
    )


def draw(demonstration: Demonstration, path: str | Path, columns: int = 8) -> None:
    """Writes a picture: a column for each of the first scenes, with its maps below it.

    Args:
        demonstration: What to draw.
        path: The file to write, of the kind that its suffix says; a PNG where it has none.
        columns: How many scenes.
    """
    # At the first picture, not at import: matplotlib takes a while.
    from matplotlib.patches import Rectangle

    shown, scenes = demonstration, demonstration.scenes
    drawn = [
        (image, pictures.coloured(full), pictures.overlay(image, full, alpha=0.9), pictures.coloured(plain))
        for image, full, plain in zip(scenes.images, shown.full_gradients, shown.gradients, strict=True)
    ]
    answers = zip(scenes.classes[:columns], shown.predicted[:columns], strict=True)
    figure = pictures.grid(
        list(zip(*drawn[:columns], strict=True)),
        titles=[[f"{true} / {predicted}" for true, predicted in answers]],
        labels=["Input,\ntrue / predicted", "FullGrad", "FullGrad\nover input", "Plain\ngradient"],
        inches=1.6,
    )
    edge: dict[str, Any] = {"fill": False, "edgecolor": _BOX, "linewidth": 1.2}
    inputs = figure.axes[:columns]
    for axes, (top, left, bottom, right) in zip(inputs, scenes.boxes[:columns] - 0.5, strict=True):
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, **edge))
    kind = Path(path).suffix[1:] or "png"
    figure.savefig(path, format=kind, dpi=120)  # Two dots to a pixel of the scenes.
