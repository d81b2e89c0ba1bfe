"""How time and memory of a FullGrad map grow with the batch, the positions, the depth and the classes.

Each point is a process of its own; a line is fitted to those of each row of points, and drawn.

    python benchmarks/bench_growth.py --json benchmarks/results/growth.json --plot docs/growth.png
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import statistics
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_fullgrad as ke
import measuring

TYPICAL = {"batch": 4, "side": 128, "depth": 8, "classes": 1}
POINTS = {
    "batch": [1, 2, 4, 8, 16],
    "side": [64, 96, 128, 192, 256],
    "depth": [4, 8, 16, 32],
    "classes": [1, 2, 4, 8],
}
LABELS = {"side": "thousand positions", "depth": "convolutions"}


def net(depth):
    layers = keras.layers
    image = x = keras.Input([None, None, 3])
    for _ in range(depth):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(32, 3, padding="same")(x)))
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def measure(batch, side, depth, classes, repeats):
    """Seconds of a call, and the peak of memory in GB."""
    keras.utils.set_random_seed(0)
    model = net(depth)
    x = np.random.default_rng(0).uniform(-1, 1, [batch, side, side, 3]).astype(np.float32)
    y = np.tile(np.arange(classes), [batch, 1])
    seconds = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        _, maps = ke.full_gradients(model, x, y, batch_size=batch, verbose=0)
        seconds.append(time.perf_counter() - start)
    assert maps.shape == (batch, side, side, classes)
    return statistics.median(seconds[2:]), measuring.gigabytes()


def fit(xs, ys):
    """A line, and the share of the variance that it explains."""
    line = np.polynomial.Polynomial.fit(xs, ys, 1)
    return line, 1 - np.var(ys - line(xs)) / np.var(ys)


def main():
    parser = measuring.arguments(__doc__.split("\n")[0])
    parser.add_argument("--plot", type=Path, help="draw the points and the lines to this file")
    options = parser.parse_args()
    rows = []
    figure, axes = plt.subplots(2, len(POINTS), figsize=(13, 5.5), sharey="row", layout="constrained")
    for column, (name, values) in enumerate(POINTS.items()):
        points = [measuring.apart(measure, *(TYPICAL | {name: v}).values(), options.repeats) for v in values]
        xs = np.square(values) / 1000 if name == "side" else np.asarray(values, float)
        label = LABELS.get(name, name)
        for axis, ys, unit in zip(axes[:, column], np.transpose(points), ("s", "GB"), strict=True):
            line, explained = fit(xs, ys)
            axis.plot(xs, line(xs), color="tab:gray", linewidth=1)
            axis.plot(xs, ys, "o", color="tab:blue")
            axis.set_xlabel(label)
            axis.set_title(f"R² = {explained:.3f}", fontsize=9)
            axes[0 if unit == "s" else 1, 0].set_ylabel("seconds" if unit == "s" else "peak memory, GB")
            rows.append(
                {
                    "against": label,
                    "of": unit,
                    "from": float(ys[0]),
                    "to": float(ys[-1]),
                    "at": f"{xs[0]:g} to {xs[-1]:g}",
                    "slope": float(line.convert().coef[1]),
                    "R2": float(explained),
                }
            )
    for axis in axes[:, 0]:
        axis.set_ylim(0, None)
    if options.plot is not None:
        figure.savefig(options.plot, dpi=110)
    typical = ", ".join(f"{name} {value}" for name, value in TYPICAL.items())
    measuring.report(f"Growth around {typical}", rows, options.json)


if __name__ == "__main__":
    main()
