"""Models whose call takes several arguments: inputs by name and by order, and what does not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke

RNG = np.random.default_rng(0)
IMAGES, AGES = RNG.normal(size=[3, 8, 8, 3]).astype("float32"), RNG.random([3, 1]).astype("float32")
OPTIONS = {"implicit_biases": False, "verbose": 0}


class Net(keras.Model):
    def __init__(self):
        super().__init__(name="net")
        self.conv, self.head = keras.layers.Conv2D(4, 3), keras.layers.Dense(2)

    def of(self, image, age):
        return self.head(tf.concat([tf.reduce_mean(self.conv(image), [1, 2]), age], -1))


class Both(Net):
    def call(self, image, age):
        return self.of(image, age)


class Optional(Net):
    def call(self, image, age=None, training=False):
        return self.of(image, tf.zeros([tf.shape(image)[0], 1]) if age is None else age)


class ByName(Net):
    def call(self, image, *, age):
        return self.of(image, age)


def explained(model, inputs, **options):
    model(image=IMAGES, age=AGES)
    return ke.full_gradients(model, inputs, 1, **OPTIONS, **options)


@pytest.mark.parametrize("net", [Both, Optional, ByName])
def test_inputs_by_name(net):
    model = net()
    found = explained(model, {"age": AGES, "image": IMAGES})
    np.testing.assert_allclose(found.logits[:, 0], model(image=IMAGES, age=AGES)[:, 1], rtol=1e-5)
    parts = ke.decompose(model, {"age": AGES, "image": IMAGES}, 1)
    assert parts.relative_error < 1e-5
    assert [part.name for part in parts.inputs] == ["input age", "input image"]


@pytest.mark.parametrize("kind", [tuple, list])
def test_inputs_in_order(kind):
    model = Both()
    found = explained(model, kind([IMAGES, AGES]), source="image")
    np.testing.assert_allclose(found.logits[:, 0], model(IMAGES, AGES)[:, 1], rtol=1e-5)


def test_an_argument_that_is_not_needed():
    model = Optional()
    found = explained(model, IMAGES)
    np.testing.assert_allclose(found.logits[:, 0], model(IMAGES)[:, 1], rtol=1e-5)


@pytest.mark.parametrize(
    ("net", "inputs", "got"),
    [
        (Both, IMAGES, "1"),
        (Both, {"img": IMAGES, "age": AGES}, r"\['age', 'img'\]"),
        (ByName, (IMAGES, AGES), "2"),
    ],
)
def test_inputs_that_do_not_fit(net, inputs, got):
    message = rf"for the arguments \['image', 'age'\] of the call of model 'net', .*, got {got}"
    with pytest.raises(ValueError, match=message):
        explained(net(), inputs)


def test_measures_and_reports_are_of_one_input(tmp_path):
    with pytest.raises(TypeError, match="array of images, the only input, got a tuple of several"):
        ke.metrics.deletion(Both(), (IMAGES, AGES), np.ones([3, 8, 8]))
    with pytest.raises(ValueError, match=r"expected x as an array, .*, got tuple"):
        ke.report(Both(), (IMAGES, AGES), out=tmp_path / "report.html")
