"""`keras-fullgrad benchmark`."""

import functools
import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from keras_fullgrad_cli.console import failing_on, notes, working
from keras_fullgrad_cli.options import AsJson, ModelName, Preprocessing, Size, Unsafe, Weights
from keras_fullgrad_cli.startup import start

if TYPE_CHECKING:
    import keras

PLAIN, FULL, TENSORFLOW = "plain gradient", "FullGrad", "FullGrad in TensorFlow's ops"
TOLERANCE = 2e-3  # Of the maps' maximum: a rescaled channel that is nearly even shows rounding.


def benchmark(
    model: ModelName,
    weights: Weights = "none",
    unsafe: Unsafe = False,
    size: Size = None,
    batch_sizes: Annotated[
        list[int] | None, typer.Option("--batch-size", min=1, help="By default 1 and 4; may be repeated.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs, of which the median counts.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Times a model's FullGrad maps on this machine against its plain gradient.

    The maps of both paths are compared first. Runs take turns, so that all meet the same machine.
    """
    start()
    import tensorflow as tf

    from keras_fullgrad_cli import nets

    with notes(), failing_on(ValueError, TypeError, tf.errors.OpError):
        with working(f"loading {model}"):
            net = nets.load_model(model, weights, unsafe, size)
        shape = nets.for_images(net, model, size, Preprocessing.raw).shape
        rows = [_timed(net, shape, batch_size, repeats) for batch_size in batch_sizes or (1, 4)]
    if as_json:
        print(json.dumps({"model": model, "image": shape, "repeats": repeats, "rows": rows}))
        return
    table = Table("batch", title=f"{model}, images of {shape[0]}x{shape[1]}: seconds, medians of {repeats}")
    for heading in (PLAIN, FULL, TENSORFLOW, f"{FULL} / {PLAIN}"):
        table.add_column(heading, justify="right")
    for row in rows:
        seconds = (f"{row[way]:.3g}" for way in (PLAIN, FULL, TENSORFLOW))
        table.add_row(str(row["batch"]), *seconds, f"{row[FULL] / row[PLAIN]:.2f}")
    Console().print(table)


def _timed(
    model: "keras.Model", shape: tuple[int, int, int], batch_size: int, repeats: int
) -> dict[str, float]:
    import numpy as np
    import tensorflow as tf

    from keras_fullgrad.methods.gradient import full_gradients
    from keras_fullgrad_cli.timing import interleaved, plain_gradient

    x = tf.constant(np.random.default_rng(0).uniform(-1, 1, (batch_size, *shape)), tf.float32)
    y = tf.zeros([batch_size, 1], tf.int64)
    ways = {
        PLAIN: plain_gradient(model),
        FULL: lambda x, y: full_gradients(model, x, y).maps,
        TENSORFLOW: lambda x, y: full_gradients(model, x, y, backend="tensorflow").maps,
    }
    traced = {way: tf.function(run, autograph=False) for way, run in ways.items()}
    runs = {way: functools.partial(lambda run: run(x, y).numpy(), run) for way, run in traced.items()}
    with working(f"comparing the maps of both paths, batch of {batch_size}"):
        expected = runs[TENSORFLOW]()
        error = np.abs(runs[FULL]() - expected).max() / expected.max()
    if not error <= TOLERANCE:
        raise ValueError(
            f"expected the maps of both paths to agree to {TOLERANCE}, they differ by {error:.1e}"
        )
    with working(f"timing, batch of {batch_size}", per_second=1):
        return {"batch": batch_size, **interleaved(runs, repeats)}
