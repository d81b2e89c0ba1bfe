"""FullGrad maps of whole nets against the plain input gradient: time and peak memory.

Checks the answers, then times, for the same images and classes, arrays in and arrays out:

- plain: the input gradient alone, as TensorFlow computes it in one `tf.function`;
- full: `ke.full_gradients`, as a user calls it;
- reference: the same in TensorFlow's own ops, the model computed as it is;
- retraced: as keras-explainable does it: a new `tf.function` for each call, and every channel resized before
  the mean. It takes the most memory by far; `--retraced-repeats 0` leaves it out.

Each timing and each peak is taken in a process of its own. All batches are timed over as many images, a small
one more often; what is done is in the JSON file at once.

    python benchmarks/bench_end_to_end.py --json benchmarks/results/end_to_end.json
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import functools

import keras
import numpy as np
import tensorflow as tf

import keras_fullgrad as ke
import measuring
from keras_fullgrad_cli.timing import interleaved, plain_gradient

NETS = {
    "Xception": 299,
    "ResNet50": 224,
    "VGG16": 224,
    "InceptionV3": 299,
    "DenseNet121": 224,
    "NASNetMobile": 224,
    "EfficientNetB0": 224,
    "EfficientNetV2B0": 224,
    "MobileNetV2": 224,
    "MobileNetV3Small": 224,
    "ConvNeXtTiny": 224,
}
BATCHES = [1, 4, 8]
IN_MEMORY = ("plain", "full", "reference")

traced = functools.partial(tf.function, autograph=False)


def drawn(name):
    """A net of keras.applications; no bias of it is 0, and so would be its term."""
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    for weight in model.weights:
        if weight.name in ("bias", "beta"):
            weight.assign(keras.random.normal(weight.shape, stddev=0.1))
    return model


def drawn_batch(batch, size):
    """Images and classes, arrays."""
    x = np.random.default_rng(0).uniform(-1, 1, [batch, *size, 3]).astype(np.float32)
    return x, np.zeros([batch, 1], np.int64)


def plain_and_full(model, x, y, **options):
    """The input gradient, and the map."""
    gradient = traced(plain_gradient(model))
    options = {"batch_size": len(x), "verbose": 0, "implicit_biases": False, "postprocessing": None} | options
    return {
        "plain": lambda: gradient(tf.constant(x), tf.constant(y)).numpy(),
        "full": lambda: ke.full_gradients(model, x, y, **options).maps,
    }


def runs_of(name, batch):
    """What there is to run, by its name; nothing is traced yet."""
    model = drawn(name)
    x, y = drawn_batch(batch, [NETS[name]] * 2)
    exposed = ke.inspection.expose(model)
    biases = ke.inspection.biases([endpoint.layer for endpoint in exposed.arguments])

    def resized_first(x, y):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits, *signals = exposed(x)
            target = tf.gather(logits, y, axis=-1, batch_dims=1)
        maps = 0.0
        for gradient, bias in zip(tape.gradient(target, [x, *signals]), [x, *biases], strict=True):
            if gradient.shape.rank == 4:
                term = tf.abs(gradient * bias)
                term -= tf.reduce_min(term, axis=[1, 2], keepdims=True)
                term = tf.math.divide_no_nan(term, tf.reduce_max(term, axis=[1, 2], keepdims=True))
                maps += tf.reduce_mean(tf.image.resize(term, x.shape[1:3]), axis=-1, keepdims=True)
        return maps

    reference = plain_and_full(model, x, y, backend="tensorflow", fold_batch_norms=False)["full"]
    return plain_and_full(model, x, y) | {
        "reference": reference,
        "retraced": lambda: traced(resized_first)(tf.constant(x), tf.constant(y)).numpy(),
    }


def seconds_of(name, batch, repeats, retraced_repeats):
    runs = runs_of(name, batch)
    last = {"retraced": runs.pop("retraced")}
    retraced = last if retraced_repeats else {}
    expected = runs["reference"]()
    for way, run in {"full": runs["full"], **retraced}.items():
        # Not pixel by pixel: a signal within rounding of 0 passes a ReLU in one path and not in the other.
        error = np.linalg.norm(run() - expected) / np.linalg.norm(expected)
        assert error < 1e-3, (way, name, batch, error)
    seconds = interleaved(runs, repeats)
    return seconds | (interleaved(retraced, retraced_repeats, warm_up=0) if retraced else {})


def gigabytes_of(name, batch, way):
    """The peak of memory over a trace and three calls."""
    run = runs_of(name, batch)[way]
    for _ in range(3):
        run()
    return measuring.gigabytes()


def main():
    parser = measuring.arguments(__doc__.split("\n")[0])
    parser.set_defaults(repeats=7)
    parser.add_argument("--retraced-repeats", type=int, default=1, help="timed runs of `retraced`")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS), metavar="NET")
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--memory-batches", nargs="*", type=int, default=BATCHES, help="whose peaks to take")
    options = parser.parse_args()

    def ratio(values, one, other):
        return values[one] / values[other] if other in values else None

    rows = []
    for name in options.nets:
        for batch in options.batches:
            repeats = options.repeats * max(options.batches) // batch
            seconds = measuring.apart(seconds_of, name, batch, repeats, options.retraced_repeats)
            ways = IN_MEMORY if batch in options.memory_batches else ()
            gigabytes = {way: measuring.apart(gigabytes_of, name, batch, way) for way in ways}
            rows.append(
                {
                    "net": f"{name} {NETS[name]}",
                    "batch": batch,
                    "plain s": seconds["plain"],
                    **{
                        f"full / {way}": ratio(seconds, "full", way)
                        for way in ("plain", "reference", "retraced")
                    },
                    "plain GB": gigabytes.get("plain"),
                    "full GB": gigabytes.get("full"),
                    "full GB / plain GB": ratio(gigabytes, "full", "plain"),
                    "reference GB": gigabytes.get("reference"),
                }
            )
            if options.json:
                measuring.save(rows, options.json)
    measuring.report("Whole nets, medians", rows, options.json)


if __name__ == "__main__":
    main()
