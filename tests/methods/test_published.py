"""The maps of keras-explainable and of the FullGrad authors' code, to 1e-5."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from conftest import relative_error

BACKENDS = ["native", "tensorflow"]


def exposed_as_on_their_page(model):
    logits = ke.inspection.get_logits_layer(model)
    layers, biases = ke.inspection.layers_with_biases(model, exclude=[logits])
    return ke.inspection.expose(model, layers, logits), biases, layers


@pytest.mark.parametrize("backend", BACKENDS)
def test_keras_explainable(published, backend):
    model, biases, layers = exposed_as_on_their_page(published.model)
    assert [layer.name for layer in layers] == list(published.layers)
    logits, maps = ke.methods.gradient.full_gradients(
        model, tf.constant(published.x), tf.constant(published.y), biases=biases, backend=backend
    )
    assert relative_error(logits, published.logits) < 1e-5
    assert relative_error(maps, published.keras_explainable_raw) < 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
def test_keras_explainable_normalized(published, backend):
    model, biases, _ = exposed_as_on_their_page(published.model)
    logits, maps = ke.full_gradients(
        model, published.x, published.y, biases=biases, backend=backend, verbose=0
    )
    assert relative_error(logits, published.logits) < 1e-5
    assert relative_error(maps, published.keras_explainable_final) < 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "simple"), [("paper_fullgrad", False), ("paper_simple_fullgrad", True)])
def test_authors(published, backend, name, simple):
    if not hasattr(published, name):
        assert published.model.name == "bn_cnn"  # The authors' code was not run on this one.
        return
    options = {"preset": "paper", "simple": simple, "backend": backend}
    for model in (published.model, exposed_as_on_their_page(published.model)[0]):
        _, maps = ke.full_gradients(
            model, published.x, published.y, postprocessing=None, verbose=0, **options
        )
        assert relative_error(maps, getattr(published, name)) < 1e-5


def test_a_model_of_the_users_own_that_puts_out_its_signals(published):
    """As keras-explainable's expose made it: outputs `[logits, *signals]`."""
    _, biases, layers = exposed_as_on_their_page(published.model)
    own = keras.Model(published.model.inputs, [published.model.output, *(layer.output for layer in layers)])
    _, maps = ke.full_gradients(own, published.x, published.y, biases=biases, postprocessing=None, verbose=0)
    assert relative_error(maps, published.keras_explainable_raw) < 1e-5


def test_the_identity_map_adds_up_to_the_terms_of_the_logit(published):
    """Unrectified and unresized, map and left-out dense bias are the whole decomposition."""
    if not hasattr(published, "paper_decomposition_sum"):
        return
    model, biases, _ = exposed_as_on_their_page(published.model)
    x, y = tf.constant(published.x), tf.constant(published.y)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits, *signals = model(x)
        logits = tf.gather(logits, y, axis=-1, batch_dims=-1)
    gradient, *rest = tape.gradient(logits, [x, *signals])
    total = tf.reduce_sum(x * gradient, [1, 2, 3])
    for bias, term in zip(biases, rest, strict=True):
        total += tf.reduce_sum(bias * term, [1, 2, 3])
    total += tf.gather(published.model.layers[-1].bias.value, y[:, 0])
    np.testing.assert_allclose(total, published.paper_decomposition_sum, rtol=2e-5)
    np.testing.assert_allclose(total, published.logits[:, 0], rtol=2e-5)
