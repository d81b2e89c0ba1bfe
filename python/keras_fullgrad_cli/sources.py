"""Finds image files: those that a user named, and those of folders, with what is left out and why."""

import collections
import csv
import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from PIL import Image, UnidentifiedImageError

from keras_fullgrad_cli import kinds, remote
from keras_fullgrad_cli.paths import check_exists
from keras_fullgrad_cli.remote import is_url

PARQUET = ".parquet"

SETTINGS = "keras-fullgrad.json"
"""Marks a folder that a run wrote, and holds the run's settings."""

# What systems leave beside a user's files; names that begin with a dot are hidden.
_LEFT_BY_SYSTEMS = {"@eadir", "__macosx", "desktop.ini", "ehthumbs.db", "icon\r", "thumbs.db"}


_MOST_SAID = 3


class Source(NamedTuple):
    """An image to explain.

    Attributes:
        path: The file, its URL, or its name in a Parquet file.
        wanted: The class to explain, an index or a name, where a table says so.
    """

    path: str
    wanted: str | None = None


class Found(NamedTuple):
    """What a command's arguments name.

    Attributes:
        images: The images, in order, each once for each class, and where each lies below what was named.
        unread: Images of kinds that are not read, and why.
        others: How many files there were that are no images, by the end of their names.
    """

    images: dict[Source, PurePath]
    unread: list[tuple[Source, str]]
    others: collections.Counter[str]


def check(arguments: Sequence[str]) -> None:
    """Checks that there is what arguments name on this machine, in no time.

    Raises:
        MissingPathError: If there is nothing.
    """
    for argument in arguments:
        if not is_url(argument) and not glob.has_magic(argument):
            check_exists(argument, "an image, a folder, a pattern or a table")


def check_apart(out: Path, arguments: Sequence[str]) -> None:
    """Checks that what is written does not lie among the images, where the next run would find it.

    Raises:
        ValueError: If an argument is the folder to write, or lies in it.
    """
    folder = out.resolve()
    for argument in arguments:
        if is_url(argument) or PurePath(argument).suffix.lower() in (".csv", PARQUET):
            continue
        found = [Path(argument)] if Path(argument).exists() else _matches(argument)
        if any(folder in (each.resolve(), *each.resolve().parents) for each in found):
            raise ValueError(
                f"expected --out apart from the images, got {out}, which holds {argument}: name a folder of "
                f"its own, such as {out / 'maps'}"
            )


def find(arguments: Sequence[str]) -> Found:
    """Finds the images that a command's arguments name.

    Args:
        arguments: Files, folders, which are searched whole but for what runs wrote there, URLs of either,
            patterns such as ``photos/*.jpg``, and CSV files with the columns ``path``, relative to the CSV,
            and, if wanted, ``class``. In folders without images, Parquet files are found instead.

    Returns:
        The images, and what is left out. Rows of a table may name files that do not exist, which reading
        will tell.

    Raises:
        MissingPathError: If there is nothing where an argument says.
        ValueError: If a folder, a pattern or a table has no images, or a table lacks its columns.
    """
    found = Found({}, [], collections.Counter())
    for argument in arguments:
        for source, place in _found(argument, found):
            found.images.setdefault(source, place)
    return found


def below(paths: Sequence[PurePath]) -> list[PurePath]:
    """Paths as they stand below the deepest folder that holds them all."""
    shared = _shared(paths)
    return [PurePath(*path.parts[shared:]) for path in paths]


def _shared(paths: Sequence[PurePath]) -> int:
    """How many folders, from the root, hold all paths."""
    at_each_depth = zip(*(path.parent.parts for path in paths), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda names: len(set(names)) == 1, at_each_depth))


def of_table(sources: Iterable[Source]) -> Mapping[Source, PurePath]:
    """The images of a table, and where each lies among the others."""
    listed = list(sources)
    paths = [_path_of(each.path) if is_url(each.path) else PurePath(each.path) for each in listed]
    return dict(zip(listed, below(paths), strict=True))


def _found(argument: str, found: Found) -> Iterable[tuple[Source, PurePath]]:
    if is_url(argument):
        return _at_url(argument, found)
    path = Path(argument)
    if path.is_dir():
        return _in_folder(path, found)
    if path.suffix.lower() == ".csv" and path.is_file():
        return of_table(_rows(path)).items()
    if glob.has_magic(argument) and not path.exists():
        return _of_pattern(argument)
    check_exists(path, "an image, a folder, a pattern or a table")
    return [(Source(str(path)), PurePath(path.name))]


def _of_pattern(pattern: str) -> Iterable[tuple[Source, PurePath]]:
    files = [Source(str(path)) for path in _matches(pattern)]
    if not files:
        raise ValueError(f"expected images that fit the pattern {pattern}, got none")
    return of_table(files).items()


def _matches(pattern: str) -> list[Path]:
    """The files that fit a pattern, but for what systems and runs leave."""
    paths = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
    folders = {folder for path in paths for folder in path.parents}
    runs = {folder for folder in folders if (folder / SETTINGS).exists()}
    root = _shared(paths)
    return [
        path
        for path in paths
        if path.is_file() and runs.isdisjoint(path.parents) and not _is_left(path.parts[root:])
    ]


def _in_folder(folder: Path, found: Found) -> Iterable[tuple[Source, PurePath]]:
    if (folder / SETTINGS).exists():
        raise ValueError(
            f"expected a folder of images, got {folder}, into which a run wrote its maps: name other "
            "folders, or the images themselves"
        )
    files = {PurePath(file.relative_to(folder)): Source(str(file)) for file in sorted(_walk(folder))}
    return _images_or_tables(files, str(folder), found)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        # What a run drew is no image to explain.
        folders[:] = [
            name for name in folders if not _is_left([name]) and not (Path(parent) / name / SETTINGS).exists()
        ]
        yield from (
            file for name in names if not _is_left([name]) and (file := Path(parent) / name).is_file()
        )


def _at_url(url: str, found: Found) -> Iterable[tuple[Source, PurePath]]:
    urls = remote.files(url)
    if urls is None:
        return [(Source(url), PurePath(_path_of(url).name))]
    runs = tuple(file.removesuffix(SETTINGS) for file in urls if file.endswith(f"/{SETTINGS}"))
    files: dict[PurePath, Source] = {}
    for file in urls:
        path = _path_of(file).relative_to(_path_of(url))
        if not file.startswith(runs) and not _is_left(path.parts):
            files[path] = Source(file)
    return _images_or_tables(files, url, found)


def _path_of(url: str) -> PurePosixPath:
    return PurePosixPath(unquote(urlsplit(url).path))


def _images_or_tables(
    files: Mapping[PurePath, Source], folder: str, found: Found
) -> Iterable[tuple[Source, PurePath]]:
    """The images in a folder; where there are none, the Parquet files. Notes what is left out."""
    images = {path: source for path, source in files.items() if _is_image(path, source)}
    unread = {path: source for path, source in files.items() if kinds.is_other_image(path)}
    tables = {path: source for path, source in files.items() if path.suffix.lower() == PARQUET}
    kept = images or tables
    found.unread.extend((source, kinds.why_not(path)) for path, source in unread.items())
    others = files.keys() - kept.keys() - unread.keys()
    found.others.update(path.suffix.lower() or "no suffix" for path in others)
    if not kept:
        reasons = [f"; {source.path}: {kinds.why_not(path)}" for path, source in unread.items()]
        raise ValueError(f"expected images in the folder {folder}, got none{''.join(reasons[:_MOST_SAID])}")
    return ((source, path) for path, source in kept.items())


def _is_image(path: PurePath, source: Source) -> bool:
    """Whether a file is an image, by its name, or by what it holds where its name does not say."""
    if path.suffix or is_url(source.path):
        return kinds.is_read(path)
    try:
        with Image.open(source.path, formats=list(kinds.formats())):
            return True
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return False


def _is_left(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") or part.lower() in _LEFT_BY_SYSTEMS for part in parts)


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
