"""`keras-fullgrad completeness`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keras_fullgrad_cli.console import failing_on, notes, say, working
from keras_fullgrad_cli.options import AsJson, ModelName, TargetText, Unsafe, Weights
from keras_fullgrad_cli.paths import check_exists
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

    # Status 2 tells scripts that the sum is off.
    with notes(), failing_on(ValueError, TypeError, missing=1):
        explained = None if target is None else targets.read(target)
        given = None if inputs is None else _array(inputs)
        with working(f"loading {model}"):
            net = nets.load_model(model, weights, unsafe)
        with working("taking apart what the logits are made of"):
            parts = decompose(net, drawn_inputs(net) if given is None else given, target=explained)
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
    from numpy.lib.format import MAGIC_PREFIX, read_array

    check_exists(path, "a .npy file of inputs")
    expected = f"expected a .npy file of inputs, as numpy.save writes it, got {path}"
    try:
        with path.open("rb") as file:
            begins = file.read(len(MAGIC_PREFIX))
            file.seek(0)
            found = read_array(file, allow_pickle=False) if begins == MAGIC_PREFIX else None
    except OSError as error:
        raise ValueError(f"{expected}: {error.strerror or error}") from error
    except ValueError as error:
        reason = "which holds objects of Python" if "pickle" in str(error) else "which is damaged"
        raise ValueError(f"{expected}, {reason}") from error
    if found is None:
        raise ValueError(f"{expected}, which is of another kind")
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{expected}, which holds {found.dtype}")
    if not np.isfinite(found).all():
        raise ValueError(f"{expected}, which holds NaN or infinity")
    return found
