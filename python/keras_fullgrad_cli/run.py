"""A run of `explain`: has the maps computed that are not there yet, and keeps account."""

import contextlib
import time
from collections.abc import Sequence
from typing import Any

from keras_fullgrad_cli.console import progress_bar, say
from keras_fullgrad_cli.engines import Engine
from keras_fullgrad_cli.folder import Folder
from keras_fullgrad_cli.job import Job
from keras_fullgrad_cli.results import Outcome
from keras_fullgrad_cli.sources import Source
from keras_fullgrad_cli.writing import Writer


class Run:
    """Explains the images of a job that are not done yet."""

    def __init__(self, job: Job, folder: Folder, writer: Writer) -> None:
        self._job, self._folder, self._writer = job, folder, writer
        self._entries = folder.entries(job.images)
        self._before = sum(entry.done for entry in self._entries)
        self._seconds = 0.0
        self.explained = 0
        self.skipped: list[tuple[Source, str]] = []
        self.interrupted = False

    def go(self, engine: Engine) -> None:
        """Explains all, or as many as it is let."""
        job, size = self._job, self._job.batch_size
        began = time.perf_counter()
        rows = [entry.place.row for entry in self._entries] + [each["row"] for each in self._folder.records()]
        self._writer.prepare(1 + max(rows), job.map_shape)
        # The batches are those of a run that was never cut off: others would differ by rounding.
        self._skip(job.unread)
        batches = (self._entries[start : start + size] for start in range(0, len(self._entries), size))
        with progress_bar() as progress:
            before = self._before
            task = progress.add_task(
                "reading and tracing", total=len(self._entries), completed=before, before=before
            )
            try:
                with contextlib.closing(engine(job, batches, self._writer)) as outcomes:
                    for outcome in outcomes:
                        self._enter(outcome)
                        done = before + self.explained + len(self.skipped) - len(job.unread)
                        progress.update(task, description="explaining", completed=done)
            except KeyboardInterrupt:
                self.interrupted = True
            finally:
                self._seconds = time.perf_counter() - began
        self._writer.finish(self._folder.records())

    def _enter(self, outcome: Outcome) -> None:
        self._folder.record(outcome.records)
        self.explained += len(outcome.records)
        self._skip(outcome.unreadable)

    def _skip(self, unreadable: Sequence[tuple[Source, str]]) -> None:
        for source, reason in unreadable:
            say(f"skipped {source.path}: {reason}")
            self._folder.skip([source._asdict() | {"error": reason}])
            self.skipped.append((source, reason))

    @property
    def summary(self) -> dict[str, Any]:
        """What was done, in plain values."""
        return {
            "images": len(self._job.sources),
            "explained": self.explained,
            "done before": self._before,
            "skipped": [source._asdict() | {"error": reason} for source, reason in self.skipped],
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
