"""The forms that a map is written in, as a file of its own."""

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from keras_fullgrad import pictures
from keras_fullgrad.pictures.arrays import resized
from keras_fullgrad_cli import images, panels
from keras_fullgrad_cli.folder import ENDINGS
from keras_fullgrad_cli.framing import carried_back
from keras_fullgrad_cli.options import Format, Resize
from keras_fullgrad_cli.panels import Caption, Panel
from keras_fullgrad_cli.results import Result

PLACE = "keras-fullgrad panel"
"""What an overlay's PNG says of itself: where its first map's picture lies, left, top, right, bottom."""

_LEAST_SIDE = 240  # Below it a caption would not be read.
_COLUMNS = 4


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How maps are drawn over photographs.

    Attributes:
        cmap: Matplotlib's name of a colour map.
        strength: How much an overlay covers.
        most_side: The longest side of a picture; larger photographs are drawn smaller.
        resize: How photographs were brought to the size that the net takes.
        most_pixels: Images of more are refused.
    """

    cmap: str
    strength: float
    most_side: int
    resize: Resize
    most_pixels: int

    @property
    def settings(self) -> dict[str, Any]:
        """What pictures depend on, and nothing else does, in plain values."""
        return {"cmap": self.cmap, "strength": self.strength, "most_side": self.most_side}

    def photograph(self, result: Result) -> Image.Image:
        """The photograph, in its own proportions and, but for the largest and smallest, its own size."""
        image = images.photograph(result.file, 3, self.most_pixels, self.most_side)
        return panels.enlarged(image, _LEAST_SIDE)


Encoder = Callable[[Result, Drawing], bytes]
"""From what was found of an image to a file."""


def overlay(result: Result, drawing: Drawing) -> bytes:
    """A PNG of the map over the photograph, and above it what it explains; a panel for each class."""
    photograph = np.asarray(drawing.photograph(result))
    size = photograph.shape[1], photograph.shape[0]
    map, (left, top, right, bottom) = carried_back(result.map, size, drawing.resize)
    seen = photograph[top:bottom, left:right]
    unseen = photograph if seen.shape == photograph.shape else panels.faded(photograph)
    drawn = []
    for each, caption in zip(np.moveaxis(map, -1, 0), result.captions, strict=True):
        picture = unseen.copy()
        picture[top:bottom, left:right] = pictures.overlay(seen, each, drawing.cmap, drawing.strength)
        drawn.append(Panel(Image.fromarray(picture), [Caption(*caption)]))
    sheet, place = panels.arranged(drawn, _COLUMNS)
    about = PngInfo()
    about.add_text(PLACE, " ".join(str(edge) for edge in place))
    return _png(sheet, about)


def coloured(result: Result, drawing: Drawing) -> bytes:
    """A PNG of the map alone, as it lies over the photograph; of several classes side by side."""
    width, height = drawing.photograph(result).size
    map, (left, top, right, bottom) = carried_back(result.map, (width, height), drawing.resize)
    drawn = []
    for each in np.moveaxis(map, -1, 0):
        picture = np.full([height, width, 3], 255, np.uint8)
        values = resized(each, (bottom - top, right - left))
        picture[top:bottom, left:right] = pictures.coloured(values, drawing.cmap)
        drawn.append(picture)
    return _png(Image.fromarray(pictures.side_by_side(drawn)))


def array(result: Result, drawing: Drawing) -> bytes:
    """NumPy's file of the map of what the net saw, float32."""
    buffer = io.BytesIO()
    np.save(buffer, result.map.astype(np.float32))
    return buffer.getvalue()


ENCODERS: dict[Format, tuple[str, Encoder]] = {
    form: (ENDINGS[form], encode)
    for form, encode in ((Format.overlay, overlay), (Format.map, coloured), (Format.npy, array))
}
"""The ending of each format's files, and what makes one."""


def _png(picture: Image.Image, about: PngInfo | None = None) -> bytes:
    buffer = io.BytesIO()
    # A third of the time of the usual level, for a tenth more bytes.
    picture.save(buffer, "PNG", pnginfo=about, compress_level=1)
    return buffer.getvalue()
