"""What the commands say beside their results, all of it to stderr."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

STDERR = Console(stderr=True)
"""The one console of all that goes there, so that lines and a progress bar do not run into each other."""


def say(message: str) -> None:
    """Writes a line as it stands: file names are no markup."""
    STDERR.print(message, soft_wrap=True, markup=False, highlight=False)


def fail(message: str) -> NoReturn:
    """Ends the command with status 1."""
    say(f"error: {message}")
    raise typer.Exit(1)


@contextlib.contextmanager
def failing_on(*errors: type[BaseException]) -> Iterator[None]:
    """Ends the command where the library refuses what it was given."""
    try:
        yield
    except errors as error:
        fail(str(error) or type(error).__name__)


@contextlib.contextmanager
def notes() -> Iterator[None]:
    """Says warnings in a line each, without the place in the code that they come from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_: say(f"note: {message}")
        yield


_TEXTS = 44  # What stands beside a bar is about as wide.


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        done = task.completed - task.fields["before"]
        return Text(f"{done / task.elapsed:.1f} images/s" if done and task.elapsed else "")


def progress_bar() -> Progress:
    """A bar with images per second and the time left.

    Its task has a field ``before``: the images that are not of this run.
    """
    texts = (MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    columns = (BarColumn(min(40, STDERR.width - _TEXTS)), *texts) if STDERR.width > _TEXTS + 4 else texts[:2]
    return Progress(*columns, console=STDERR)


def check_writable(path: Path) -> None:
    """Ends the command where a file cannot be written, before anything is computed for it."""
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    if not existed:
        path.unlink()
