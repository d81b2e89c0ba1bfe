"""Whether memory stays flat: over a thousand small calls, and over a stream of two thousand images.

python benchmarks/bench_steady.py --json benchmarks/results/steady.json
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_fullgrad as ke
import measuring

SHAPE = (64, 64, 3)


def net():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2(SHAPE, weights=None, classes=10, classifier_activation=None)


def small_calls(calls):
    """Explains one image at each call, a drawn class of it."""
    model, random = net(), np.random.default_rng(0)
    for _ in range(calls):
        ke.full_gradients(model, random.uniform(-1, 1, [1, *SHAPE]), y=int(random.integers(10)), verbose=0)
        yield measuring.gigabytes("VmRSS")


def stream(batches):
    """Explains batches of 16 images, made as they are asked for, and keeps none."""
    random = np.random.default_rng(0)
    images = (random.uniform(-1, 1, [16, *SHAPE]) for _ in range(batches))
    for _ in ke.explain_iter(ke.methods.gradient.full_gradients, net(), images):
        yield measuring.gigabytes("VmRSS")


def row(name, steps, count, unit):
    """Memory once the run has warmed up, after a tenth of it, and at its end."""
    sizes = list(steps(count))
    early, late = np.max(sizes[count // 10 : count // 5]), np.max(sizes[-count // 10 :])
    return {
        "run": name,
        "steps": f"{count} {unit}",
        "GB in the second tenth": early,
        "GB in the last": late,
        "late / early": late / early,
    }


def main():
    options = measuring.arguments(__doc__.split("\n")[0]).parse_args()
    rows = [
        measuring.apart(row, "one image a call", small_calls, 1000, "calls"),
        measuring.apart(row, "a stream of 2,000 images", stream, 125, "batches"),
    ]
    measuring.report("Memory in use", rows, options.json)


if __name__ == "__main__":
    main()
