"""Writes maps in the forms that were asked for."""

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any

from keras_fullgrad.reporting.files import write_whole
from keras_fullgrad_cli import contact
from keras_fullgrad_cli.folder import SHEET
from keras_fullgrad_cli.formats import ENCODERS, Drawing
from keras_fullgrad_cli.options import Format
from keras_fullgrad_cli.results import Result
from keras_fullgrad_cli.sources import SETTINGS
from keras_fullgrad_cli.stores import STORES


class Writer:
    """Writes the maps of a run into its folder; it may be sent to other processes, which then write too."""

    def __init__(self, folder: Path, formats: Sequence[Format], drawing: Drawing) -> None:
        """Chooses forms.

        Args:
            folder: The folder.
            formats: The forms.
            drawing: How maps are drawn.

        Raises:
            ValueError: If the package for a form is not installed.
        """
        self._folder = folder
        self._encoders = [ENCODERS[each] for each in dict.fromkeys(formats) if each in ENCODERS]
        self._stores = [STORES[each](folder) for each in dict.fromkeys(formats) if each in STORES]
        self._drawing = drawing
        self._with_sheet = Format.overlay in formats

    def check(self) -> None:
        """Checks that the folder is on this machine too.

        Raises:
            ValueError: If it is not.
        """
        if not (self._folder / SETTINGS).exists():
            raise ValueError(
                f"expected the folder {self._folder} on every machine, which all must share, got none on "
                f"{platform.node()}"
            )

    def prepare(self, rows: int, shape: tuple[int, int, int]) -> None:
        """Creates what all maps, of this shape, go into."""
        for store in self._stores:
            store.prepare(rows, shape)

    def write(self, results: Sequence[Result]) -> None:
        """Writes maps."""
        for result in results:
            for ending, encode in self._encoders:
                self._write(f"{result.entry.place.name}{ending}", encode(result, self._drawing))
        for store in self._stores:
            store.write(results)

    def finish(self, records: Iterable[dict[str, Any]]) -> None:
        """Writes what is known of all images that are done."""
        found = list(records)
        for store in self._stores:
            store.finish(found)
        if self._with_sheet and found:
            self._write(SHEET, contact.sheet(self._folder, found))

    def _write(self, name: str, data: bytes) -> None:
        # The folder itself is there, or was lost and is not to be made anew.
        for parent in reversed([*PurePath(name).parents][:-1]):
            (self._folder / parent).mkdir(exist_ok=True)
        with write_whole(self._folder / name) as file:
            file.write(data)
