"""Where the native libraries lie: the core, and a thin op library for each minor version of TensorFlow.

Both are installed with the package; what `keras-fullgrad build` makes, in the user's cache, comes first.
"""

import ctypes
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import platformdirs

PACKAGE = Path(__file__).parents[1]
"""What is installed with the package lies here."""

CORE = "libkeras_fullgrad_core.so"
"""The file of the core, which all others link to."""


def sources() -> Path | None:
    """Tells where the native sources lie: with an installed package, or around it in a checkout.

    Returns:
        The folder of ``CMakeLists.txt``, ``cmake`` and ``csrc``; None where they are in neither.

    Example:
        >>> (sources() / "csrc").is_dir()
        True
    """
    places = (PACKAGE / "_source", PACKAGE.parents[1])
    return next((folder for folder in places if (folder / "csrc" / "CMakeLists.txt").exists()), None)


@functools.cache
def cache() -> Path:
    """Tells where `keras-fullgrad build` installs to, apart for each state of the native sources.

    Returns:
        The folder, which need not be there.

    Example:
        >>> cache().name
        'keras_fullgrad'
    """
    digest = hashlib.sha256()
    if folder := sources():
        for path in sorted(path for path in (folder / "csrc").rglob("*") if path.is_file()):
            digest.update(path.read_bytes())
    return platformdirs.user_cache_path("keras-fullgrad") / digest.hexdigest()[:16] / "keras_fullgrad"


def ops(minor: str) -> Path | None:
    """Finds the op library for a minor version of TensorFlow.

    Args:
        minor: The version, as ``"2.21"``.

    Returns:
        The library, or None where there is none.

    Example:
        >>> ops("1.4") is None
        True
    """
    found = (folder / f"libkeras_fullgrad_ops_tf{minor}.so" for folder in (cache(), PACKAGE))
    return next((path for path in found if path.exists()), None)


def minors() -> list[str]:
    """Lists the minor versions of TensorFlow that there is an op library for.

    Returns:
        The versions, as ``["2.20", "2.21"]``.

    Example:
        >>> minors()[-1] in tf.__version__
        True
    """
    found = {
        path.stem for folder in (PACKAGE, cache()) for path in folder.glob("libkeras_fullgrad_ops_tf*.so")
    }
    return sorted((name.removeprefix("libkeras_fullgrad_ops_tf") for name in found), key=_by_number)


def _by_number(minor: str) -> list[int]:
    return [int(part) for part in minor.split(".")]


def build_facts(folder: Path) -> dict[str, Any]:
    """Asks a core how it was built.

    Args:
        folder: Where it lies.

    Returns:
        ``cuda_version``, None where it has no GPU kernel; ``cuda_architectures``, ``compiler``, and
        ``instruction_sets``, best first.

    Raises:
        OSError: If there is none, or it does not load.

    Example:
        >>> build_facts(ops(minors()[-1]).parent)["instruction_sets"][-1]
        'baseline'
    """
    build = ctypes.CDLL(str(folder / CORE)).keras_fullgrad_build
    build.restype = ctypes.c_char_p
    return json.loads(build())
