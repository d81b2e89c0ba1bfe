"""Softmaxes and sigmoids at the end of a net, wherever they are computed, and outputs of every structure."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_fullgrad as ke
from slow import slow_but

OPTIONS = {"verbose": 0, "implicit_biases": False}
ENDS = {
    "layer": layers.Softmax(),
    "operation": ops.softmax,
    "of other axes": lambda t: ops.squeeze(ops.softmax(ops.expand_dims(t, 1)), 1),
    "logarithm": ops.log_softmax,
    "sigmoid": ops.sigmoid,
}
TARGETS = {
    "class": ke.targets.Class(1),
    "contrast": ke.targets.Contrast(1, 2),
    "cosine": ke.targets.Similarity(np.arange(5.0), "cosine"),
    "product": lambda outputs: outputs[:, 1] * outputs[:, 2],
}


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=[3, 12, 8, 3]).astype("float32")


def logits(units=5):
    keras.utils.set_random_seed(0)
    image = keras.Input([12, 8, 3])
    features = layers.Conv2D(6, 3, activation="gelu", bias_initializer="normal")(image)
    return image, layers.Dense(units, bias_initializer="normal")(layers.GlobalAveragePooling2D()(features))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("end", slow_but("operation", ENDS))
def test_a_target_is_made_of_logits_and_adds_up(x, end, target):
    image, found = logits()
    ended = keras.Model(image, ENDS[end](found))
    expected = ke.decompose(keras.Model(image, found), x, target=TARGETS[target])
    for model, of in ((ended, TARGETS[target]), (keras.Model(image, [ENDS[end](found), found]), None)):
        of = ke.targets.Output(0, TARGETS[target]) if of is None else of
        parts = ke.decompose(model, x, target=of)
        assert parts.relative_error < 1e-5
        np.testing.assert_allclose(parts.logits, expected.logits, rtol=1e-5, atol=1e-6)
        own, other = ([p.implicit for p in d.layers if p.kind == "Target"] for d in (parts, expected))
        np.testing.assert_allclose(own, other, atol=1e-6)


@pytest.mark.parametrize("shape", [lambda t: t, lambda t: ops.squeeze(t, 1)])
def test_implicit_biases_before_a_sigmoid_of_the_models_own(x, shape):
    image, found = logits(1)
    model = keras.Model(image, shape(ops.sigmoid(found)))
    assert ke.decompose(model, x, [0, 1, 1]).relative_error < 1e-5
    maps = ke.full_gradients(model, x, 1, implicit_biases=True, verbose=0).maps
    expected = ke.full_gradients(keras.Model(image, found), x, implicit_biases=True, verbose=0).maps
    np.testing.assert_allclose(maps, expected, atol=1e-5)


class Putting(keras.Model):
    """Puts two outputs out in some structure."""

    def __init__(self, structure):
        super().__init__()
        self.structure = structure
        self.conv, self.first, self.second = layers.Conv2D(4, 3), layers.Dense(3), layers.Dense(5)

    def call(self, x):
        pooled = tf.reduce_mean(self.conv(x), [1, 2])
        return self.structure(self.first(pooled), self.second(pooled))


Named = collections.namedtuple("Named", ["scores", "embedding"])
STRUCTURES = {
    "integer keys": (lambda a, b: {1: a, 2: b}, [1, 2]),
    "ordered": (lambda a, b: collections.OrderedDict([("z", a), ("a", b)]), ["z", "a"]),
    "nested": (lambda a, b: {"p": {"q": a, "r": b}}, [0, 1]),
    "list in a dictionary": (lambda a, b: {"p": [a, b]}, [0, 1]),
    "lists of one": (lambda a, b: {"a": [a], "b": [b]}, ["a", "b"]),
    "named tuple": (Named, ["scores", "embedding"]),
    "with None": (lambda a, b: {"loss": None, "b": b, "a": a}, ["a", "b"]),
    "with None in a tuple": (lambda a, b: (None, a, b), [0, 1]),
}


@pytest.mark.parametrize("name", slow_but("integer keys", STRUCTURES))
def test_outputs_of_every_structure(x, name):
    structure, keys = STRUCTURES[name]
    model = Putting(structure)
    pooled = tf.reduce_mean(model.conv(x), [1, 2])
    for key, head in zip(keys, (model.first, model.second), strict=True):
        model(x)
        target = ke.targets.Output(key, ke.targets.Class(1))
        found = ke.full_gradients(model, x, target=target, **OPTIONS)
        np.testing.assert_allclose(found.logits[:, 0], head(pooled)[:, 1], rtol=1e-5)
        assert ke.decompose(model, x, target=target).relative_error < 1e-5
    # What the error says to write can be written.
    with pytest.raises(
        ValueError, match=r"expected a model with one output, got 2: target=(.+?) explains"
    ) as said:
        ke.full_gradients(model, x, **OPTIONS)
    told = str(said.value).split("target=")[1].split(" explains")[0]
    ke.full_gradients(model, x, target=eval(told, {"ke": ke}), **OPTIONS)  # noqa: S307


PROBABILITIES = {
    "averaged": lambda t: (ops.softmax(t) + ops.softmax(2 * t)) / 2,
    "along another axis": lambda t: ops.transpose(ops.softmax(ops.transpose(t, [0, 2, 3, 1])), [0, 3, 1, 2]),
    "enlarged": lambda t: ops.image.resize(ops.softmax(t), (24, 16)),
}


@pytest.mark.parametrize("name", slow_but("averaged", PROBABILITIES))
def test_probabilities_are_told_of_every_target(x, name):
    def model():
        image = keras.Input([12, 8, 3])
        return keras.Model(image, PROBABILITIES[name](layers.Conv2D(4, 3, padding="same")(image)))

    def function(outputs):
        return outputs[:, 0, 0, 0]

    of_each = {ke.full_gradients: OPTIONS, ke.gradients: {"verbose": 0}, ke.decompose: {}}
    for target in (ke.targets.Region(1), function):
        for explain, options in of_each.items():
            with pytest.warns(UserWarning, match="probabilities are explained"):
                explain(model(), x, target=target, **options)


def test_probabilities_are_told_of_the_output_that_is_explained(x, recwarn):
    image, found = logits()
    model = keras.Model(image, [found, (ops.softmax(found) + ops.softmax(2 * found)) / 2])
    ke.full_gradients(model, x, target=ke.targets.Output(0, 1), **OPTIONS)
    assert not [each for each in recwarn if "probabilities" in str(each.message)]
    with pytest.warns(UserWarning, match="probabilities are explained"):
        ke.full_gradients(model, x, target=ke.targets.Output(1, 1), **OPTIONS)
