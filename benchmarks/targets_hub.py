"""Targets of models of keras-hub that are no classifiers: whether all terms add up to what is explained.

A segmenter's region, a detector's box and an embedding's likeness, on nets of `hub_zoo`, small and with drawn
weights: the relative error of the sum of all terms, the share that the target itself adds, and the share
without a place in the map.

    python benchmarks/targets_hub.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import sys
import warnings

import keras
import numpy as np

import hub_zoo
import keras_fullgrad as ke
import measuring

BAR = 1e-4
RANDOM = np.random.default_rng(0)


def half(shape):
    """A mask of about half the positions."""
    return RANDOM.uniform(size=shape[1:-1]) > 0.5


# What is explained of an output of such a shape, and which of the model's outputs that is.
TARGETS = {
    "segformer": (0, lambda shape: ke.targets.Region(1, mask=half(shape))),
    "deeplab_v3": (0, lambda shape: ke.targets.Region(2, box=(0, 0, shape[1] // 2, shape[2] // 2))),
    "depth_anything": (0, lambda _: ke.targets.Region(0)),
    "retinanet": (1, lambda _: ke.targets.Box(7, 1)),
    "vit_det": (0, lambda shape: ke.targets.Region(3, mask=half(shape))),
    "clip_vision": (0, lambda shape: ke.targets.Similarity(RANDOM.normal(size=shape[1:]))),
    "siglip_vision": (0, lambda shape: ke.targets.Similarity(RANDOM.normal(size=shape[1:]), "cosine")),
}


def measure(name):
    which, target = TARGETS[name]
    model, inputs, source = hub_zoo.make(name, seed=0)
    output, shape = list(model.own_outputs.items())[which]
    explained = ke.targets.Output(output, target(shape))
    first = keras.tree.map_structure(lambda array: array[:1], inputs)
    parts = ke.decompose(model, first, target=explained, source=source)
    found = ke.full_gradients(
        model, first, target=explained, source=source, implicit_biases=True, return_terms=True, verbose=0
    )
    size = sum(abs(part.total).max() for part in parts.parts)
    own = sum(abs(part.total).max() for part in parts.parts if part.kind == "Target")
    return {
        "net": name,
        "output": str(shape),
        "target": str(explained.target),
        "terms": f"{parts.relative_error:.1e}",
        "of the target itself": f"{own / size:.1%}",
        "left out": f"{found.left_out[0, 0]:.1%}",
        "holds": bool(parts.relative_error < BAR and np.isfinite(found.maps).all()),
    }


def main():
    options = measuring.arguments(__doc__.split("\n")[0]).parse_args()
    warnings.simplefilter("ignore", UserWarning)
    rows = [measure(name) for name in TARGETS]
    measuring.report("Targets of models of keras-hub", rows, options.json)
    sys.exit(not all(row["holds"] for row in rows))


if __name__ == "__main__":
    main()
