"""Computes maps in this process; the next batch is read while one is computed."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from keras_fullgrad import explain_iter, filters
from keras_fullgrad.methods.gradient import full_gradients
from keras_fullgrad_cli.folder import Entry
from keras_fullgrad_cli.job import Job, Read
from keras_fullgrad_cli.results import Outcome
from keras_fullgrad_cli.sources import Source
from keras_fullgrad_cli.writing import Writer


def explain(job: Job, batches: Iterable[list[Entry]], writer: Writer) -> Generator[Outcome, None, None]:
    """An :data:`keras_fullgrad_cli.engines.Engine`."""
    # What is read ahead waits here until it is computed.
    upcoming: deque[Read] = deque()
    unreadable: deque[tuple[Source, str]] = deque()

    def inputs() -> Iterator[Any]:
        for entries, contents in zip(batches, job.contents(), strict=False):
            if all(entry.done for entry in entries):
                continue
            read, others = job.read(entries, contents)
            unreadable.extend(others)
            if not all(image.entry.done for image in read):
                upcoming.extend(read)
                x, y = job.inputs(read)
                yield x if y is None else (x, y)

    for explained in explain_iter(
        full_gradients, job.net.model, inputs(), postprocessing=filters.normalize, **job.params
    ):
        read = [upcoming.popleft() for _ in explained.maps]
        results, failed = job.results(read, explained)
        writer.write(results)
        yield Outcome([result.record for result in results], [*_taken(unreadable), *failed])
    yield Outcome([], _taken(unreadable))


def _taken(waiting: deque[Any]) -> list[Any]:
    return [waiting.popleft() for _ in range(len(waiting))]
