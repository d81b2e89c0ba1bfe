"""`keras-fullgrad completeness`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keras_fullgrad_cli.console import failing_on, say
from keras_fullgrad_cli.options import AsJson, ModelName, TargetText, Unsafe, Weights
from keras_fullgrad_cli.startup import start

if TYPE_CHECKING:
    import numpy as np


def completeness(
    model: ModelName,
    inputs: Annotated[
        Path | None, typer.Option(help="Inputs, a .npy file; drawn where none is given.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="The largest relative error that passes.")] = 1e-3,
    target: TargetText = None,
    weights: Weights = "imagenet",
    unsafe: Unsafe = False,
    as_json: AsJson = False,
) -> None:
    """Tells which layers make up a model's logits, and whether the sum of all terms meets them.

    Ends with status 1 where a file cannot be read, and with 2 where the sum is off by more than tolerated.
    """
    start()
    from keras_fullgrad.terms.completeness import drawn_inputs
    from keras_fullgrad.terms.decompose import decompose
    from keras_fullgrad_cli import nets, targets

    with failing_on(ValueError, TypeError):
        explained = None if target is None else targets.read(target)
        net = nets.load_model(model, weights, unsafe)
        parts = decompose(net, drawn_inputs(net) if inputs is None else _array(inputs), target=explained)
    if as_json:
        shares = parts.shares
        layers = [
            {
                "name": part.name,
                "class": part.kind,
                "explicit": float(part.explicit.mean()),
                "implicit": float(part.implicit.mean()),
                "share": float(shares[part.name].mean()),
            }
            for part in parts.parts
        ]
        logit = float(parts.logits.mean())
        print(json.dumps({"logit": logit, "relative_error": parts.relative_error, "parts": layers}))
    else:
        print(parts)
    if not parts.relative_error <= tolerance:
        say(f"error: the sum is off by {parts.relative_error:.1e}")
        raise typer.Exit(2)


def _array(path: Path) -> "np.ndarray":
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError) as error:
        raise ValueError(f"expected a .npy file of inputs, got {path}: {error}") from error
