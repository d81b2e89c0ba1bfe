"""FullGrad under Quantus's metrics, and the calls that they make."""

import functools
import warnings

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.integrations.quantus import explain

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Quantus's own.
    import quantus

CLASSES = np.array([0, 1, 2, 3, 0])
QUIET = {"disable_warnings": True, "display_progressbar": False}


@pytest.fixture
def score(small_net, images):
    """Scores FullGrad by a metric."""

    def by(metric, **options):
        options = {"explain_func": explain, "channel_first": False} | options
        return metric(model=small_net, x_batch=images, y_batch=CLASSES, **options)

    return by


def test_maps_are_those_of_full_gradients(small_net, images):
    expected = ke.full_gradients(small_net, images, CLASSES, preset="paper", verbose=0)[1]
    maps = explain(small_net, images, CLASSES, preset="paper")
    assert maps.shape == (5, 1, 16, 12)
    np.testing.assert_array_equal(maps[:, 0], expected[..., 0])


def test_inputs_with_channels_first_are_turned(small_net, images):
    turned = explain(small_net, np.moveaxis(images, -1, 1), CLASSES)
    np.testing.assert_array_equal(turned, explain(small_net, images, CLASSES))


def test_inputs_that_fit_as_they_are_stay_so():
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input([7, 7, 7]), layers.Activation("relu"), layers.Flatten(), layers.Dense(2)]
    )
    cube = np.random.default_rng(0).random([1, 7, 7, 7])
    expected = ke.gradients(model, cube, 0, verbose=0)[1]
    found = explain(model, cube, 0, explainer=ke.methods.gradient.gradients)
    np.testing.assert_array_equal(found[:, 0], expected[..., 0])


def test_series():
    model = keras.Sequential(
        [keras.Input([9, 2]), keras.layers.Conv1D(3, 3), keras.layers.GlobalMaxPooling1D()]
    )
    series = np.random.default_rng(0).random([2, 9, 2])
    assert explain(model, series, [0, 1]).shape == (2, 1, 9)


@pytest.mark.parametrize(
    "metric",
    [
        functools.partial(quantus.PixelFlipping, features_in_step=96, perturb_baseline="black"),
        functools.partial(
            quantus.FaithfulnessCorrelation, nr_runs=4, subset_size=20, perturb_baseline="black"
        ),
        functools.partial(quantus.MaxSensitivity, nr_samples=2),
        functools.partial(quantus.RandomLogit, num_classes=4),
        quantus.Complexity,
    ],
    ids=lambda metric: getattr(metric, "func", metric).__name__,
)
# From the way in which Quantus takes off a softmax.
@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
def test_metrics(score, metric):
    scores = score(metric(**QUIET))
    assert np.isfinite(np.asarray(scores, float)).all()


def test_localization(score):
    box = np.zeros([5, 1, 16, 12])
    box[..., 4:9, 3:8] = 1
    scores = score(quantus.RelevanceRankAccuracy(**QUIET), s_batch=box)
    assert all(0 <= each <= 1 for each in scores)


def test_randomization_of_models_changes_maps(score, small_net):
    scores = score(quantus.MPRT(**QUIET))
    assert list(scores)[:2] == ["original", "head"]
    np.testing.assert_allclose(scores["original"], 1)
    assert np.mean(scores["head"]) < 0.99


def test_evaluate_compares_methods(small_net, images):
    methods = {
        "FullGrad": explain,
        "gradient": functools.partial(explain, explainer=ke.methods.gradient.gradients),
    }
    metrics = {"sparseness": quantus.Sparseness(**QUIET)}
    scores = quantus.evaluate(
        metrics, methods, small_net, images, CLASSES, agg_func=np.mean, explain_func_kwargs={}
    )
    assert scores["FullGrad"]["sparseness"] != scores["gradient"]["sparseness"]


def test_one_class_for_each_image(small_net, images):
    with pytest.raises(ValueError, match=r"targets of shape \(5,\), one class each, got \(5, 2\)"):
        explain(small_net, images, [[0, 1]] * 5)


def test_inputs_that_fit_neither_way(small_net):
    with pytest.raises(ValueError, match=r"expected inputs of shape .*got \(5, 16, 12, 4\)"):
        explain(small_net, np.zeros([5, 16, 12, 4]), 0)


def test_a_target_stands_in_the_place_of_labels(small_net, images):
    target = ke.targets.Contrast(1, 2)
    expected = explain(small_net, images, target, implicit_biases=False)
    found = explain(small_net, images, np.zeros(len(images), int), target=target, implicit_biases=False)
    np.testing.assert_array_equal(found, expected)
