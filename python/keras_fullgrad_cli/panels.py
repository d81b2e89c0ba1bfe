"""Pictures with a caption above each, put together: dot by dot, where a figure would resample them."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_INK, _PAPER = (29, 36, 48), (255, 255, 255)
_GAP = 8
_LEAST_TEXT, _MOST_TEXT, _LETTERS = 12, 32, 30  # The size of letters, and how many are to fit in a line.


class Caption(NamedTuple):
    """A line above a picture.

    Attributes:
        name: Cut where it does not fit.
        value: Stands behind it, whole.
    """

    name: str
    value: str = ""


class Panel(NamedTuple):
    """A picture, and what stands above it."""

    picture: Image.Image
    captions: Sequence[Caption]


def arranged(panels: Sequence[Panel], columns: int) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Puts panels into rows.

    Args:
        panels: The panels, each with as many captions as the first.
        columns: How many are to stand side by side.

    Returns:
        The picture, and where the first panel's own picture lies in it: left, top, right, bottom.
    """
    columns = min(columns, len(panels))
    width = max(panel.picture.width for panel in panels)
    height = max(panel.picture.height for panel in panels)
    letters = min(_MOST_TEXT, max(_LEAST_TEXT, width // _LETTERS))
    line = round(letters * 1.4)
    above = line * len(panels[0].captions) + _GAP // 2
    rows = -(-len(panels) // columns)
    size = (columns * (width + _GAP) + _GAP, rows * (above + height + _GAP) + _GAP // 2)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        left = _GAP + number % columns * (width + _GAP)
        top = _GAP // 2 + number // columns * (above + height + _GAP)
        for place, caption in enumerate(panel.captions):
            text = _fitted(caption, letters, width)
            draw.text((left, top + place * line), text, _INK, _font(letters))
        sheet.paste(panel.picture, (left, top + above))
    first = _GAP, _GAP // 2 + above
    return sheet, (*first, first[0] + panels[0].picture.width, first[1] + panels[0].picture.height)


def enlarged(image: Image.Image, least: int) -> Image.Image:
    """A small image with each pixel as a square of dots, so that a caption fits above it."""
    times = -(-least // max(image.size))
    size = image.width * times, image.height * times
    return image if times == 1 else image.resize(size, Image.Resampling.NEAREST)


def faded(image: np.ndarray) -> np.ndarray:
    """An image as it shows through paper."""
    return (0.3 * image + 0.7 * 255).astype(np.uint8)


def _fitted(caption: Caption, letters: int, width: int) -> str:
    font = _font(letters)
    name, value = (" ".join(part.split()) for part in caption)
    behind = value and f"  {value}"
    if font.getlength(name + behind) <= width:
        return name + behind
    while name and font.getlength(f"{name}…{behind}") > width:
        name = name[:-1]
    return f"{name}…{behind}"


@functools.cache
def _font(letters: int) -> ImageFont.FreeTypeFont:
    """Matplotlib's own font: it is there wherever this runs, and the same."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", letters)
