"""Activations in one native pass each way against TensorFlow's own operations, on a signal of 19 MB.

Each side is one `tf.function`: the value, and the gradient before it from one behind it. A copy of the signal
shows what memory allows. Answers are checked first.

    python benchmarks/bench_activations.py --json benchmarks/results/activations.json
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import functools

import keras
import numpy as np
import tensorflow as tf

import measuring
from keras_fullgrad.native.activations import activate
from keras_fullgrad_cli.timing import interleaved

SHAPE = [4, 112, 112, 96]
ACTIVATIONS = {
    "silu": keras.activations.silu,
    "hard_silu": keras.activations.hard_silu,
    "gelu": keras.activations.gelu,
    "gelu_tanh": functools.partial(keras.activations.gelu, approximate=True),
}


def value_and_gradient(function):
    """The value, and the gradient before it, in one trace."""

    def both(x, behind):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x, behind)

    return tf.function(both, autograph=False)


def row_of(name, repeats):
    x, behind = (tf.random.stateless_normal(SHAPE, [seed, 0]) for seed in (1, 2))
    both = {
        "TensorFlow": value_and_gradient(ACTIVATIONS[name]),
        "native": value_and_gradient(functools.partial(activate, activation=name)),
    }
    value = {
        "TensorFlow": tf.function(ACTIVATIONS[name], autograph=False),
        "native": tf.function(functools.partial(activate, activation=name), autograph=False),
    }
    for mine, expected in zip(both["native"](x, behind), both["TensorFlow"](x, behind), strict=True):
        np.testing.assert_allclose(mine, expected, atol=2e-5)
    runs = {f"{side}, value": lambda run=run: run(x) for side, run in value.items()}
    runs |= {f"{side}, both": lambda run=run: run(x, behind) for side, run in both.items()}
    copied = np.empty(SHAPE, np.float32)
    runs["copy"] = lambda: np.copyto(copied, x.numpy())
    milliseconds = {run: 1e3 * seconds for run, seconds in interleaved(runs, repeats).items()}
    faster = milliseconds["TensorFlow, both"] / milliseconds["native, both"]
    return {"activation": name, **{f"{run}, ms": took for run, took in milliseconds.items()}, "times": faster}


def main():
    parser = measuring.arguments(__doc__.split("\n")[0])
    parser.set_defaults(repeats=31)
    options = parser.parse_args()
    rows = [measuring.apart(row_of, name, options.repeats) for name in ACTIVATIONS]
    measuring.report("Activations and the gradients before them, medians", rows, options.json)


if __name__ == "__main__":
    main()
