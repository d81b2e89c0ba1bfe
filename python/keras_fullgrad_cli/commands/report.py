"""`keras-fullgrad report`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_fullgrad_cli.console import check_writable, failing_on, notes, progress_bar, say
from keras_fullgrad_cli.options import Request
from keras_fullgrad_cli.startup import start

SOME_SKIPPED = 3


def report(
    request: Request,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write, HTML.")] = Path(
        "fullgrad-report.html"
    ),
    title: Annotated[str | None, typer.Option(help="The page's title.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at an image that cannot be read.")] = False,
) -> None:
    """Writes a page that shows each image's map, and what each layer adds to it and to the logit.

    The page opens from disk and needs nothing else; of more than a dozen images it has contents and a search,
    and it tells which were skipped. Ends with status 0, with 3 where images were skipped, and
    with 1 where nothing was written.
    """
    check_writable(out)
    start()
    import keras
    import tensorflow as tf

    import keras_fullgrad as ke
    from keras_fullgrad.reporting.encoding import IMAGE_SIZE
    from keras_fullgrad_cli.job import Job

    with notes(), failing_on(ValueError, TypeError, OSError, tf.errors.OpError):
        job = Job.prepared(request, strict)
        with progress_bar() as progress:
            task = progress.add_task("", total=len(job.sources), before=0)
            read, unreadable = job.read_all()
            for source, reason in unreadable:
                say(f"skipped {source.path}: {reason}")
            if not read:
                raise ValueError(f"expected an image that can be read, got none of {len(job.sources)}")
            x, y = job.inputs(read)
            progress.update(task, total=len(read))
            told = keras.callbacks.Callback()
            told.on_predict_batch_end = lambda batch, logs=None: progress.update(
                task, completed=len(read) * (batch + 1) // told.params["steps"]
            )
            ke.report(
                job.net.model,
                x,
                y,
                out=out,
                images=[job.shown(image, IMAGE_SIZE) for image in read],
                names=[image.entry.source.path for image in read],
                labels=job.names_of_outputs or None,
                skipped=[(source.path, reason) for source, reason in unreadable],
                batch_size=request.batch_size,
                title=title,
                verbose=0,
                callbacks=[told],
                **job.params,
            )
    print(f"{out}: {len(read)} of {len(job.sources)} images, {out.stat().st_size / 1e6:.1f} MB")
    if unreadable:
        raise typer.Exit(SOME_SKIPPED)
