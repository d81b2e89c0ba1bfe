"""What the commands say beside their results, all of it to stderr."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.status import Status
from rich.table import Column
from rich.text import Text

from keras_fullgrad_cli.paths import MissingPathError
from keras_fullgrad_cli.wording import as_options

STDERR = Console(stderr=True)
"""The one console of all that goes there, so that lines and a progress bar do not run into each other."""


MISTYPED = 2
"""How a command ends that was given what there is not, as Typer ends one that was given no such option."""

_WIDE = 100


def say(message: str) -> None:
    """Writes a line as it stands: file names are no markup."""
    STDERR.print(message, soft_wrap=True, markup=False, highlight=False)


def fail(message: str, status: int = 1) -> NoReturn:
    """Ends the command."""
    say(f"error: {as_options(message)}")
    raise typer.Exit(status)


@contextlib.contextmanager
def failing_on(*errors: type[BaseException], missing: int = MISTYPED) -> Iterator[None]:
    """Ends the command where the library refuses what it was given.

    Args:
        errors: What it raises then. The command ends with status 1.
        missing: The status where a path that was named leads nowhere.
    """
    try:
        yield
    except errors as error:
        status = missing if isinstance(error, MissingPathError) else 1
        fail(str(error) or type(error).__name__, status)


def as_note(message: Warning | str, *_: object, **__: object) -> None:
    """Writes a warning in a line, without its place in the code; for `warnings.showwarning`."""
    say(f"note: {as_options(str(message))}")


@contextlib.contextmanager
def notes() -> Iterator[None]:
    """Says warnings in a line each, without the place in the code that they come from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = as_note
        yield


class _Rate(ProgressColumn):
    def get_table_column(self) -> Column:
        return Column(no_wrap=True)

    def render(self, task: Task) -> Text:
        done = task.completed - task.fields["before"]
        rate = f"{done / task.elapsed:.1f} images/s" if done and task.elapsed else ""
        return Text(rate, no_wrap=True)


def progress_bar() -> Progress:
    """A bar with images per second and the time left.

    Its task has a field ``before``: the images that are not of this run.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True),
    )
    return Progress(*columns, console=STDERR, expand=STDERR.width < _WIDE)


def working(what: str, console: Console = STDERR, per_second: float = 12.5) -> Status:
    """Says on a terminal what takes a while, for as long as it takes.

    Args:
        what: What is done.
        console: Where to say it.
        per_second: How often the line is drawn anew; seldom where something is being timed.
    """
    text = Text(f"{what} ...", overflow="ellipsis", no_wrap=True)
    return console.status(text, refresh_per_second=per_second)


def check_writable(path: Path) -> None:
    """Makes a file's folder, and ends the command, before it computes, where the file cannot be written."""
    existed = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    if not existed:
        path.unlink()
