"""The kinds of maps that benchmarks compare, and how each is drawn."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.methods import cams, gradient, meta

FIRST, CHANCE = "FullGrad", "random"


class Method(NamedTuple):
    """A method, its options, and what its maps are made of before they are measured."""

    function: Callable
    params: dict
    postprocessing: Callable = ke.filters.normalize


def methods(noise):
    """The kinds of maps; what is smoothed is smoothed by noise of a net's own size."""
    full, plain = gradient.full_gradients, gradient.gradients
    explicit = {"implicit_biases": False}  # As maps are unless told otherwise, and no warning of it.
    paper = explicit | {"preset": "paper"}
    positive = ke.filters.positive_normalize
    return {
        FIRST: Method(full, explicit),
        "FullGrad, paper": Method(full, paper),
        "Simple FullGrad, paper": Method(full, paper | {"simple": True}),
        "Smooth FullGrad": Method(meta.smooth(full, noise=noise), explicit),
        "FullGrad, focus": Method(meta.focus(full), explicit),
        "FullGrad, signed": Method(full, explicit | {"psi": ke.filters.identity}, positive),
        "Grad-CAM": Method(cams.gradcam, {}, positive),
        "plain gradient": Method(plain, {}),
        "SmoothGrad": Method(meta.smooth(plain, noise=noise), {}),
        CHANCE: Method(drawn, {}),
    }


def drawn(model, inputs, indices=None):
    """A method that looks at nothing: even noise of its own for each class."""
    logits = gradient.gradients(model, inputs, indices).logits
    return Explanation(logits, tf.random.uniform([*tf.unstack(tf.shape(inputs)[:3]), logits.shape[-1]]))


def draw(model, way, x, classes):
    """Maps of one class each, (images, space)."""
    explained = ke.explain(
        way.function, model, x, classes, postprocessing=way.postprocessing, verbose=0, **way.params
    )
    return explained.maps[..., 0]
