"""What computes the maps of a job: this process, or the machines of a cluster. Both give the same."""

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, nullcontext

from keras_fullgrad_cli.folder import Entry
from keras_fullgrad_cli.job import Job
from keras_fullgrad_cli.options import EngineName
from keras_fullgrad_cli.results import Outcome
from keras_fullgrad_cli.writing import Writer

Engine = Callable[[Job, Iterable[list[Entry]], Writer], Generator[Outcome, None, None]]
"""Computes and writes the maps of batches, but for those that are all done, and tells what came of each."""


def chosen(name: EngineName, address: str | None, actors: int | None) -> AbstractContextManager[Engine]:
    """Finds an engine, to be entered before a job is prepared.

    Args:
        name: The engine.
        address: Of the Ray cluster.
        actors: How many of Ray's processes are to compute.

    Returns:
        What is the engine while it is entered.

    Raises:
        ValueError: If the engine is not installed, or does not take what was asked for.
    """
    if name is EngineName.ray:
        from keras_fullgrad_cli.engines import ray

        return ray.connected(address, actors)
    if address is not None or actors is not None:
        raise ValueError("expected --engine ray with --address or --num-actors, got --engine local")
    from keras_fullgrad_cli.engines import local

    return nullcontext(local.explain)
