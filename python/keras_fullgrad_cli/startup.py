"""Loads the library when a command needs it: it takes seconds, which ``--help`` must not."""

import contextlib
import importlib
import os
import warnings
from collections.abc import Iterator
from typing import IO

from rich.console import Console

from keras_fullgrad_cli.console import as_note, fail, working


def start() -> None:
    """Loads the library, and lets it keep its memory."""
    # Where there is no TensorFlow, the library says what to install.
    missing = contextlib.suppress(ModuleNotFoundError)
    with missing, _quiet() as stderr, working("loading TensorFlow", Console(file=stderr)):
        importlib.import_module("tensorflow")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = as_note  # type: ignore[assignment]
            from keras_fullgrad.running.memory import keep_host_memory
    except ModuleNotFoundError:
        raise
    except ImportError as error:
        fail(str(error))
    keep_host_memory()


@contextlib.contextmanager
def _quiet() -> Iterator[IO[str]]:
    """Keeps the lines that TensorFlow logs as it loads off the screen; yields what still leads there."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Some are written before TensorFlow has read its log level.
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        with os.fdopen(os.dup(stderr), "w") as still_heard:
            yield still_heard
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
