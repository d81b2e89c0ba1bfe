"""How much a map depends on the class: that of the top class against those of classes drawn at random.

Of a net trained on ImageNet and scikit-image's photographs, which the extra ``demo`` brings. For each kind of
map Pearson's correlation between the two maps of one photograph: the median over photographs and drawn
classes, the least and the greatest. 0 is what a map of the class alone would have, 1 one of the image alone.

    python benchmarks/class_sensitivity.py --json benchmarks/results/class_sensitivity.json
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from rich.console import Console
from rich.table import Table

import keras_fullgrad as ke
import measuring
from keras_fullgrad.demo import lite0, photographs

DRAWN = 10
EXPLICIT = {"implicit_biases": False}  # As maps are unless told otherwise, and no warning of it.
SIGNED = {"postprocessing": None, "psi": ke.filters.identity}
MAPS = {
    "FullGrad": (ke.full_gradients, EXPLICIT, ke.targets.Class),
    "FullGrad, paper": (ke.full_gradients, EXPLICIT | {"preset": "paper"}, ke.targets.Class),
    "FullGrad, the class minus the mean of the others": (ke.full_gradients, EXPLICIT, ke.targets.Contrast),
    "all terms with their signs": (ke.full_gradients, EXPLICIT | SIGNED, ke.targets.Class),
    "plain gradient": (ke.gradients, {}, ke.targets.Class),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    model, x = lite0.load(), lite0.preprocess(photographs.images())
    top = model.predict(x, verbose=0).argmax(-1)
    drawn = np.random.default_rng(0).integers(0, 1000, [len(x), DRAWN])
    rows = []
    for name, (method, params, target) in MAPS.items():
        of_top, *others = (
            method(model, x, target=target(classes), verbose=0, **params).maps.reshape(len(x), -1)
            for classes in (top, *drawn.T)
        )
        found = [np.corrcoef(*maps)[0, 1] for other in others for maps in zip(of_top, other, strict=True)]
        median, least, greatest = (round(float(f(found)), 2) for f in (np.median, np.min, np.max))
        rows.append({"map": name, "correlation": median, "least": least, "greatest": greatest})
    table = Table(*rows[0], title=f"{len(x)} photographs, {DRAWN} classes each")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    if options.json:
        facts = {"machine": measuring.machine(), "rows": rows}
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
