"""Whether the terms add up to the logit, and maps hold them, on every family of image nets of keras-hub.

The nets are those of `hub_zoo`: small, with drawn weights and batch-norm statistics. For each net, in a
process of its own: the relative error of the sum of all terms; which share of all terms has no place in the
map, as the library tells; which share is neither drawn nor told; how far the native map is from TensorFlow's,
and that of an image alone from that of the same image beside another.

    python benchmarks/completeness_hub.py --json benchmarks/results/keras_hub.json --docs docs/exactness.md
"""

import argparse
import json
import os
import re
import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import hub_zoo
import keras_fullgrad as ke
import measuring
from keras_fullgrad.maps import op

MOST_CANCELLED = 300
BAR = 1e-4
HELD = ("terms", "untold", "native against TensorFlow", "alone against in a batch")


def spread(gradients, weights, size, *, layout, **_):
    """In place of the op: each term's sum, evenly over its area. So a resize keeps it."""
    total = 0.0
    for gradient, weight in zip(gradients, weights, strict=True):
        if layout == "channels_first" and weight.shape.rank == 1:
            weight = tf.reshape(weight, [-1] + [1] * (gradient.shape.rank - 2))
        product = tf.cast(gradient, tf.float64) * tf.cast(weight, tf.float64)
        total += tf.reduce_sum(product, range(1, gradient.shape.rank))
    pixels = tf.ones(tf.concat([tf.shape(total), size], 0), tf.float64)
    return tf.einsum("b,b...->b...", total, pixels / tf.cast(tf.reduce_prod(size), tf.float64))


def sums_of_maps(model, x, source):
    """The sum over each layer's map of the signed terms."""
    with mock.patch.object(op, "saliency_map", spread):
        found = ke.full_gradients(
            model,
            x,
            0,
            psi=ke.filters.identity,
            implicit_biases=True,
            return_terms=True,
            source=source,
            postprocessing=None,
            resizing=False,
            verbose=0,
        )
    return {name: float(one.sum()) for name, one in found.terms.items()}


def image_of(x, source):
    return x if source is None else x[source]


def index_of(inputs, source):
    """Which of the floating inputs, in the order in which Keras flattens them, is the image."""
    floating = [array for array in keras.tree.flatten(inputs) if array.dtype.kind == "f"]
    return next(i for i, array in enumerate(floating) if array is image_of(inputs, source))


def draw_net(name):
    """A net, inputs of two images, the first of them, the image's name, and the first's decomposition.

    It is drawn again where a logit is but a small difference of large terms: what is left of it is rounding.
    """
    for seed in range(10):
        model, inputs, source = hub_zoo.make(name, seed)
        first = keras.tree.map_structure(lambda array: array[:1], inputs)
        parts = ke.decompose(model, first, 0, source=source)
        if size_of(parts) < MOST_CANCELLED * abs(parts.logits).max():
            break
    return model, inputs, first, source, parts, seed


def size_of(parts):
    return sum(abs(part.total).max() for part in parts.parts)


def apart(one, other):
    """How far two maps are apart, relative to the largest value."""
    return float(np.abs(one - other).max() / np.abs(other).max())


def measure(name):
    """One net's figures, as far as there are any, and why there are no more."""
    warnings.simplefilter("ignore", UserWarning)
    figures = {}
    try:
        model, inputs, first, source, parts, seed = draw_net(name)
        figures |= {
            "side": image_of(inputs, source).shape[-2],
            "seed": seed,
            "terms": parts.relative_error,
            "explicit alone": parts.relative_error_of_explicit,
        }
        figures |= measure_maps(model, inputs, first, source, parts)
    except Exception as error:
        figures["failed"] = f"{type(error).__name__}: {error}"
    return figures


def measure_maps(model, inputs, first, source, parts):
    def draw(x, **options):
        return ke.full_gradients(
            model, x, 0, implicit_biases=True, source=source, postprocessing=None, verbose=0, **options
        )

    native = draw(first, backend="native", return_terms=True)
    figures = {
        "left out": float(native.left_out[0, 0]),
        "native against TensorFlow": apart(native.maps, draw(first, backend="tensorflow").maps),
        "alone against in a batch": apart(native.maps, draw(inputs).maps[:1]),
    }
    drawn = sums_of_maps(model, first, source)
    by_name = {part.name: part for part in parts.layers}
    by_name["input"] = parts.inputs[index_of(inputs, source)]  # The others have no place in its map.
    untold = {
        name: abs(part.total[0, 0] - part.left_out[0, 0] - drawn.get(name, 0))
        for name, part in by_name.items()
    }
    return figures | {
        "untold": sum(untold.values()) / size_of(parts),
        "most untold": max(untold, key=untold.get),
    }


def in_process(name):
    """The figures of one net from a process of its own, or why there are none."""
    run = subprocess.run([sys.executable, __file__, "--measure", name], capture_output=True, text=True)
    lines = run.stdout.strip().splitlines()
    if run.returncode == 0 and lines:
        return json.loads(lines[-1])
    reasons = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
    return {"failed": reasons[-1]}


def row_of(name, figures):
    """A net's row."""

    def cell(key, form=".1e"):
        return f"{figures[key]:{form}}" if key in figures else "-"

    over = [key for key in HELD if not figures.get(key, 0) <= BAR]  # NaN is over it too.
    if "failed" in figures:
        reason = re.sub(r"\x1b\[\d+m", "", figures["failed"]).replace("|", " ")
        over.append(" ".join(reason.split())[:130])
    return {
        "net": name,
        "side": figures.get("side", "-"),
        "terms": cell("terms"),
        "explicit alone": cell("explicit alone"),
        "left out": cell("left out", ".1%"),
        "untold": cell("untold"),
        "native against TensorFlow": cell("native against TensorFlow"),
        "alone against in a batch": cell("alone against in a batch"),
        "draws": figures.get("seed", 0) + 1,
        "holds": ", ".join(["False", *over]) if over else "True",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="*", default=[*hub_zoo.NETS], help="the nets; all of them by default")
    parser.add_argument("--json", type=Path, help="write the table to this file too")
    parser.add_argument("--docs", type=Path, help="put the table into this Markdown file too")
    parser.add_argument("--measure", metavar="NET", help="print one net's figures as JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    rows = []
    for name in options.nets:
        figures = in_process(name)
        print(name, json.dumps(figures), file=sys.stderr, flush=True)
        rows.append(row_of(name, figures))
    measuring.report("Completeness on the nets of keras-hub", rows, None)
    if options.json:
        machine = measuring.machine() | {"keras_hub": metadata.version("keras-hub")}
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    if options.docs:
        measuring.write_table(rows, options.docs, "keras-hub")
    sys.exit(not all(row["holds"] == "True" for row in rows))


if __name__ == "__main__":
    main()
