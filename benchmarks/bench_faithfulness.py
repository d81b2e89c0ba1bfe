"""What measures of explanations say of FullGrad, its kin, the plain gradient and chance, on the shipped net.

Scenes are made of digits that the net was not trained on. Each figure is a mean over them, with the 95%
confidence interval of a bootstrap over scenes, and so is its difference to the plain gradient's.

    python benchmarks/bench_faithfulness.py --json benchmarks/results/faithfulness.json \
        --plot docs/faithfulness.png
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib.pyplot as plt
import numpy as np
import scipy
from rich.console import Console
from rich.table import Table

import keras_fullgrad as ke
import measuring
from keras_fullgrad.demo.scenes import make_scenes, split_digits
from keras_fullgrad.demo.show import NET
from keras_fullgrad.demo.train import SEED
from keras_fullgrad.methods.gradient import full_gradients, gradients
from keras_fullgrad.methods.meta import smooth

SCENES_SEED = 100  # Other scenes than those that the net was tried on while it was made.
SHUFFLES = 3
METHODS = {
    "FullGrad": (full_gradients, {}),
    "FullGrad, paper": (full_gradients, {"preset": "paper"}),
    "Simple FullGrad, paper": (full_gradients, {"preset": "paper", "simple": True}),
    "Smooth FullGrad, paper": (smooth(full_gradients), {"preset": "paper"}),
    "plain gradient": (gradients, {}),
    "SmoothGrad": (smooth(gradients), {}),
}
RIVAL, CHANCE = "plain gradient", "random"
# Dense where curves turn: few pixels of a scene are the digit's.
ENDS = np.array([0, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1])
SHARES = np.concatenate([ENDS, np.linspace(0.15, 0.85, 15), 1 - ENDS[::-1]])

COLOURS = {
    "FullGrad": "#d55e00",
    "FullGrad, paper": "#e69f00",
    "Simple FullGrad, paper": "#8c564b",
    "Smooth FullGrad, paper": "#cc79a7",
    "plain gradient": "#0072b2",
    "SmoothGrad": "#56b4e9",
    CHANCE: "#7f7f7f",
}
KINDS = {"dense": "logits", "batch": "batch norm", "conv2": "convolution"}


def draw_maps(model, x):
    """Maps of every method, each from 0 to 1 as `ke.full_gradients` gives them, and random ones."""
    maps = {
        name: ke.explain(method, model, x, verbose=0, postprocessing=ke.filters.normalize, **params)[1]
        for name, (method, params) in METHODS.items()
    }
    return maps | {CHANCE: np.random.default_rng(0).random(x.shape)}


def draw_curves(model, x, maps):
    """Of each measure that gives curves, those of each method."""
    mean = x.mean((1, 2), keepdims=True)
    measures = {
        "perturbation, black": (ke.metrics.pixel_perturbation, 0),
        "perturbation, mean": (ke.metrics.pixel_perturbation, mean),
        "deletion": (ke.metrics.deletion, 0),
        "insertion": (ke.metrics.insertion, 0),
    }
    return {
        name: {method: measure(model, x, each, shares=SHARES, value=value) for method, each in maps.items()}
        for name, (measure, value) in measures.items()
    }


def draw_cascades(model, x):
    """The layers, and for each method the similarity of each map after each, a mean over shuffles."""
    values = {}
    for name, (method, params) in METHODS.items():
        cascades = [
            ke.metrics.cascading_randomisation(method, model, x, seed=seed, **params)
            for seed in range(SHUFFLES)
        ]
        values[name] = np.mean([cascade.values for cascade in cascades], axis=0)
    return cascades[0].layers, values


def rows_of(measure, values):
    """A row for each method: mean and interval, and those of the difference to the plain gradient."""
    for method, each in values.items():
        row = {"measure": measure, "method": method}
        for name, figures in (("", each), ("minus plain ", each - values[RIVAL])):
            low, high = measuring.confidence(figures)
            row |= {f"{name}mean": figures.mean(), f"{name}low": low, f"{name}high": high}
        yield {key: value if isinstance(value, str) else float(value) for key, value in row.items()}


def show(rows):
    table = Table("method", title="Means and their 95% confidence intervals")
    cells = {(r["method"], r["measure"]): f"{r['mean']:.3f}\n[{r['low']:.3f}, {r['high']:.3f}]" for r in rows}
    measures = dict.fromkeys(row["measure"] for row in rows)
    for measure in measures:
        table.add_column(measure, justify="right")
    for method in COLOURS:
        table.add_row(method, *(cells.get((method, measure), "-") for measure in measures))
    Console(width=170).print(table)


def plot(curves, layers, cascades, path):
    """Curves of the measures, and the similarity of maps while layers are randomised, with bands."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 8.8), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12, w_pad=0.12)
    panels = {
        "perturbation, black": ("Pixel perturbation", "less", "least salient pixels made black, %", 100),
        "deletion": ("Deletion", "less", "most salient pixels made black, %", 5),
        "insertion": ("Insertion", "more", "most salient pixels put into black, %", 30),
    }
    for axis, (measure, (title, better, label, end)) in zip(axes.flat, panels.items(), strict=False):
        for name, curve in curves[measure].items():
            draw(axis, name, 100 * SHARES, curve.values)
        axis.set_title(f"{title}: {better} is better", loc="left")
        axis.set(xlabel=label, xlim=(0, end), ylim=(0, None))
        axis.set_ylabel("change of the logit, relative" if end == 100 else "probability of the class")
    axis = axes[1, 1]
    steps = np.arange(len(layers) + 1)
    for name, values in cascades.items():
        draw(axis, name, steps, np.insert(values, 0, 1, axis=1))
    axis.set_title("Cascading randomisation: less is better", loc="left")
    axis.set(ylabel="rank correlation with the map before", ylim=(0, 1.03), xlim=(0, steps[-1]))
    axis.set_xlabel("layers randomised, from the logits down to")
    axis.set_xticks(steps, ["none", *(KINDS[layer[:5]] for layer in layers)])
    plt.setp(axis.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110)


def draw(axis, name, xs, values):
    low, high = measuring.confidence(values)
    axis.fill_between(xs, low, high, color=COLOURS[name], alpha=0.18, linewidth=0)
    axis.plot(
        xs,
        values.mean(axis=0),
        linestyle="--" if name == CHANCE else "-",
        color=COLOURS[name],
        linewidth=1.8,
        label=name,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--plot", type=Path, help="draw the curves to this file")
    parser.add_argument("--scenes", type=int, default=160, help="scenes that maps are measured on")
    parser.add_argument("--cascades", type=int, default=20, help="scenes among them that cascades are run on")
    options = parser.parse_args()

    model = keras.models.load_model(NET, compile=False)
    _, held_out = split_digits(SEED)
    scenes = make_scenes(held_out, options.scenes, SCENES_SEED)
    x = scenes.images
    predicted = model.predict(x, verbose=0).argmax(-1)

    maps = draw_maps(model, x)
    curves = draw_curves(model, x, maps)
    energies = {name: ke.metrics.energy_pointing_game(each, scenes.boxes) for name, each in maps.items()}
    layers, cascades = draw_cascades(model, x[: options.cascades])
    values = {measure: {name: c.areas for name, c in each.items()} for measure, each in curves.items()}
    values["energy in box"] = {name: energy.values for name, energy in energies.items()}
    values["logits random"] = {name: each[:, 0] for name, each in cascades.items()}
    values["all random"] = {name: each[:, -1] for name, each in cascades.items()}
    rows = [row for measure, each in values.items() for row in rows_of(measure, each)]

    show(rows)
    facts = {
        "scenes": options.scenes,
        "predicted right": int(np.sum(predicted == scenes.classes)),
        "scenes of cascades": options.cascades,
        "box's share of area": energies[RIVAL].mean_area,
    }
    print(*(f"{name}: {value}" for name, value in facts.items()), sep=", ")
    if options.json is not None:
        machine = measuring.machine() | {"scipy": scipy.__version__}
        found = {"machine": machine, **facts, "rows": rows}
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.plot is not None:
        plot(curves, layers, cascades, options.plot)


if __name__ == "__main__":
    main()
