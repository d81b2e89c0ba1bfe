"""One picture of a run: its first images, each with the map of its first class."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from keras_fullgrad_cli.folder import ENDINGS
from keras_fullgrad_cli.formats import PLACE
from keras_fullgrad_cli.options import Format
from keras_fullgrad_cli.panels import Caption, Panel, arranged, enlarged
from keras_fullgrad_cli.results import captions

MOST = 48
"""How many images there are at the most: more are too small to be told apart."""

_SIDE, _COLUMNS = 240, 6


def sheet(folder: Path, records: Sequence[dict[str, Any]]) -> bytes:
    """Draws a sheet of the overlays in a folder.

    Args:
        folder: The folder.
        records: What the index says of the images to show, at least one.

    Returns:
        A PNG.
    """
    shown = [_panel(folder, record) for record in records[:MOST]]
    columns = next(each for each in range(1, _COLUMNS + 1) if each * each >= len(shown) or each == _COLUMNS)
    picture, _ = arranged(shown, columns)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _panel(folder: Path, record: dict[str, Any]) -> Panel:
    with Image.open(folder / f"{record['name']}{ENDINGS[Format.overlay]}") as image:
        left, top, right, bottom = map(int, image.info[PLACE].split())
        picture = image.crop((left, top, right, bottom))
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    picture = enlarged(picture, _SIDE) if max(picture.size) < _SIDE else picture
    cell = Image.new("RGB", (_SIDE, _SIDE), "white")
    cell.paste(picture)
    first = captions(record["labels"], record["logits"], record["probability"])[0]
    return Panel(cell, [Caption(record["name"]), Caption(*first)])
