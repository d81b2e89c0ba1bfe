"""Probabilities beside logits: what the model itself says, and none where it says none."""

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.reporting.answers import answers
from report_page import Page

pytestmark = pytest.mark.slow

layers = keras.layers


def net(units, *last, activation=None):
    inputs = keras.Input([16, 12, 3])
    outputs = layers.Dense(units, activation, bias_initializer="normal")(layers.Flatten()(inputs))
    for layer in last:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


SAYING = {
    "softmax": lambda: net(3, activation="softmax"),
    "a layer of softmax": lambda: net(3, layers.Softmax()),
    "an operation of softmax": lambda: net(3, keras.ops.nn.softmax),
    "sigmoids": lambda: net(3, activation="sigmoid"),
    "one sigmoid": lambda: net(1, activation="sigmoid"),
    "in half precision": lambda: net(3, layers.Activation("softmax", dtype="float16")),
}


@pytest.mark.parametrize("make", SAYING.values(), ids=SAYING)
def test_probabilities_are_what_the_model_says(images, make):
    model = make()
    said = answers(model, images, batch_size=2)
    np.testing.assert_allclose(said.probabilities, model.predict(images, verbose=0), rtol=1e-2, atol=1e-5)
    assert said.logits.shape == said.probabilities.shape
    assert not np.allclose(said.logits, said.probabilities, atol=1e-3)


def test_logarithms_of_probabilities(images):
    model = net(3, keras.ops.nn.log_softmax)
    said = answers(model, images, batch_size=2)
    np.testing.assert_allclose(said.probabilities, np.exp(model.predict(images, verbose=0)), rtol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Of Keras: a softmax over one unit says 1.
@pytest.mark.parametrize(
    "model",
    [
        lambda: net(3),
        lambda: net(3, activation="relu"),
        lambda: net(1),
        lambda: net(1, activation="softmax"),
    ],
)
def test_no_probability_is_invented(images, model, tmp_path):
    assert answers(model(), images, batch_size=2).probabilities is None
    found = Page(ke.report(model(), images, out=tmp_path / "report.html", verbose=0))
    assert "Probability" not in found.texts
    assert not found.attributes("data-probability")


def test_a_target_has_no_probability(images, tmp_path):
    model = net(3, activation="softmax")
    out = tmp_path / "report.html"
    page = Page(ke.report(model, images, out=out, target=ke.targets.Contrast(0, 1), verbose=0))
    assert "Probability" not in page.texts


def test_probabilities_stand_beside_their_logits(images, tmp_path):
    model = net(3, activation="softmax")
    found = Page(ke.report(model, images, out=tmp_path / "report.html", labels="abc", verbose=0))
    said = model.predict(images, verbose=0)
    starts = [place + 1 for place, text in enumerate(found.texts) if text == "Probability"]
    for start, of_image in zip(starts, said, strict=True):
        rows = found.texts[start : start + 9]
        assert rows[::3] == ["abc"[index] for index in np.argsort(-of_image)]
        shares = [float(text.strip("<>% ")) for text in rows[2::3]]
        np.testing.assert_allclose(shares, np.sort(100 * of_image)[::-1], atol=0.11)
    np.testing.assert_allclose(np.array(found.attributes("data-probability"), float), said.max(1), rtol=1e-4)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, {"class 0", "class 1"}),
        (["tumour"], {"not tumour", "tumour"}),
        (["benign", "bad"], {"benign", "bad"}),
    ],
)
def test_one_sigmoid_chooses_between_two_classes(images, tmp_path, given, shown):
    model = net(1, activation="sigmoid")
    found = Page(ke.report(model, images, out=tmp_path / "report.html", labels=given, verbose=0))
    assert shown <= set(found.texts)
    said = model.predict(images, verbose=0)[:, 0]
    np.testing.assert_allclose(np.array(found.attributes("data-probability"), float), said, rtol=1e-4)
    with pytest.raises(ValueError, match="expected 2 labels, got 3"):
        ke.report(model, images, out=tmp_path / "other.html", labels="abc", verbose=0)
