"""The page of keras-explainable's documentation, word for word but for the import: time and peak memory.

python benchmarks/bench_page.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import resource
import time

import numpy as np
import tensorflow as tf

import keras_fullgrad as ke


def main():
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"32 images of 512x512 through Xception: {seconds:.1f} s, peak memory {peak:.1f} GB")


if __name__ == "__main__":
    main()
