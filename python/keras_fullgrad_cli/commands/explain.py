"""`keras-fullgrad explain`."""

import json
import signal
from pathlib import Path
from typing import Annotated

import typer

from keras_fullgrad_cli.console import fail, failing_on, notes
from keras_fullgrad_cli.options import AsJson, Format, Request
from keras_fullgrad_cli.startup import start

STOPPED = 130
SOME_SKIPPED = 3


def explain(
    request: Request,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    formats: Annotated[
        list[Format] | None, typer.Option("--format", help="By default overlay; may be repeated.")
    ] = None,
    cmap: Annotated[str, typer.Option(help="Matplotlib's name of a colour map.")] = "inferno",
    strength: Annotated[float, typer.Option(min=0, max=1, help="How much an overlay covers.")] = 0.75,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was cut off.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at an image that cannot be read.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draws the maps of images, into a folder.

    Each image gets a line in results.jsonl once its files are written, so that nothing is lost where the run
    is stopped: --resume goes on. Ends with status 0, with 3 where images were skipped, with 1 where the run
    could not go on, and with 130 where it was interrupted.
    """
    formats = formats or [Format.overlay]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ends like Ctrl-C.
    start()
    import tensorflow as tf

    from keras_fullgrad_cli.folder import Folder
    from keras_fullgrad_cli.job import Job
    from keras_fullgrad_cli.run import Run

    with notes(), failing_on(ValueError, TypeError, tf.errors.OpError):
        job = Job.prepared(request)
        _check_colours(cmap)
        settings = job.settings | {"formats": sorted(set(formats)), "cmap": cmap, "strength": strength}
        try:
            with Folder(out, settings, resume) as folder:
                run = Run(job, folder, formats, cmap, strength, strict)
                run.go()
        except OSError as error:
            fail(f"cannot write {error.filename or out}: {error.strerror or error}; --resume goes on")
    print(json.dumps(run.summary) if as_json else run)
    if run.interrupted:
        raise typer.Exit(STOPPED)
    if run.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _check_colours(cmap: str) -> None:
    from matplotlib import colormaps

    if cmap not in colormaps:
        raise ValueError(f"expected the name of one of matplotlib's colour maps, got '{cmap}'")
