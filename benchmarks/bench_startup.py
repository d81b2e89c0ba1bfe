"""What comes before the first map: importing the package, and tracing deep nets.

python benchmarks/bench_startup.py --json benchmarks/results/startup.json
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import statistics
import subprocess
import sys
import time

import keras
import tensorflow as tf

import keras_fullgrad as ke
import measuring
from keras_fullgrad_cli.timing import interleaved, plain_gradient

NETS = ["ResNet152", "DenseNet201", "EfficientNetB4"]


def seconds_to_import(package):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {package}"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def traces(name):
    """What there is to trace, by its name: each call traces anew."""
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    signature = tf.TensorSpec([None, *model.input_shape[1:]]), tf.TensorSpec([None, 1], tf.int64)

    def full(x, y, **options):
        return ke.methods.gradient.full_gradients(model, x, y, **options)

    def apart(x, y):
        return full(x, y, fold_batch_norms=False)

    return {
        function.__name__: lambda f=function: tf.function(f, autograph=False).get_concrete_function(
            *signature
        )
        for function in (plain_gradient(model), full, apart)
    }


def main():
    options = measuring.arguments(__doc__.split("\n")[0]).parse_args()
    packages = {"tensorflow and keras": "tensorflow, keras", "keras_fullgrad": "keras_fullgrad"}
    seconds = {name: [] for name in packages}
    for _ in range(options.repeats):
        for name, package in packages.items():
            seconds[name].append(seconds_to_import(package))
    rows = [
        {
            "what": f"import {name}",
            "s": statistics.median(values),
            "s, not folded": None,
            "plain gradient, s": None,
        }
        for name, values in seconds.items()
    ]
    for name in NETS:
        medians = interleaved(traces(name), max(1, options.repeats // 3), warm_up=1)
        rows.append(
            {
                "what": f"trace {name}",
                "s": medians["full"],
                "s, not folded": medians["apart"],
                "plain gradient, s": medians["plain"],
            }
        )
    measuring.report("Start-up, medians", rows, options.json)


if __name__ == "__main__":
    main()
