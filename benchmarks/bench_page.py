"""The page of keras-explainable's documentation, word for word but for the import, and the plain gradient.

Each is a process of its own that builds the net and traces it; the gradient goes through in batches of 4.

    python benchmarks/bench_page.py --repeats 3 --json benchmarks/results/page.json
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import statistics
import time

import numpy as np
import tensorflow as tf

import keras_fullgrad as ke
import measuring
from keras_fullgrad_cli.timing import plain_gradient


def page():
    model = tf.keras.applications.Xception(classifier_activation=None, weights=None)
    model.layers[-1].activation = "linear"

    logits = ke.inspection.get_logits_layer(model)
    inters, biases = ke.inspection.layers_with_biases(model, exclude=[logits])
    model = ke.inspection.expose(model, inters, logits)

    x, y = np.random.rand(32, 512, 512, 3), np.random.randint(10, size=[32, 1])
    start = time.perf_counter()
    logits, maps = ke.full_gradients(model, x, y, biases=biases, verbose=0)
    seconds = time.perf_counter() - start

    assert (logits.shape, maps.shape) == ((32, 1), (32, 512, 512, 1))
    assert 0 <= maps.min() <= maps.max() <= 1
    return seconds, measuring.gigabytes()


def plain():
    # With its top the net takes images of its own size only.
    model = tf.keras.applications.Xception(include_top=False, pooling="avg", weights=None)
    model = tf.keras.Sequential([model, tf.keras.layers.Dense(1000)])

    gradient = tf.function(plain_gradient(model), autograph=False)
    x, y = np.random.rand(32, 512, 512, 3), np.random.randint(10, size=[32, 1])
    start = time.perf_counter()
    for rows in (slice(i, i + 4) for i in range(0, 32, 4)):
        gradient(tf.cast(x[rows], tf.float32), tf.constant(y[rows])).numpy()
    return time.perf_counter() - start, measuring.gigabytes()


def main():
    options = measuring.arguments(__doc__.split("\n")[0]).parse_args()
    found = {"page": [], "plain": []}
    for _ in range(options.repeats):
        for function in (page, plain):
            found[function.__name__].append(measuring.apart(function))
    seconds, gigabytes = (
        {name: statistics.median(run[index] for run in runs) for name, runs in found.items()}
        for index in (0, 1)
    )
    row = {
        "page, s": seconds["page"],
        "plain gradient, s": seconds["plain"],
        "page / plain": seconds["page"] / seconds["plain"],
        "page, GB": gigabytes["page"],
        "plain gradient, GB": gigabytes["plain"],
    }
    measuring.report("32 images of 512x512 through Xception", [row], options.json)


if __name__ == "__main__":
    main()
