"""Computes maps on the machines of a Ray cluster, through Ray Data.

A row of the data set is a batch of the local engine: whichever actor computes it, the bits are the same.
Actors read, compute and write a few batches at once, of which one is computed; what comes back is what the
index is to say. Where an actor dies, Ray starts another and gives it the batches again.
"""

import contextlib
import dataclasses
import functools
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_fullgrad import full_gradients, keep_host_memory
from keras_fullgrad.integrations.ray import use_granted_gpus
from keras_fullgrad_cli.engines import Engine
from keras_fullgrad_cli.folder import Entry, Place
from keras_fullgrad_cli.job import Job
from keras_fullgrad_cli.options import Request
from keras_fullgrad_cli.remote import is_url
from keras_fullgrad_cli.results import Outcome
from keras_fullgrad_cli.sources import Source
from keras_fullgrad_cli.writing import Writer

if TYPE_CHECKING:
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy, Dataset

_EXPECTED = (ValueError, TypeError, OSError, tf.errors.OpError)
_MOST_THREADS = 8


@contextlib.contextmanager
def connected(address: str | None, actors: int | None) -> Iterator[Engine]:
    """Connects to a cluster.

    Args:
        address: Of the cluster. None: what RAY_ADDRESS says, the one that this machine is in, or else one of
            this machine alone.
        actors: How many processes are to compute. None: one for each GPU, or, without any, each machine.

    Yields:
        The engine.

    Raises:
        ValueError: If Ray is not installed, or there is no such cluster.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    if address not in (None, "auto"):
        _check_reachable(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Its C++ logs as errors what Ray Data itself does in every run; real ones are raised, too.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray.data
    except ImportError:
        raise ValueError("expected Ray for --engine ray: pip install 'keras-fullgrad[ray]'") from None
    # Those of this machine are for actors; here nothing is computed.
    tf.config.set_visible_devices([], "GPU")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    with _printing_to_stderr():
        on_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
            raise ValueError(f"expected a Ray cluster: {error}") from error
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray put its own in place.
        try:
            yield functools.partial(_explain, actors)
        finally:
            ray.shutdown()  # Its threads print what they still have.


def _check_reachable(address: str) -> None:
    """Ray itself would go on trying."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdecimal():
        raise ValueError(f"expected --address HOST:PORT, as ray start names it, got {address}")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise ValueError(f"expected a Ray cluster at {address}: {error}") from error


@contextlib.contextmanager
def _printing_to_stderr() -> Iterator[None]:
    """Keeps what Ray prints, its C++ too, away from the summary, which scripts read."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


def _explain(
    actors: int | None, job: Job, batches: Iterable[list[Entry]], writer: Writer
) -> Generator[Outcome, None, None]:
    import ray

    ray.data.DataContext.get_current().enable_progress_bars = False
    pool, gpus = _pool(actors, bool(job.tables))
    to_do, rows = _from_tables(job, batches) if job.tables else _from_files(batches)
    if not to_do:
        return
    actor: Any = _Actor
    arguments = [_everywhere(job.request), job.strict, writer, job.labels]
    explained = rows.map(actor, fn_constructor_args=arguments, compute=pool, num_gpus=1 if gpus else None)
    done = 0
    try:
        for row in explained.iter_rows():
            done += 1
            outcome, notes = pickle.loads(row["outcome"])
            for note in notes:
                warnings.warn(note, stacklevel=1)
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome
    except ray.exceptions.RayError as error:
        raise ValueError(f"Ray gave up, --resume goes on: {error}") from error
    if done != to_do:
        raise ValueError(f"expected {to_do} batches of Ray, got {done}; --resume goes on")


def _pool(actors: int | None, reading: bool) -> tuple["ActorPoolStrategy", int]:
    """The actors that are asked for, or as many as the cluster has room for, and how many GPUs it has."""
    import ray

    cluster = ray.cluster_resources()
    cpus, gpus = int(cluster.get("CPU", 0)), int(cluster.get("GPU", 0))
    machines = sum(node["Alive"] for node in ray.nodes())
    # An actor holds a CPU, and a GPU where there are some; with no CPU to read by, Ray would wait for ever.
    most = min(cpus - reading, gpus or cpus)
    actors = actors or max(1, min(most, gpus or machines))
    if actors > most:
        held = f"{cpus} CPUs and {gpus} GPUs" if gpus else f"{cpus} CPUs"
        reader = ", and a CPU to read Parquet files" if reading else ""
        raise ValueError(f"expected --num-actors of at most {most} for {held}{reader}, got {actors}")
    # Some threads of an actor read and write while one computes.
    threads = min(_MOST_THREADS, max(2, cpus // actors))
    pool = ray.data.ActorPoolStrategy(
        size=actors, max_concurrent_calls_per_actor=threads, enable_true_multi_threading=True
    )
    return pool, gpus


def _from_files(batches: Iterable[list[Entry]]) -> tuple[int, "Dataset"]:
    """The batches that are to be done, and how many there are; actors read the files.

    Ray's reader of files would end at one that is missing, or leave it out and say nothing.
    """
    import ray

    rows = []
    for batch in batches:
        if not all(entry.done for entry in batch):
            paths = [entry.source.path for entry in batch]
            # Actors work in folders of their own.
            files = [path if is_url(path) else os.path.abspath(path) for path in paths]
            rows.append({"batch": pickle.dumps((batch, files))})
    # Each a block, which Ray gives to an actor by itself.
    return len(rows), ray.data.from_items(rows, override_num_blocks=len(rows) or 1)


def _from_tables(job: Job, batches: Iterable[list[Entry]]) -> tuple[int, "Dataset"]:
    """Likewise of Parquet files, which Ray reads."""
    import pyarrow as pa
    import ray

    all_batches = list(batches)
    to_do = sum(not all(entry.done for entry in batch) for batch in all_batches)
    entries = pa.Table.from_pylist(
        [
            {**source._asdict(), **place._asdict(), "done": done}
            for batch in all_batches
            for source, place, done in batch
        ],
        pa.schema({"path": "string", "wanted": "string", "name": "string", "row": "int64", "done": "bool"}),
    )
    # Where the rows of a block stand among all, their order alone tells.
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    rows = ray.data.read_parquet(job.tables, columns=["image", "path"])
    blocks = rows.repartition(target_num_rows_per_block=job.batch_size, strict=True)
    packed: Any = _packed
    return to_do, blocks.map_batches(
        packed, batch_size=None, batch_format="pyarrow", fn_args=[ray.put(entries), job.batch_size]
    )


def _packed(block: "pa.Table", all_entries: "ray.ObjectRef", size: int) -> dict[str, list[bytes]]:
    """Makes a batch of a block, if it is to be done."""
    import pyarrow.compute as pc
    import ray

    entries = ray.get(all_entries)
    start = pc.index(entries["path"], block["path"][0]).as_py()
    here = entries.slice(max(start, 0), size).to_pylist()
    if start % size or [each["path"] for each in here] != block["path"].to_pylist():
        raise ValueError(
            f"expected a batch of images as they stand in the Parquet files, got others at {start}"
        )
    batch = [
        Entry(Source(each["path"], each["wanted"]), Place(each["name"], each["row"]), each["done"])
        for each in here
    ]
    if all(entry.done for entry in batch):
        return {"batch": []}
    return {"batch": [pickle.dumps((batch, block["image"].to_pylist()))]}


def _everywhere(request: Request) -> Request:
    """A request without its images and labels, and with files as other processes find them."""

    def found(name: str) -> str:
        return os.path.abspath(name) if Path(name).is_file() else name

    return dataclasses.replace(
        request,
        images=[],
        model=found(request.model),
        weights=found(request.weights),
        labels=None,
    )


class _Actor:
    """Explains batches with a net of its own."""

    def __init__(self, request: Request, strict: bool, writer: Writer, labels: list[str]) -> None:
        self._writer = writer
        self._turn = threading.Lock()
        self._failed: Exception | None = None
        try:
            writer.check()
            use_granted_gpus()
            keep_host_memory()
            self._job = Job.prepared(request, strict, labels)
        except _EXPECTED as error:
            # Of one that is raised here Ray tells in its own words, and more than once.
            self._failed = error

    def __call__(self, row: dict[str, Any]) -> dict[str, bytes]:
        """Explains a batch."""
        notes: set[str] = set()
        outcome: Outcome | Exception | None = self._failed
        if outcome is None:
            entries, contents = pickle.loads(row["batch"])
            try:
                outcome = self._explained(entries, contents, notes)
            except _EXPECTED as error:
                outcome = error
        return {"outcome": pickle.dumps((outcome, notes))}

    def _explained(
        self, entries: list[Entry], contents: list[str | bytes | None], notes: set[str]
    ) -> Outcome:
        job = self._job
        read, unreadable = job.read(entries, contents)
        if all(image.entry.done for image in read):
            return Outcome([], unreadable)
        x, y = job.inputs(read)
        with self._turn, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", UserWarning)
            explained = full_gradients(job.net.model, x, y, batch_size=len(x), verbose=0, **job.params)
        notes.update(str(warning.message) for warning in caught)
        results, failed = job.results(read, explained)
        self._writer.write(results)
        return Outcome([result.record for result in results], [*unreadable, *failed])
