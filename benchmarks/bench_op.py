"""The fused op against the same maps in TensorFlow's own ops, on the gradients of real nets.

Checks the answers, then times, in milliseconds: reading the gradients once with the same threads,
the native op, and the reference in one `tf.function`, plain and compiled by XLA. With --naive also
the naive order: absolute value, every channel resized, then summed.

    python benchmarks/bench_op.py --json benchmarks/results/op.json
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import functools

import keras
import numpy as np
import tensorflow as tf

import measuring
from keras_fullgrad import _native, filters, inspection
from keras_fullgrad.maps import op, reference
from keras_fullgrad_cli.timing import interleaved

NETS = [("Xception", 299, 4), ("ResNet50", 224, 8)]
MODES = {
    "none": filters.absolute,
    "per channel": filters.absolute_normalize,
    "per sample": filters.absolute_normalize_per_sample,
}


def terms_of(name, side, batch):
    """The gradients and biases of a net with drawn weights, the input's term first."""
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    exposed = inspection.expose(model)
    x = tf.random.stateless_uniform([batch, side, side, 3], [0, 0], -1, 1)

    @tf.function
    def gradients_of(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits, *signals = exposed(x)
            top = tf.reduce_max(logits, axis=-1)
        return tape.gradient(top, [x, *signals])

    biases = inspection.biases([endpoint.layer for endpoint in exposed.arguments])
    # Drawn batch norms have a bias of zero.
    biases = [tf.random.stateless_normal(bias.shape, [1, i]) for i, bias in enumerate(biases)]
    terms = zip(gradients_of(x), [x, *biases], strict=True)
    of_space = [
        (gradient, weight) for gradient, weight in terms if gradient.shape.rank == 4
    ]  # Not of a dense layer.
    gradients, weights = zip(*of_space, strict=True)
    return list(gradients), list(weights), [side, side]


def naive(gradients, weights, size):
    maps = 0.0
    for gradient, weight in zip(gradients, weights, strict=True):
        maps += tf.reduce_mean(tf.image.resize(tf.abs(gradient * weight), size), axis=-1)
    return maps


def main():
    parser = measuring.arguments(__doc__.split("\n")[0])
    parser.add_argument("--naive", action="store_true", help="time the naive order too: slow")
    options = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    rows = []
    for net in NETS:
        gradients, weights, size = terms_of(*net)
        size = tf.constant(size)  # As a net gives it.
        arrays = [np.asarray(g) for g in gradients] + [np.asarray(weights[0])]
        gigabytes = sum(array.nbytes for array in arrays) / 1e9
        for mode, psi in MODES.items():
            rival = functools.partial(reference.saliency_map, size=size, psi=psi)
            runs = {
                "read": functools.partial(_native.read, arrays, threads=threads),
                "native": functools.partial(
                    op.saliency_map, gradients, weights, size, psi=psi, backend="native"
                ),
                "tf.function": functools.partial(tf.function(rival), gradients, weights),
                "XLA": functools.partial(tf.function(rival, jit_compile=True), gradients, weights),
            }
            if options.naive and mode == "none":
                runs["naive"] = functools.partial(tf.function(naive), gradients, weights, size)
            expected = rival(gradients, weights).numpy()
            for name in runs.keys() - {"read"}:
                error = np.linalg.norm(runs[name]() - expected) / np.linalg.norm(expected)
                assert error < 1e-5, (name, error)

            times = interleaved(runs, options.repeats)
            milliseconds = {name: 1e3 * seconds for name, seconds in times.items()}
            rows.append(
                {
                    "net": f"{net[0]} {net[1]}, batch {net[2]}",
                    "rescale": mode,
                    "MB": round(1e3 * gigabytes),
                    **{f"{name} ms": milliseconds.get(name, "-") for name in (*runs, "naive")},
                    "GB/s": gigabytes / times["native"],
                    "native / read": times["native"] / times["read"],
                    "tf.function / native": times["tf.function"] / times["native"],
                }
            )
    measuring.report("The op, medians", rows, options.json)


if __name__ == "__main__":
    main()
