"""Paths that a user named: there must be something, and a slip of the pen is told as one."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path


class MissingPathError(ValueError):
    """There is nothing where a user said."""


def check_exists(path: str | Path, what: str) -> None:
    """Checks that a path leads somewhere.

    Args:
        path: The path.
        what: What it is to be, such as ``an image or a folder of images``.

    Raises:
        MissingPathError: If there is nothing; with what was meant, if that can be told.
    """
    if not os.path.lexists(path):
        raise MissingPathError(f"expected {what}, there is no {path}{hint(path)}")


def hint(path: str | Path) -> str:
    """What a missing path was meant to be, as the end of a message; nothing where that cannot be told."""
    meant = Path()
    for part in Path(path).parts:
        if not (meant / part).exists():
            try:
                beside = os.listdir(meant)
            except OSError:
                return ""
            close = closest(part, beside)
            if close is None:
                return ""
            part = close
        meant /= part
    return f"; did you mean {meant}?"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of several words that another was most likely meant to be, if one is near."""
    folded = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.7)
    return folded[close[0]] if close else None
