"""`keras-fullgrad explain`."""

import json
import signal
from pathlib import Path
from typing import Annotated

import typer

from keras_fullgrad_cli.console import MISTYPED, fail, failing_on, notes
from keras_fullgrad_cli.options import AsJson, EngineName, Format, Request
from keras_fullgrad_cli.startup import start

STOPPED = 130
SOME_SKIPPED = 3


def explain(
    request: Request,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    formats: Annotated[
        list[Format] | None, typer.Option("--format", help="By default overlay; may be repeated.")
    ] = None,
    cmap: Annotated[
        str | None, typer.Option(help="Matplotlib's name of a colour map. By default inferno.")
    ] = None,
    strength: Annotated[
        float | None, typer.Option(min=0, max=1, help="How much an overlay covers. By default 0.75.")
    ] = None,
    most_side: Annotated[
        int,
        typer.Option(
            "--max-side", min=1, help="The longest side of pictures; larger photographs are drawn smaller."
        ),
    ] = 1600,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was cut off.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove what a run before wrote there, and begin anew.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at an image that cannot be read.")] = False,
    engine: Annotated[
        EngineName, typer.Option(help="What computes: this process, or the machines of a Ray cluster.")
    ] = EngineName.local,
    address: Annotated[
        str | None,
        typer.Option(help="Of the Ray cluster. By default the one this machine is in, or one of its own."),
    ] = None,
    num_actors: Annotated[
        int | None,
        typer.Option(min=1, help="Ray's processes that compute. By default one for each GPU, or machine."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draws the maps of images over them, into a folder.

    Each image gets a line in results.jsonl once its files are written, so that nothing is lost where the run
    is stopped: --resume goes on. Ends with status 0, with 3 where images were skipped, with 2 where there is
    no such path or option, with 1 where the run could not go on, and with 130 where it was interrupted.
    """
    if resume and overwrite:
        fail("expected --resume or --overwrite, got both", MISTYPED)
    from keras_fullgrad_cli.sources import check_apart

    with failing_on(ValueError, missing=MISTYPED):
        check_apart(out, request.images)
    formats = formats or [Format.overlay]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ends like Ctrl-C.
    start()
    import tensorflow as tf

    from keras_fullgrad import pictures
    from keras_fullgrad_cli import engines
    from keras_fullgrad_cli.folder import Folder
    from keras_fullgrad_cli.formats import Drawing
    from keras_fullgrad_cli.job import Job
    from keras_fullgrad_cli.run import Run
    from keras_fullgrad_cli.writing import Writer

    with (
        notes(),
        failing_on(ValueError, TypeError, tf.errors.OpError),
        engines.chosen(engine, address, num_actors) as compute,
    ):
        job = Job.prepared(request, strict)
        cmap = pictures.COLOURS if cmap is None else cmap
        pictures.colour_map(cmap)
        strength = pictures.ALPHA if strength is None else strength
        drawing = Drawing(cmap, strength, most_side, request.resize, request.max_pixels)
        writer = Writer(out.absolute(), formats, drawing)
        settings = job.settings | drawing.settings | {"formats": sorted(set(formats))}
        begun = False
        try:
            with Folder(out, settings, resume, overwrite) as folder:
                begun = True
                run = Run(job, folder, writer)
                run.go(compute)
        except OSError as error:
            goes_on = "; --resume goes on" if begun else ""
            fail(f"cannot write {error.filename or out}: {error.strerror or error}{goes_on}")
    print(json.dumps(run.summary) if as_json else run)
    if run.interrupted:
        raise typer.Exit(STOPPED)
    if run.skipped:
        raise typer.Exit(SOME_SKIPPED)
