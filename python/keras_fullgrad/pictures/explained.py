"""An explanation's maps in one picture."""

import io
from typing import TYPE_CHECKING

import numpy as np

from keras_fullgrad.pictures.arrays import coloured
from keras_fullgrad.pictures.grids import grid

if TYPE_CHECKING:
    from keras_fullgrad.explanation import Explanation


def picture(explanation: "Explanation", most: int) -> bytes:
    """Draws the maps of the first images, a row each, with the class and the logit above each map.

    Args:
        explanation: Of images, (images, height, width, K) maps.
        most: How many rows and columns to draw at the most.

    Returns:
        A PNG.

    Example:
        >>> from keras_fullgrad.explanation import Explanation
        >>> picture(Explanation(np.ones([1, 1]), np.random.rand(1, 8, 8, 1)), most=8)[1:4]
        b'PNG'
    """
    maps, logits = np.asarray(explanation.maps), np.asarray(explanation.logits)
    images, classes = min(most, len(maps)), min(most, maps.shape[-1])

    def title(image: int, k: int) -> str:
        name = "" if explanation.classes is None else f"class {explanation.classes[image, k]}: "
        return f"{name}{logits[image, k]:.4g}"

    rows = [[coloured(maps[image, ..., k]) for k in range(classes)] for image in range(images)]
    titles = [[title(image, k) for k in range(classes)] for image in range(images)]
    buffer = io.BytesIO()
    grid(rows, titles, [f"image {image}" for image in range(images)]).savefig(buffer, format="png")
    return buffer.getvalue()
