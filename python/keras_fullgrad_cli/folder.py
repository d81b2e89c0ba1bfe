"""The folder that `explain` writes: files whole or not at all, and an index of what is done."""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, NamedTuple

from keras_fullgrad.reporting.files import UNFINISHED, write_whole
from keras_fullgrad_cli.names import names
from keras_fullgrad_cli.options import Format
from keras_fullgrad_cli.sources import SETTINGS, Source

INDEX = "results.jsonl"
SKIPPED = "skipped.jsonl"
SHEET = "contact-sheet.png"

ENDINGS = {Format.overlay: ".overlay.png", Format.map: ".map.png", Format.npy: ".npy"}
"""How the files of an image end, of each format that has one for each."""

STORES = {Format.parquet: "maps.parquet", Format.zarr: "maps.zarr"}
"""What the other formats put all maps into."""


class Place(NamedTuple):
    """Where the results of an image go.

    Attributes:
        name: How its files begin, below the folder; no other image's do.
        row: Its row in arrays of all images.
    """

    name: str
    row: int


class Entry(NamedTuple):
    """An image of a run.

    Attributes:
        source: What is explained.
        place: Where the results go.
        done: Whether they are there.
    """

    source: Source
    place: Place
    done: bool


class Folder:
    """A folder with the results of one run, which may have been cut off and taken up again.

    An image is done once it stands in the index; the files of others are written again. One process at a
    time holds the folder.
    """

    def __init__(
        self, path: Path, settings: dict[str, Any], resume: bool = False, overwrite: bool = False
    ) -> None:
        """Opens the folder, and creates it where there is none.

        Args:
            path: The folder.
            settings: What results depend on; a run is taken up with the same only.
            resume: Whether to go on with a run that was cut off.
            overwrite: Whether to remove what another run wrote, and nothing else.

        Raises:
            ValueError: If there is a run already and it is neither to be resumed nor overwritten, or was of
                other settings, or another process is at it.
            OSError: If the folder cannot be written.
        """
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._index = (path / INDEX).open("a+b")
        try:
            fcntl.flock(self._index, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._done = self._read()
            if overwrite:
                self._clear()
            self._check(json.loads(json.dumps(settings)), resume)
            self.write(SKIPPED, b"")
        except BlockingIOError:
            self._index.close()
            raise ValueError(f"expected a folder that no other run writes to, got {path}") from None
        except BaseException:
            self._index.close()
            raise
        for unfinished in path.rglob(f"*{UNFINISHED}"):
            unfinished.unlink()

    def _clear(self) -> None:
        """Removes what a run wrote: first its settings, without which none goes on, and last the index."""
        (self.path / SETTINGS).unlink(missing_ok=True)
        for record in self._done.values():
            for ending in ENDINGS.values():
                (self.path / f"{record['name']}{ending}").unlink(missing_ok=True)
        for store in STORES.values():
            shutil.rmtree(self.path / store, ignore_errors=True)
        (self.path / SHEET).unlink(missing_ok=True)
        self._index.truncate(0)
        self._done = {}

    def _check(self, settings: dict[str, Any], resume: bool) -> None:
        if not self._done:
            self.write(SETTINGS, json.dumps(settings, indent=2).encode())
            return
        if not resume:
            raise ValueError(
                f"expected a folder without results, got {self.path}: --resume goes on with the run there, "
                "--overwrite begins anew"
            )
        file = self.path / SETTINGS
        try:
            before = json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            raise ValueError(f"expected the settings of the run in {file}: {error}") from error
        other = [name for name in settings if before.get(name) != settings[name]]
        if other:
            changes = "; ".join(f"{name} was {before.get(name)}, is {settings[name]}" for name in other)
            raise ValueError(f"expected the settings of the run in {self.path}: {changes}")

    def _read(self) -> dict[Source, dict[str, Any]]:
        """The images that are done. What a kill left of the last line is cut off."""
        self._index.seek(0)
        lines = self._index.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        self._index.truncate(sum(map(len, whole)))
        return {_source(record): record for record in map(json.loads, whole)}

    def entries(self, images: Mapping[Source, PurePath]) -> list[Entry]:
        """Gives each image a name and a row of its own, those it had where it is done.

        Args:
            images: The images, and where each lies below what the user named.

        Returns:
            The images, in their order.
        """
        places = {source: Place(record["name"], record["row"]) for source, record in self._done.items()}
        called = names(images, {source: place.name for source, place in places.items()})
        rows = iter(sorted(set(range(len(places) + len(images))) - {place.row for place in places.values()}))
        for source in images:
            if source not in places:
                places[source] = Place(called[source], next(rows))
        return [Entry(source, places[source], source in self._done) for source in images]

    def records(self) -> Iterator[dict[str, Any]]:
        """What was recorded of the images that are done, in the order of their rows."""
        return iter(sorted(self._done.values(), key=lambda record: record["row"]))

    def write(self, name: str, data: bytes) -> None:
        """Writes a file whole, or not at all."""
        with write_whole(self.path / name) as file:
            file.write(data)

    def record(self, records: Sequence[dict[str, Any]]) -> None:
        """Enters images into the index, once all their files are written."""
        self._index.write(_lines(records))
        self._index.flush()
        self._done |= {_source(record): record for record in records}

    def skip(self, records: Sequence[dict[str, Any]]) -> None:
        """Enters images that could not be read, and why; a resumed run tries them again."""
        with (self.path / SKIPPED).open("ab") as file:
            file.write(_lines(records))

    def __enter__(self) -> "Folder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._index.close()


def _source(record: dict[str, Any]) -> Source:
    return Source(record["path"], record["wanted"])


def _lines(records: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)
