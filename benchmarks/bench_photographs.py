"""What measures say of maps of photographs, by a net trained on ImageNet, which the extra ``demo`` brings.

For each kind of map: how much it depends on the class, as Pearson's correlation between the map of the top
class and those of classes drawn at random (0: a map of the class alone, 1: one of the image alone); the areas
of pixel perturbation and deletion, of which less is better, and of insertion, of which more is; and what it
costs, in plain gradients. Means over photographs, with the 95% confidence intervals of a bootstrap over them.

The photographs are scikit-image's and scikit-learn's, and what is named, such as foolbox's 20 of ImageNet:

    pip install --no-deps --target foolbox foolbox==3.3.4
    python benchmarks/bench_photographs.py 'foolbox/foolbox/data/imagenet_*.jpg' \
        --json benchmarks/results/photographs.json --docs docs/gradcam.md
"""

import argparse
import glob
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import sklearn.datasets
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table

import keras_fullgrad as ke
import measuring
from keras_fullgrad.demo import lite0, photographs
from keras_fullgrad.methods import cams, gradient, meta

DRAWN = 3
REPEATS = 5
EXPLICIT = {"implicit_biases": False}  # As maps are unless told otherwise, and no warning of it.
SIGNED = {"psi": ke.filters.identity}
FULL, PLAIN = gradient.full_gradients, gradient.gradients
METHODS = {
    "FullGrad": (FULL, EXPLICIT, ke.filters.normalize),
    "FullGrad, paper": (FULL, EXPLICIT | {"preset": "paper"}, ke.filters.normalize),
    "Smooth FullGrad": (meta.smooth(FULL), EXPLICIT, ke.filters.normalize),
    "FullGrad, focus": (meta.focus(FULL), EXPLICIT, ke.filters.normalize),
    "FullGrad, signed": (FULL, EXPLICIT | SIGNED, ke.filters.positive_normalize),
    "Grad-CAM": (cams.gradcam, {}, ke.filters.positive_normalize),
    "plain gradient": (PLAIN, {}, ke.filters.normalize),
    "SmoothGrad": (meta.smooth(PLAIN), {}, ke.filters.normalize),
}
CHANCE = "random"
SHARES = np.array(
    [0, 0.005, 0.01, 0.02, 0.03, 0.05, *np.arange(1, 10) / 10, 0.95, 0.97, 0.98, 0.99, 0.995, 1]
)


def load(pattern: str | None) -> np.ndarray:
    """The photographs, the largest square of each."""
    side = lite0.SIZE
    others = [Image.fromarray(each) for each in sklearn.datasets.load_sample_images().images]
    others += [Image.open(file) for file in sorted(glob.glob(pattern or ""))]
    squares = [
        np.asarray(ImageOps.fit(each.convert("RGB"), (side, side), Image.Resampling.BICUBIC))
        for each in others
    ]
    return np.concatenate([photographs.images(side), squares])


def draw(model, x, classes):
    """Of each method the maps of each image and class, and its price in plain gradients."""
    maps, seconds = {}, {}
    for name, (method, params, postprocessing) in METHODS.items():
        maps[name] = ke.explain(
            method, model, x, classes, postprocessing=postprocessing, verbose=0, **params
        ).maps
    for _ in range(REPEATS):
        for name, (method, params, postprocessing) in METHODS.items():
            began = time.perf_counter()
            ke.explain(
                method, model, x[:4], classes[:4, :1], postprocessing=postprocessing, verbose=0, **params
            )
            seconds.setdefault(name, []).append(time.perf_counter() - began)
    # The first of each is traced.
    plain = np.median(seconds["plain gradient"][1:])
    prices = {name: float(np.median(each[1:]) / plain) for name, each in seconds.items()}
    maps[CHANCE] = np.random.default_rng(0).random(maps["plain gradient"].shape)
    return maps, prices


def correlations(maps: np.ndarray) -> np.ndarray:
    """Of each image the mean over drawn classes; NaN where a map is blank."""
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    with np.errstate(invalid="ignore"):
        found = [
            [np.corrcoef(each[:, 0], each[:, k])[0, 1] for k in range(1, maps.shape[-1])] for each in flat
        ]
        return np.nanmean(found, axis=1)


def measure(model, x, classes, maps):
    """Of each method the figures of each image, by measure."""
    options = {"shares": SHARES, "batch_size": len(x)}
    found = {}
    for name, each in maps.items():
        top = each[..., 0]
        found[name] = {
            "class against class": correlations(each),
            "perturbation": ke.metrics.pixel_perturbation(model, x, top, classes, **options).areas,
            "deletion": ke.metrics.deletion(model, x, top, classes, **options).areas,
            "insertion": ke.metrics.insertion(model, x, top, classes, **options).areas,
        }
        print(name, {measure: round(float(values.mean()), 3) for measure, values in found[name].items()})
    return found


def rows_of(found, prices):
    """The table's rows, as text."""
    for name, figures in found.items():
        row = {"map": name}
        for measure, values in figures.items():
            low, high = measuring.confidence(values)
            row[measure] = f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"
        yield row | {"price": f"{prices[name]:.1f}" if name in prices else "-"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", nargs="?", help="further photographs, a pattern of files")
    parser.add_argument("--json", type=Path, help="write the table to this file too")
    parser.add_argument("--docs", type=Path, help="put the table into this page, between its marks")
    options = parser.parse_args()
    model, x = lite0.load(), lite0.preprocess(load(options.photographs))
    top = model.predict(x, verbose=0).argmax(-1)
    classes = np.concatenate(
        [top[:, None], np.random.default_rng(0).integers(0, 1000, [len(x), DRAWN])], axis=1
    )
    maps, prices = draw(model, x, classes)
    rows = list(rows_of(measure(model, x, top, maps), prices))
    table = Table(*rows[0], title=f"{len(x)} photographs")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)
    if options.json:
        facts = {"machine": measuring.machine(), "photographs": len(x), "rows": rows}
        options.json.write_text(json.dumps(facts, indent=1) + "\n")
    if options.docs:
        measuring.write_table(rows, options.docs, "photographs")


if __name__ == "__main__":
    main()
