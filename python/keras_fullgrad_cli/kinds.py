"""The kinds of image files that are read, and why others are not."""

import functools
import importlib
import importlib.util
from pathlib import PurePath

from PIL import features

# Pillow knows more: EPS, for one, would start Ghostscript.
_ALWAYS = {
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "JPEG2000": (".jp2",),
    "PNG": (".png",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
_AVIF, _HEIF = (".avif", ".avifs"), (".heic", ".heif", ".hif")
_RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2")
_DRAWN = (".eps", ".svg", ".svgz")
_OTHER = (".dcm", ".exr", ".hdr", ".ico", ".jxl", ".psd", ".tga", ".xcf")


@functools.cache
def formats() -> dict[str, tuple[str, ...]]:
    """The formats that can be read here, as Pillow calls them, and how their files' names end."""
    found = dict(_ALWAYS)
    if features.check("avif"):
        found["AVIF"] = _AVIF
    if importlib.util.find_spec("pillow_heif") is not None:
        importlib.import_module("pillow_heif").register_heif_opener()
        found["HEIF"] = _HEIF
    return found


def is_read(path: PurePath) -> bool:
    """Whether a file is one to read, by its name."""
    return any(path.suffix.lower() in suffixes for suffixes in formats().values())


def is_other_image(path: PurePath) -> bool:
    """Whether a file is an image, or a drawing, that is not read."""
    known = (*_AVIF, *_HEIF, *_RAW, *_DRAWN, *_OTHER)
    return path.suffix.lower() in known and not is_read(path)


def why_not(path: PurePath) -> str:
    """Why a file is not read, and what helps."""
    suffix = path.suffix.lower()
    if suffix in _HEIF and not is_read(path):
        return "HEIC is read with the package pillow-heif: pip install pillow-heif"
    if suffix in _AVIF and not is_read(path):
        return "this Pillow reads no AVIF, 11.3 and later do: pip install --upgrade pillow"
    if suffix in _RAW:
        return f"{suffix} is what a camera's sensor saw: save it as JPEG, PNG or TIFF"
    if suffix in _DRAWN:
        return f"{suffix} holds a drawing: save it as PNG"
    return f"expected an image ({', '.join(formats())}), got another kind of file"
