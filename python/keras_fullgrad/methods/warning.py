"""What users are warned of: maps that leave out much, options without effect, NaN."""

import weakref
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps import filters
from keras_fullgrad.methods.drawing import PRESETS
from keras_fullgrad.model.exposing import ExposedModel
from keras_fullgrad.model.info import ModelInfo
from keras_fullgrad.running.advice import warn
from keras_fullgrad.targets import rows
from keras_fullgrad.targets.rows import Wanted
from keras_fullgrad.targets.target import Target
from keras_fullgrad.terms.decompose import left_out

_LARGE_SHARE = 0.1  # Of what published maps leave out too.
_SMALL_SHARE = 0.001  # Of what this library could not place.
_PREPROCESSORS_TOLD: weakref.WeakSet[keras.Model] = weakref.WeakSet()
_WARNED: weakref.WeakKeyDictionary[keras.Model, set[str]] = weakref.WeakKeyDictionary()
"""Of each model the names of the targets that its user was warned of."""


def of_left_out(info: ModelInfo, inputs: Any, wanted: Wanted, params: dict[str, Any]) -> None:
    """Says once for each model, and each kind of target, where maps leave out much of what it computes."""
    chosen = params.get("simple") or any(
        params.get(name) is not None for name in ("biases", "implicit_biases")
    )
    target = wanted.name if isinstance(wanted, Target) else "Class"
    told = _WARNED.setdefault(info.model, set())
    if target in told or chosen or isinstance(info.model, ExposedModel):
        return
    told.add(target)
    first = keras.tree.map_structure(lambda x: x[:1], inputs)
    of_first = rows.rows(wanted, slice(1))
    of_first = of_first[:, :1] if isinstance(of_first, np.ndarray) else of_first
    source = params.get("source")
    found = left_out(info, first, of_first, None if source == "all" else source)
    of_model = f"of what model '{info.model.name}' adds up to its logit on the first image"
    if found.implicit > _LARGE_SHARE:
        warn(
            f"implicit biases make up {found.implicit:.0%} {of_model}, and the map leaves them out: "
            "implicit_biases=True draws them too, and completeness(model) tells which layers they come from"
        )
    if found.target > _LARGE_SHARE:
        warn(
            f"target {target} is not linear, and adds {found.target:.0%} {of_model} by itself, which no map "
            "draws: decompose tells it beside what the layers add"
        )
    if found.elsewhere > _SMALL_SHARE and params.get("positions") is None:
        warn(
            f"layers whose place in the image is not known, and so are not in the map, make up "
            f"{found.elsewhere:.1%} {of_model}: {', '.join(found.layers)}. positions= can tell their place"
        )
    if found.unseen:
        warn(
            f"the biases of {', '.join(found.unseen)} in model '{info.model.name}' are not in the map: they "
            "are added in a loop or a condition, where no layer is heard"
        )


def of_preprocessor(info: ModelInfo) -> None:
    """Says once for each model with a preprocessor of its own, as keras-hub's tasks, that it is not run."""
    preprocessor = getattr(info.own, "preprocessor", None)
    if preprocessor is None or info.own in _PREPROCESSORS_TOLD:
        return
    _PREPROCESSORS_TOLD.add(info.own)
    warn(
        f"the preprocessor of model '{info.own.name}', {type(preprocessor).__name__}, was not run, as it is "
        "by predict: a map lies over what the model itself takes, which model.preprocessor(images) makes"
    )


def of_simple(params: Mapping[str, Any]) -> None:
    """Says where Simple FullGrad is asked for and draws what FullGrad does."""
    psi = params.get("psi") or PRESETS.get(params.get("preset", "default"), {}).get("psi")
    alone = params.get("simple") and not params.get("implicit_biases")  # Both are an error.
    if alone and psi is filters.absolute_normalize:
        warn(
            "simple=True changes nothing here but where a bias is 0: absolute_normalize rescales each "
            "channel, whatever the size of its bias. preset='paper' tells the two apart"
        )


def of_nan(explanation: Explanation) -> Explanation:
    """The explanation, after a warning of the images whose maps are not finite."""
    maps = keras.tree.flatten(explanation.maps)[0]  # Of several inputs all are, or none.
    useless = np.flatnonzero(np.isnan(maps).any(axis=tuple(range(1, maps.ndim))))
    if len(useless):
        warn(
            f"the maps of {len(useless)} of {len(maps)} images are NaN, first that of image {useless[0]}: "
            "the image or its logit holds NaN or infinity"
        )
    return explanation
