"""A run of `explain`: reads, computes and writes images in batches, and counts."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_fullgrad import explain_iter, filters
from keras_fullgrad.methods.gradient import full_gradients
from keras_fullgrad_cli.console import progress_bar, say
from keras_fullgrad_cli.folder import Folder
from keras_fullgrad_cli.formats import ENCODERS, ZarrStore
from keras_fullgrad_cli.images import Source
from keras_fullgrad_cli.job import Job
from keras_fullgrad_cli.options import Format


class _Read(NamedTuple):
    source: Source
    pixels: np.ndarray
    classes: np.ndarray | None


class Run:
    """Explains the images of a job that are not done yet."""

    def __init__(
        self, job: Job, folder: Folder, formats: list[Format], cmap: str, strength: float, strict: bool
    ) -> None:
        self._job, self._folder, self._strict = job, folder, strict
        self._places = folder.places(job.sources)
        self._encoders = [ENCODERS[each] for each in dict.fromkeys(formats) if each in ENCODERS]
        self._store = (
            ZarrStore(folder.path / "maps.zarr", len(self._places)) if Format.zarr in formats else None
        )
        self._drawing = (cmap, strength)
        self._before = sum(map(folder.is_done, job.sources))
        self._seconds = 0.0
        self.explained = 0
        self.skipped: list[tuple[Source, str]] = []
        self.interrupted = False

    def go(self) -> None:
        """Explains all, or as many as it is let."""
        job = self._job
        began = time.perf_counter()
        # What is read ahead waits here until it is computed.
        upcoming: deque[_Read] = deque()
        with progress_bar() as progress:
            task = progress.add_task("", total=len(job.sources), completed=self._before)
            try:
                for logits, maps in explain_iter(
                    full_gradients,
                    job.net.model,
                    self._read(upcoming),
                    postprocessing=filters.normalize,
                    **job.params,
                ):
                    self._write([upcoming.popleft() for _ in maps], logits, maps)
                    progress.update(task, completed=self._before + self.explained + len(self.skipped))
            except KeyboardInterrupt:
                self.interrupted = True
            finally:
                self._seconds = time.perf_counter() - began
        if self._store is not None:
            self._store.finish(self._folder.records())

    def _read(self, upcoming: deque[_Read]) -> Iterator[Any]:
        job = self._job
        # The batches are those of a run that was never cut off: others would differ by rounding.
        for start in range(0, len(job.sources), job.batch_size):
            sources = job.sources[start : start + job.batch_size]
            if all(map(self._folder.is_done, sources)):
                continue
            batch = job.read(sources)
            for source, reason in batch.unreadable:
                if self._strict:
                    raise ValueError(f"{source.path}: {reason}")
                say(f"skipped {source.path}: {reason}")
                self._folder.skip([_of(source) | {"error": reason}])
                self.skipped.append((source, reason))
            if not all(map(self._folder.is_done, batch.sources)):
                classes = [None] * len(batch.sources) if batch.classes is None else batch.classes
                upcoming.extend(map(_Read, batch.sources, batch.pixels, classes))
                prepared = job.net.prepare(batch.pixels)
                yield prepared if batch.classes is None else (prepared, batch.classes)

    def _write(self, images: list[_Read], logits: Any, maps: Any) -> None:
        job, folder = self._job, self._folder
        given = [image.classes for image in images if image.classes is not None]
        classes, chosen = job.explained(logits, np.stack(given) if given else None)
        records = []
        for (source, pixels, _), of_image, values, map in zip(images, classes, chosen, maps, strict=True):
            if folder.is_done(source):
                continue
            place = self._places[source]
            for ending, encode in self._encoders:
                folder.write(place.name + ending, encode(pixels, map, *self._drawing))
            if self._store is not None:
                self._store.write(place.row, map)
            indices = [int(index) for index in of_image]
            results = {
                "classes": indices,
                "labels": [job.name(index) for index in indices],
                "logits": values.tolist(),
            }
            records.append(_of(source) | place._asdict() | results)
        folder.record(records)
        self.explained += len(records)

    @property
    def summary(self) -> dict[str, Any]:
        """What was done, in plain values."""
        return {
            "images": len(self._job.sources),
            "explained": self.explained,
            "done before": self._before,
            "skipped": [_of(source) | {"error": reason} for source, reason in self.skipped],
            "interrupted": self.interrupted,
            "seconds": round(self._seconds, 3),
            "out": str(self._folder.path),
        }

    def __str__(self) -> str:
        parts = [f"explained {self.explained} of {len(self._job.sources)} images into {self._folder.path}"]
        if self._before:
            parts.append(f"{self._before} were done before")
        if self.skipped:
            parts.append(f"{len(self.skipped)} skipped: see {self._folder.path / 'skipped.jsonl'}")
        if self.interrupted:
            parts.append("interrupted: --resume goes on")
        return "; ".join(parts)


def _of(source: Source) -> dict[str, Any]:
    return {"path": str(source.path), "wanted": source.wanted}
