"""Reads image files whatever their kind."""

import io
from pathlib import PurePath

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from keras_fullgrad_cli import kinds, remote
from keras_fullgrad_cli.framing import framed
from keras_fullgrad_cli.options import Resize
from keras_fullgrad_cli.remote import is_url

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit, which could not be raised from the command line.


def fetched(file: str | bytes) -> str | bytes:
    """A file of this machine as it is named, and what any other holds, so that it is fetched once.

    Raises:
        ValueError: If it cannot be fetched.
    """
    if not isinstance(file, str) or not is_url(file):
        return file
    try:
        with remote.opened(file) as opened:
            return opened.read()
    except FileNotFoundError:
        raise ValueError("expected a file, there is none") from None
    except OSError as error:
        raise ValueError(f"the image cannot be read: {error}") from error


def photograph(
    file: str | bytes, channels: int, most_pixels: int, most_side: int | None = None
) -> Image.Image:
    """Reads an image, turned as its camera was held.

    Args:
        file: The file, or what it holds; of an animation the first frame is read.
        channels: 1 or 3.
        most_pixels: Images of more are refused before they are unpacked.
        most_side: The longest side; a larger image is made smaller. None: any.

    Returns:
        The image, of 8 bits.

    Raises:
        ValueError: If it is no image that can be read; the message says why.
    """
    source = io.BytesIO(file) if isinstance(file, bytes) else file
    try:
        with Image.open(source, formats=list(kinds.formats())) as opened:
            if opened.width * opened.height > most_pixels:
                raise ValueError(f"expected at most {most_pixels} pixels, got {opened.width}x{opened.height}")
            if most_side is not None and max(opened.size) > most_side:
                # JPEG is unpacked at half the size, a quarter, ..., where that is enough, in less time.
                scale = most_side / max(opened.size)
                opened.draft(None, (round(opened.width * scale), round(opened.height * scale)))
            image = _eight_bits(ImageOps.exif_transpose(opened)).convert("RGB" if channels == 3 else "L")
    except FileNotFoundError:
        raise ValueError("expected a file, there is none") from None
    except IsADirectoryError:
        raise ValueError("expected a file, got a folder") from None
    except UnidentifiedImageError:
        raise ValueError(_why_unidentified(file)) from None
    except (OSError, SyntaxError, EOFError, IndexError) as error:  # Pillow's, for torn files.
        raise ValueError(f"the image is damaged or cannot be read: {error}") from error
    if most_side is not None:
        image.thumbnail((most_side, most_side), Image.Resampling.LANCZOS)
    return image


def pixels(image: Image.Image, size: tuple[int, int], resize: Resize) -> np.ndarray:
    """What a net sees of an image.

    Args:
        image: The image.
        size: The height and the width that the net takes.
        resize: How the image is brought to it.

    Returns:
        Its pixels, (height, width, channels), uint8.
    """
    seen = np.asarray(framed(image, size, resize))
    return seen[..., np.newaxis] if seen.ndim == 2 else seen


def _why_unidentified(file: str | bytes) -> str:
    if isinstance(file, str) and kinds.is_other_image(PurePath(file)):
        return kinds.why_not(PurePath(file))
    with io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb") as opened:
        if not opened.read(1):
            return f"expected an image ({', '.join(kinds.formats())}), the file is empty"
    return f"expected an image ({', '.join(kinds.formats())}), got something else"


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow cuts values of 16 bits off at 255."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"expected values of 8 or 16 bits, got mode {image.mode}")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))
