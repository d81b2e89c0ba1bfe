"""What `keep_host_memory()` is worth: FullGrad maps of one image at a time, with it and without.

Each run is a process of its own, since the setting holds for all of one; runs take turns, and their maps
have to be the same.

    python benchmarks/bench_host_memory.py --json benchmarks/results/host_memory.json
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import functools
import statistics
import time

import keras
import numpy as np

import keras_fullgrad as ke
import measuring

NETS = [("Xception", 512), ("ResNet50", 224)]
IMAGES = 6


def run(name: str, side: int, keep: bool) -> tuple[float, float, np.ndarray]:
    """Seconds for an image, the peak of memory in GB, and the maps."""
    if keep and not ke.keep_host_memory():
        raise SystemExit("this C library has no such setting")
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    x = np.random.default_rng(0).uniform(-1, 1, [IMAGES, side, side, 3]).astype(np.float32)
    explain = functools.partial(ke.full_gradients, model, y=0, batch_size=1, verbose=0)
    explain(x[:2])
    start = time.perf_counter()
    maps = explain(x)[1]
    seconds = (time.perf_counter() - start) / IMAGES
    return seconds, measuring.gigabytes(), maps


def main() -> None:
    options = measuring.arguments(__doc__.split("\n")[0]).parse_args()
    rows = []
    for name, side in NETS:
        seconds: dict[bool, list[float]] = {False: [], True: []}
        gigabytes, maps = {}, {}
        for _ in range(options.repeats):
            for keep in seconds:
                taken, gigabytes[keep], maps[keep] = measuring.apart(run, name, side, keep)
                seconds[keep].append(taken)
        np.testing.assert_array_equal(maps[True], maps[False])
        medians = {keep: statistics.median(values) for keep, values in seconds.items()}
        rows.append(
            {
                "net": f"{name} {side}, batch 1",
                "as it is, s an image": medians[False],
                "kept, s an image": medians[True],
                "kept / as it is": medians[True] / medians[False],
                "as it is, GB": gigabytes[False],
                "kept, GB": gigabytes[True],
            }
        )
    measuring.report("keep_host_memory, medians", rows, options.json)


if __name__ == "__main__":
    main()
