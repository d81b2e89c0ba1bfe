"""Finds image files, and reads them whatever their kind."""

import csv
import glob
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from keras_fullgrad_cli import remote
from keras_fullgrad_cli.remote import is_url

# Pillow knows more: EPS, for one, would start Ghostscript.
_FORMATS = {
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "JPEG2000": (".jp2",),
    "PNG": (".png",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
_SUFFIXES = {suffix for suffixes in _FORMATS.values() for suffix in suffixes}

_File = TypeVar("_File", str, Path)

PARQUET = ".parquet"

SETTINGS = "keras-fullgrad.json"
"""Marks a folder that a run wrote, and holds the run's settings."""

MOST_PIXELS = 100_000_000
"""Larger images are refused unread: a small file can unpack to more than memory holds."""


Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit, which could not be raised from the command line.


class Source(NamedTuple):
    """An image to explain.

    Attributes:
        path: The file, its URL, or its name in a Parquet file.
        wanted: The class to explain, an index or a name, where a table says so.
    """

    path: str
    wanted: str | None = None


def find(arguments: Sequence[str]) -> list[Source]:
    """Finds the images that a command's arguments name.

    Args:
        arguments: Files, folders, which are searched whole but for what runs wrote there, URLs of either,
            patterns such as ``photos/*.jpg``, and CSV files with the columns ``path``, relative to the CSV,
            and, if wanted, ``class``. In folders without images, Parquet files are found instead.

    Returns:
        The images, in order, each once for each class; also those of files that do not exist, which reading
        will tell.

    Raises:
        ValueError: If a folder, a pattern or a table has no images, or a table lacks its columns.
    """
    return list(dict.fromkeys(source for argument in arguments for source in _found(argument)))


def _found(argument: str) -> Iterator[Source]:
    if is_url(argument):
        yield from map(Source, _at_url(argument))
        return
    path = Path(argument)
    if path.is_dir():
        files = _images_or_tables(list(_in_folder(path)))
        kind = "folder"
    elif path.suffix.lower() == ".csv" and path.is_file():
        yield from _rows(path)
        return
    elif glob.has_magic(argument) and not path.exists():
        files = [Path(name) for name in glob.glob(argument, recursive=True) if Path(name).is_file()]
        kind = "pattern"
    else:
        yield Source(str(path))
        return
    if not files:
        raise ValueError(f"expected images in the {kind} {argument}, got none")
    yield from (Source(str(file)) for file in sorted(files))


def _in_folder(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        # What a run drew is no image to explain.
        folders[:] = [name for name in folders if not (Path(parent) / name / SETTINGS).exists()]
        yield from (file for name in names if (file := Path(parent) / name).is_file())


def _at_url(url: str) -> list[str]:
    files = remote.files(url)
    if files is None:
        return [url]
    runs = tuple(file.removesuffix(SETTINGS) for file in files if file.endswith(f"/{SETTINGS}"))
    found = _images_or_tables([file for file in files if not file.startswith(runs)])
    if not found:
        raise ValueError(f"expected images in the folder {url}, got none")
    return found


def _images_or_tables(files: list[_File]) -> list[_File]:
    """The images in a folder; where there are none, the Parquet files."""
    suffixes = [PurePath(file).suffix.lower() for file in files]
    kinds = _SUFFIXES if _SUFFIXES.intersection(suffixes) else {PARQUET}
    return [file for file, suffix in zip(files, suffixes, strict=True) if suffix in kinds]


def _rows(path: Path) -> list[Source]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            columns = table.fieldnames or []
            if "path" not in columns:
                raise ValueError(f"expected a column 'path' in {path}, got {', '.join(columns) or 'none'}")
            rows = [Source(_beside(path, row["path"]), row.get("class") or None) for row in table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"expected a CSV file in UTF-8, got {path}: {error}") from error
    if not rows:
        raise ValueError(f"expected images in the table {path}, got none")
    if len({row.wanted is None for row in rows}) > 1:
        raise ValueError(f"expected a class in every row of {path} or in none, got some without")
    return rows


def _beside(table: Path, path: str) -> str:
    return path if is_url(path) else str(table.parent / path)


def read(file: str | bytes, size: tuple[int, int], channels: int, crop: bool, most_pixels: int) -> np.ndarray:
    """Reads an image, turned as its camera was held.

    Args:
        file: The file, its URL, or what it holds; of an animation the first frame is read.
        size: The height and the width to resize it to.
        channels: 1 or 3.
        crop: Whether to cut out the middle in the proportions of ``size``, instead of squeezing.
        most_pixels: Images of more are refused before they are unpacked.

    Returns:
        The image, (height, width, channels), uint8.

    Raises:
        ValueError: If it is no image that can be read; the message says why.
    """
    try:
        if isinstance(file, str) and is_url(file):
            with remote.opened(file) as remote_file:
                file = remote_file.read()
        source = io.BytesIO(file) if isinstance(file, bytes) else file
        with Image.open(source, formats=list(_FORMATS)) as opened:
            if opened.width * opened.height > most_pixels:
                raise ValueError(f"expected at most {most_pixels} pixels, got {opened.width}x{opened.height}")
            image = _eight_bits(ImageOps.exif_transpose(opened)).convert("RGB" if channels == 3 else "L")
    except FileNotFoundError:
        raise ValueError("expected a file, there is none") from None
    except IsADirectoryError:
        raise ValueError("expected a file, got a folder") from None
    except UnidentifiedImageError:
        raise ValueError(f"expected an image ({', '.join(_FORMATS)}), got something else") from None
    except (OSError, SyntaxError, EOFError, IndexError) as error:  # Pillow's, for torn files.
        raise ValueError(f"the image is damaged or cannot be read: {error}") from error
    height, width = size
    if crop:
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    else:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[..., np.newaxis] if channels == 1 else pixels


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow cuts values of 16 bits off at 255."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"expected values of 8 or 16 bits, got mode {image.mode}")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))
