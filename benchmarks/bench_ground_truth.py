"""How much of a map lies on what decides, where that is known: shapes in noise, after XAI-TRIS.

Clark, Wilming & Haufe (2024, https://arxiv.org/abs/2306.12816): two classes of images are told apart by a T
or an L of four squares. *Linear*: which of the two is added to the noise, each at its own place.
*Multiplicative*: which of the two weakens it. *Translated*: the shapes lie anywhere, turned. *Xor*: both
are there, with the same sign or with opposite ones. The noise is white, or smoothed. What decides is where
the shapes are or could be; a net of three convolutions is trained on each kind, and the scenes that it
tells right are explained. A map's rank accuracy is the share of what decides among as many of its highest
positions; its energy the share of its sum that lies there.

    python benchmarks/bench_ground_truth.py --json benchmarks/results/ground_truth.json --docs docs
"""

import argparse
import itertools
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scipy.ndimage import gaussian_filter

import keras_fullgrad as ke
import maps_compared
import measuring
from keras_fullgrad import pictures

SIDE, CELL = 32, 4
T = [[1, 1, 1], [0, 1, 0]]
L = [[1, 0], [1, 0], [1, 1]]
HOME = {"T": (4, 4), "L": (16, 20)}
KINDS = {"linear": 0.4, "multiplicative": 0.6, "translated": 1.5, "xor": 1.0}
"""How strong the shapes are, in standard deviations of the noise, or what they take off it."""
NOISES = {"white": 0, "correlated": 3}
"""How far the noise is smoothed, in pixels."""
TRAINED, EXPLAINED = 6000, 200
MEASURES = ("rank accuracy", "energy")
NOISE = 0.3  # Of smoothed methods, in standard deviations of the images' own.


def shape(cells, row, column, turns=0):
    """An image of ones where the shape is."""
    image, squares = np.zeros([SIDE, SIDE]), np.kron(np.rot90(cells, turns), np.ones([CELL, CELL]))
    height, width = squares.shape
    image[row : row + height, column : column + width] = squares
    return image


def scenes(kind, noise, count, rng):
    """Images, (count, SIDE, SIDE, 1), their classes, and masks of what decides."""
    classes = rng.integers(0, 2, count)
    both = np.array([shape(T, *HOME["T"]), shape(L, *HOME["L"])])
    background = rng.normal(size=[count, SIDE, SIDE])
    if NOISES[noise]:
        background = gaussian_filter(background, (0, NOISES[noise], NOISES[noise]), mode="wrap")
        background /= background.std()
    masks = np.broadcast_to(both.any(axis=0), background.shape)
    if kind == "xor":
        signs = rng.choice([-1, 1], count)
        weights = np.stack([signs, np.where(classes == 1, signs, -signs)], axis=1)
        shapes = np.einsum("ik,khw->ihw", weights, both)
    elif kind == "translated":
        turned = rng.integers(0, 4, count)
        places = rng.integers(0, SIDE - 3 * CELL + 1, [count, 2])
        drawn = zip(classes, places, turned, strict=True)
        shapes = np.array([shape((T, L)[index], *place, turns) for index, place, turns in drawn])
        masks = shapes > 0
    else:
        shapes = both[classes]
    strength = KINDS[kind]
    images = (
        background * (1 - strength * shapes) if kind == "multiplicative" else background + strength * shapes
    )
    return images[..., np.newaxis].astype(np.float32), classes, masks


def trained(images, classes):
    """A net of three convolutions."""
    layers = [keras.Input(images.shape[1:])]
    for filters in (8, 16, 32):
        layers += [
            keras.layers.Conv2D(filters, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
        ]
    net = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping("val_accuracy", patience=6, restore_best_weights=True)
    net.fit(images, classes, 64, 60, callbacks=[stop], validation_split=0.1, verbose=0)
    return net


def measure(net, images, classes, masks):
    """Each kind of map's figures, image by image; and the first image's maps."""
    found, first = {}, {}
    for name, way in maps_compared.methods(NOISE).items():
        maps = maps_compared.draw(net, way, images, classes)
        first[name] = maps[0]
        found[name] = dict(
            zip(
                MEASURES,
                (
                    ke.metrics.relevance_rank_accuracy(maps, masks).values,
                    ke.metrics.energy_pointing_game(maps, masks).values,
                ),
                strict=True,
            )
        )
    return found, first


def table(found, measure):
    """A measure of all kinds of maps, on all kinds of scenes, as it is printed."""
    cells = {(row["map"], row["scenes"]): row for row in found["rows"] if row["measure"] == measure}
    maps, kinds = (list(dict.fromkeys(key[axis] for key in cells)) for axis in (0, 1))
    form = "{mean:.2f}<br>[{low:.2f}, {high:.2f}]"
    return [{"map": name} | {kind: form.format(**cells[name, kind]) for kind in kinds} for name in maps]


def draw(examples, path):
    """One scene of each kind, what decides, and its maps."""
    names = list(examples[0][3])
    rows = [
        [
            pictures.coloured(image[..., 0], "gray"),
            mask.astype(float),
            *(pictures.coloured(maps[name]) for name in names),
        ]
        for _, image, mask, maps in examples
    ]
    labels = [name.replace(", ", "\n") for name, *_ in examples]
    pictures.grid(rows, titles=[["scene", "what decides", *names]], labels=labels).savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--docs", type=Path, help="put tables and picture into the documentation's folder")
    options = parser.parse_args()
    rows, nets, examples = [], [], []
    for kind, noise in itertools.product(KINDS, NOISES):
        keras.utils.set_random_seed(0)
        rng = np.random.default_rng(0)
        net = trained(*scenes(kind, noise, TRAINED, rng)[:2])
        images, classes, masks = scenes(kind, noise, 2 * EXPLAINED, rng)
        right = net.predict(images, verbose=0).argmax(-1) == classes
        images, classes, masks = (each[right][:EXPLAINED] for each in (images, classes, masks))
        named = f"{kind}, {noise}"
        nets.append({"scenes": named, "told right": float(right.mean()), "what decides": float(masks.mean())})
        print(nets[-1], flush=True)
        found, maps = measure(net, images, classes, masks)
        examples.append((named, images[0], masks[0], maps))
        for (name, figures), each in itertools.product(found.items(), MEASURES):
            low, high = measuring.confidence(figures[each])
            row = {"mean": float(figures[each].mean()), "low": float(low), "high": float(high)}
            rows.append({"scenes": named, "map": name, "measure": each} | row)
    found = {"machine": measuring.machine(), "explained": EXPLAINED, "nets": nets, "rows": rows}
    for each in MEASURES:
        plain = [{key: cell.replace("<br>", "\n") for key, cell in row.items()} for row in table(found, each)]
        measuring.report(each, plain, None)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.docs:
        for each in MEASURES:
            mark = f"ground-truth-{each.replace(' ', '-')}"
            measuring.write_table(table(found, each), options.docs / "faithfulness.md", mark)
        draw(examples, options.docs / "ground-truth.png")


if __name__ == "__main__":
    main()
