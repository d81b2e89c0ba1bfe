"""The op and the whole of `full_gradients` inside GPU TensorFlow, or with --device CPU:0 on a CPU.

Checks the maps, then times, in turns: the native op; the same maps in TensorFlow's own ops, eager, in one
`tf.function`, and, for the first net, compiled by XLA; and `full_gradients` of a model, in one `tf.function`,
beside its plain input gradient. Each row is printed and written as it comes; one that fails costs that row.

    python benchmarks/gpu/bench_tensorflow.py --json FILE
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import contextlib
import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # What the benchmarks share lies beside this folder.

import keras
import numpy as np
import tensorflow as tf

import measuring
from bench_op import MODES, terms_of
from keras_fullgrad import inspection, methods
from keras_fullgrad.maps import op, reference
from keras_fullgrad_cli.timing import interleaved

NETS = [("Xception", 299, 32), ("ResNet50", 224, 32), ("EfficientNetB0", 224, 32), ("VGG16", 224, 32)]


def synchronized(run):
    def finished():
        result = run()
        # On a GPU a call returns before its result is there.
        tf.test.experimental.sync_devices()
        return result

    return finished


@contextlib.contextmanager
def exact_convolutions():
    """Convolutions whose factors keep all bits: else two graphs of one net differ more than is asked."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:  # A net whose maps are off must not change how the next is timed.
        tf.config.experimental.enable_tensor_float_32_execution(before)


def check(name, actual, expected):
    error = np.linalg.norm(actual - expected) / np.linalg.norm(expected)
    if not error < 1e-4:
        raise AssertionError(f"{name} is off by {error}")


def milliseconds(runs, repeats):
    runs = {name: synchronized(run) for name, run in runs.items()}
    return {name: 1e3 * seconds for name, seconds in interleaved(runs, repeats).items()}


def bench_op(net, mode, psi, repeats, xla):
    gradients, weights, size = terms_of(*net)
    size = tf.constant(size)
    rival = functools.partial(reference.saliency_map, size=size, psi=psi)
    runs = {
        "native": functools.partial(op.saliency_map, gradients, weights, size, psi=psi, backend="native"),
        "eager": functools.partial(rival, gradients, weights),
        "tf.function": functools.partial(tf.function(rival), gradients, weights),
    }
    if xla:
        static = functools.partial(reference.saliency_map, size=[net[1], net[1]], psi=psi)
        runs["XLA"] = functools.partial(tf.function(static, jit_compile=True), gradients, weights)
    expected = runs["eager"]().numpy()
    for name, run in runs.items():
        check(name, run().numpy(), expected)
    times = milliseconds(runs, repeats)
    total = sum(g.dtype.size * int(tf.size(g)) for g in [*gradients, weights[0]])
    return {
        "net": f"{net[0]} {net[1]}, batch {net[2]}",
        "rescale": mode,
        "MB": total / 1e6,
        **{f"{name} ms": times.get(name) for name in ("native", "eager", "tf.function", "XLA")},
        "GB/s": total / times["native"] / 1e6,
        "eager / native": times["eager"] / times["native"],
        "XLA / native": times["XLA"] / times["native"] if xla else None,
    }


def bench_whole(net, repeats):
    name, side, batch = net
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    exposed = inspection.expose(model)
    x = tf.random.stateless_uniform([batch, side, side, 3], [0, 0], -1, 1)
    y = tf.zeros([batch, 1], tf.int64)

    @tf.function
    def plain(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = tf.gather(model(x, training=False), y, axis=1, batch_dims=1)
        return logits, tape.gradient(logits, x)

    whole = tf.function(lambda x, y: methods.gradient.full_gradients(exposed, x, y))
    in_tensorflow = tf.function(
        lambda x, y: methods.gradient.full_gradients(exposed, x, y, backend="tensorflow")
    )
    with exact_convolutions():
        check("full_gradients", whole(x, y)[1].numpy(), in_tensorflow(x, y)[1].numpy())
    runs = {
        "plain gradient": functools.partial(plain, x, y),
        "full_gradients": functools.partial(whole, x, y),
        "full_gradients in TensorFlow": functools.partial(in_tensorflow, x, y),
    }
    times = milliseconds(runs, repeats)
    return {
        "net": f"{name} {side}, batch {batch}",
        **{f"{run} ms": time for run, time in times.items()},
        "full_gradients / plain gradient": times["full_gradients"] / times["plain gradient"],
    }


def main():
    parser = measuring.arguments(__doc__.split("\n")[0])
    parser.add_argument("--device", default="GPU:0")
    parser.add_argument("--batch", type=int, help="instead of 32")
    parser.add_argument("--nets", nargs="*", help="instead of all: " + ", ".join(net for net, *_ in NETS))
    options = parser.parse_args()
    kind = options.device.split(":")[0]
    if not tf.config.list_logical_devices(kind):
        parser.error(f"TensorFlow sees no {kind}; keras-fullgrad info says more")
    nets = [
        (net, side, options.batch or batch)
        for net, side, batch in NETS
        if not options.nets or net in options.nets
    ]
    op_rows = [
        (
            f"op, {net[0]}, {mode}",
            functools.partial(bench_op, net, mode, psi, options.repeats, net == nets[0]),
        )
        for net in nets
        for mode, psi in MODES.items()
    ]
    whole_rows = [
        (f"full_gradients, {net[0]}", functools.partial(bench_whole, net, options.repeats)) for net in nets
    ]
    for part, rows in [("whole", whole_rows), ("op", op_rows)]:
        path = options.json and options.json.with_stem(f"{options.json.stem}-{part}")
        with tf.device(options.device):
            measured = as_they_come(rows, path)
        if measured:
            measuring.report(f"{part} on {options.device}, medians", measured, None)


def as_they_come(rows, path):
    """Prints and writes each row once it is there; one that fails is named, and costs no other."""
    measured = []
    for name, run in rows:
        try:
            measured.append(run())
        except Exception as error:
            print(f"left out: {name}: {type(error).__name__}: {error}", flush=True)
            continue
        print(measured[-1], flush=True)
        if path:
            measuring.save(measured, path)
    return measured


if __name__ == "__main__":
    main()
