"""Explains the shipped network's answers on the shipped scenes, and draws them."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fullgrad.demo.scenes import Scenes
from keras_fullgrad.explain import full_gradients, gradients
from keras_fullgrad.metrics import energy_in_box

NET = Path(__file__).with_name("net.keras")
SCENES = Path(__file__).with_name("scenes.npz")

_INK = "#1d2430"
_BOX = "#5ad1ff"
_MAP_COLOURS = "inferno"


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
    full_energy, plain_energy = (energy_in_box(maps, scenes.boxes) for maps in (full, plain))
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
    """Writes a PNG: a column for each of the first scenes, with its maps below it.

    Args:
        demonstration: What to draw.
        path: The file to write.
        columns: How many scenes.
    """
    # At the first picture, not at import: matplotlib takes a while.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    shown = demonstration
    images = shown.scenes.images[:columns, ..., 0]
    columns = len(images)
    rows = ["Input", "FullGrad", "FullGrad\nover input", "Plain\ngradient"]
    inch, label, title, gap = 1.6, 1.35, 0.35, 0.05
    width = label + columns * (inch + gap)
    height = title + len(rows) * (inch + gap)
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)

    for column, image in enumerate(images):
        full, plain = shown.full_gradients[column], shown.gradients[column]
        for row in range(len(rows)):
            left, top = label + column * (inch + gap), title + row * (inch + gap)
            axes = figure.add_axes((left / width, 1 - (top + inch) / height, inch / width, inch / height))
            axes.set_axis_off()
            if row in (0, 2):
                axes.imshow(image, cmap="gray", vmin=0, vmax=1)
            if row == 0:
                top, left, bottom, right = shown.scenes.boxes[column] - 0.5
                edge: dict[str, Any] = {"fill": False, "edgecolor": _BOX, "linewidth": 1.2}
                axes.add_patch(Rectangle((left, top), right - left, bottom - top, **edge))
                true, predicted = shown.scenes.classes[column], shown.predicted[column]
                axes.set_title(f"{true} / {predicted}", fontsize=14, color=_INK, pad=5)
            elif row == 2:
                # Faint where the map is low, so that the scene stays to be seen.
                axes.imshow(full, cmap=_MAP_COLOURS, alpha=0.9 * full**0.6)
            else:
                axes.imshow(full if row == 1 else plain, cmap=_MAP_COLOURS)

    style: dict[str, Any] = {"ha": "right", "va": "center", "color": _INK, "linespacing": 1.25}
    for row, name in enumerate(rows):
        middle = title + row * (inch + gap) + inch / 2
        figure.text((label - 0.12) / width, 1 - middle / height, name, fontsize=14, **style)
    figure.text((label - 0.12) / width, 1 - 0.2 / height, "true / predicted", fontsize=11, **style)
    figure.savefig(path, format="png", dpi=120)  # Two dots to a pixel of the scenes.
