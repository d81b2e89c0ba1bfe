"""FullGrad under Xplique's metrics, and the calls that they make.

Xplique 2.0.2 asks for tensorflow[and-cuda] 2.20 at most and works with 2.21 too: see `.ci/run`.
"""

import types
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.integrations.xplique import FullGrad

TARGETS = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]]
CLASSES = [0, 1, 2, 3, 0]


@pytest.fixture
def expected(small_net, images):
    return ke.full_gradients(small_net, images, CLASSES, preset="paper", verbose=0)[1]


@pytest.fixture(scope="module")
def xplique():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its own, and TensorFlow Probability's.
        metrics = pytest.importorskip("xplique.metrics", reason="xplique is not installed: see .ci/run")
        from xplique.attributions import Saliency
    return types.SimpleNamespace(metrics=metrics, Saliency=Saliency)


def test_an_explainer_is_called_or_explains(small_net, images, expected):
    explainer = FullGrad(small_net, preset="paper")
    for found in (explainer(images, TARGETS), explainer.explain(tf.constant(images), tf.constant(TARGETS))):
        assert isinstance(found, tf.Tensor)
        np.testing.assert_array_equal(found, expected)


def test_without_targets_the_top_class(small_net, images):
    top = ke.full_gradients(small_net, images, verbose=0)[1]
    np.testing.assert_array_equal(FullGrad(small_net)(images), top)


def test_datasets_in_batches_or_one_by_one(small_net, images, expected):
    dataset = tf.data.Dataset.from_tensor_slices((images, TARGETS))
    for batch_size in (None, 2):
        explainer = FullGrad(small_net, batch_size=batch_size, preset="paper")
        for data in (dataset, dataset.batch(3), dataset.batch(3).prefetch(1)):
            np.testing.assert_allclose(explainer(data), expected, atol=1e-5)


def test_another_layer(small_net, images):
    explainer = FullGrad(small_net, output_layer="pool")
    target = np.eye(7)[[6] * 5]
    pooled = keras.Model(small_net.input, small_net.get_layer("pool").output)
    np.testing.assert_array_equal(
        explainer(images, target), ke.full_gradients(pooled, images, 6, verbose=0)[1]
    )
    sequential = keras.Sequential([keras.Input([16, 12, 3]), keras.layers.Flatten(), keras.layers.Softmax()])
    assert FullGrad(sequential, output_layer=0).model.output_shape == (None, 576)
    with pytest.raises(ValueError, match="no_such"):
        FullGrad(small_net, output_layer="no_such")


def test_the_model_may_be_replaced(small_net, images, expected):
    explainer = FullGrad(small_net, preset="paper")
    explainer.model = keras.models.clone_model(small_net)
    assert not np.allclose(explainer(images, TARGETS), expected)
    explainer.model.set_weights(small_net.get_weights())
    np.testing.assert_allclose(explainer(images, TARGETS), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (CLASSES, r"one-hot targets, \(images, classes\), got shape \(5,\)"),
        (TARGETS * 0.5, r"one class for each image, got \[0.5 0"),
        (np.ones([5, 4]), r"one class for each image, got \[1. 1. 1. 1.\]"),
        (-TARGETS, r"one class for each image, got \[-1"),
    ],
)
def test_targets_that_are_not_one_hot(small_net, images, targets, message):
    with pytest.raises(ValueError, match=message):
        FullGrad(small_net)(images, targets)


def test_targets_of_datasets(small_net, images):
    dataset = tf.data.Dataset.from_tensor_slices(images)
    with pytest.raises(ValueError, match="expected a dataset of inputs and targets, got one of TensorSpec"):
        FullGrad(small_net)(dataset)
    with pytest.raises(ValueError, match="expected no targets beside a dataset"):
        FullGrad(small_net)(tf.data.Dataset.zip(dataset, dataset), TARGETS)


def test_like_an_explainer_of_its_own(xplique, small_net, images):
    theirs, ours = xplique.Saliency(small_net), FullGrad(small_net)
    for call in (lambda e: e(images, TARGETS), lambda e: e.explain(images, TARGETS)):
        assert (call(theirs).shape, call(theirs).dtype) == (call(ours).shape, call(ours).dtype)


@pytest.mark.parametrize("metric", ["Deletion", "MuFidelity", "AverageDropMetric"])
def test_metrics_of_explanations(xplique, small_net, images, metric):
    score = getattr(xplique.metrics, metric)(small_net, images, TARGETS)
    assert np.isfinite(score(FullGrad(small_net)(images, TARGETS)))


def test_metrics_of_explainers(xplique, small_net, images, expected):
    explainer = FullGrad(small_net, preset="paper")
    assert xplique.metrics.AverageStability(small_net, images, TARGETS, nb_samples=3)(explainer) > 0
    assert xplique.metrics.RandomLogitMetric(small_net, images, TARGETS)(explainer) < 1
    assert xplique.metrics.ModelRandomizationMetric(small_net, images, TARGETS)(explainer) < 1
    np.testing.assert_array_equal(explainer(images, TARGETS), expected)


@pytest.mark.parametrize("batched", [True, False])
def test_an_operator_explains_something_else_than_a_datasets_targets(small_net, images, batched):
    target = ke.targets.Contrast(1, 2)
    explainer = FullGrad(small_net, operator=target, implicit_biases=False)
    dataset = tf.data.Dataset.from_tensor_slices((images, np.ones([len(images), 16, 12])))  # No classes.
    found = explainer(dataset.batch(2) if batched else dataset)
    expected = ke.full_gradients(small_net, images, target=target, implicit_biases=False, verbose=0).maps
    np.testing.assert_allclose(found, expected, atol=1e-5)
