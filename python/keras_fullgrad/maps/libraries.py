"""Where the native libraries lie: the core, and a thin op library for each minor version of TensorFlow.

Both are installed with the package; `keras-fullgrad build` makes what it lacks, in the user's cache.
"""

import ctypes
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs

PACKAGE = Path(__file__).parents[1]
"""What is installed with the package lies here."""

CORE = "libkeras_fullgrad_core.so"
"""The file of the core, which all others link to."""


def cache() -> Path:
    """Tells where `keras-fullgrad build` installs to, apart for each version of this package.

    Returns:
        The folder, which need not be there.

    Example:
        >>> cache().name
        'keras_fullgrad'
    """
    return platformdirs.user_cache_path("keras-fullgrad") / version("keras-fullgrad") / "keras_fullgrad"


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
    found = (folder / f"libkeras_fullgrad_ops_tf{minor}.so" for folder in (PACKAGE, cache()))
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
