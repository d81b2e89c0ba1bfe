"""Whether the terms add up to the logit, on every net of keras.applications.

Weights are drawn, with batch-norm statistics far from 0 and 1; an input is drawn in the net's own range,
of the smallest size that the net takes. For each net, in a process of its own: the relative error of
the sum in float32 and in float64, what the input and the explicit biases alone leave open, and how far
the native map is from TensorFlow's.

    python benchmarks/completeness.py --json benchmarks/results/completeness.json --docs docs/exactness.md
"""

import argparse
import inspect
import json
import os
import resource
import subprocess
import sys
import warnings
from concurrent import futures
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_fullgrad as ke
import measuring

NETS = sorted(name for name, value in vars(keras.applications).items() if inspect.isfunction(value))
SIDES = [32, 48, 64, 71, 75, 96, 128, 224]
MEMORY = 24 << 30
MOST_CANCELLED = 300
BARS = {"float32": 1e-4, "float64": 1e-10}


def smallest(name):
    """The net, for images of the smallest size that it takes."""
    for side in SIDES:
        try:
            return getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3))
        except ValueError as error:
            reason = error
    raise reason


def draw_weights(model, images, random):
    """Draws what a fresh net has as 0 or 1; kernels are drawn already.

    The statistics are drawn around the scale of what some images give, so that signals neither die nor blow
    up on their way through.
    """
    norms = []
    for layer in ke.inspection.flatten_layers(model):
        drawn = {
            "gamma": lambda shape: random.uniform(0.5, 1.5, shape),
            "beta": lambda shape: random.normal(0, 0.3, shape),
            "bias": lambda shape: random.normal(0, 0.3, shape),
        }
        for name, draw in drawn.items():
            weight = getattr(layer, name, None)
            if isinstance(weight, keras.Variable):
                weight.assign(draw(weight.shape))
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
            norms.append(layer)
    model(images, training=True)
    for norm in norms:
        mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
        scale = np.full_like(variance, np.mean(np.square(mean) + variance))
        norm.moving_mean.assign(random.normal(0, 0.5, mean.shape) * np.sqrt(scale))
        norm.moving_variance.assign(scale * random.uniform(0.5, 2, scale.shape))


def draw_images(model, name, random):
    """Images of bytes, as the net's own preprocessing hands them on."""
    images = random.uniform(0, 255, (8, *model.input_shape[1:]))
    module = sys.modules[getattr(keras.applications, name).__module__]
    preprocess = getattr(module, "preprocess_input", None)
    return preprocess(images) if preprocess else images


def draw_net(name):
    """A net, an input, and its decomposition.

    It is drawn again where a logit is but a small difference of large terms: what is left of it is rounding.
    """
    for seed in range(10):
        keras.utils.set_random_seed(seed)
        random = np.random.default_rng(seed)
        model = smallest(name)
        images = draw_images(model, name, random)
        draw_weights(model, images, random)
        x = images[:1]
        parts = ke.decompose(model, x)
        size = sum(abs(part.total).max() for part in parts.parts)
        if size < MOST_CANCELLED * abs(parts.logits).max():
            break
    return model, x, parts, seed


def measure(name, dtype):
    """One net in one type: its row's figures."""
    keras.config.set_floatx(dtype)
    model, x, parts, seed = draw_net(name)
    figures = {
        "side": model.input_shape[1],
        "layers": len(ke.inspection.flatten_layers(model)),
        "seed": seed,
        "error": parts.relative_error,
        "explicit": parts.relative_error_of_explicit,
    }
    if dtype == "float32":
        warnings.simplefilter("ignore", UserWarning)  # Implicit biases are left out on purpose.
        maps = [
            ke.full_gradients(model, x, verbose=0, postprocessing=None, backend=backend)[1]
            for backend in ("native", "tensorflow")
        ]
        figures["maps"] = float(np.linalg.norm(maps[0] - maps[1]) / np.linalg.norm(maps[1]))
    figures["MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return figures


def in_process(name, dtype):
    """The figures of one net from a process that must do with the memory there is, or why there are none."""
    run = subprocess.run(
        [sys.executable, __file__, "--measure", name, dtype],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)),
    )
    lines = run.stdout.strip().splitlines()
    if run.returncode == 0 and lines:
        return json.loads(lines[-1])
    reasons = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
    out_of_memory = run.returncode < 0 or any("memory" in r.lower() or "alloc" in r for r in reasons[-3:])
    return {"failed": f"more than {MEMORY >> 30} GB" if out_of_memory else reasons[-1][:80]}


def row_of(name):
    """A net's row."""
    single, double = in_process(name, "float32"), in_process(name, "float64")
    row = {"net": name, "side": single.get("side", "-"), "layers": single.get("layers", "-")}
    for dtype, figures in (("float32", single), ("float64", double)):
        row[dtype] = f"{figures['error']:.1e}" if "error" in figures else figures["failed"]
    row["explicit alone"] = f"{single['explicit']:.1e}" if "explicit" in single else "-"
    row["native against TensorFlow"] = f"{single['maps']:.1e}" if "maps" in single else "-"
    row["draws"] = f"{single.get('seed', 0) + 1}, {double.get('seed', 0) + 1}"
    row["MB"] = max(single.get("MB", 0), double.get("MB", 0))
    row["holds"] = bool(
        single.get("error", 1) <= BARS["float32"]
        and double.get("error", 1) <= BARS["float64"]
        and single.get("maps", 1) <= 1e-5
    )
    print(*row.values(), file=sys.stderr, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="*", default=NETS, help="the nets to measure; all of them by default")
    parser.add_argument("--processes", type=int, default=2, help="nets measured at a time")
    parser.add_argument("--json", type=Path, help="write the table to this file too")
    parser.add_argument("--docs", type=Path, help="put the table into this Markdown file too")
    parser.add_argument(
        "--measure", nargs=2, metavar=("NET", "DTYPE"), help="print one net's figures as JSON"
    )
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    with futures.ThreadPoolExecutor(options.processes) as processes:
        rows = list(processes.map(row_of, options.nets))
    measuring.report("Completeness: relative error of the sum of all terms", rows, options.json)
    if options.docs:
        measuring.write_table(rows, options.docs, "completeness")
    sys.exit(not all(row["holds"] for row in rows))


if __name__ == "__main__":
    main()
