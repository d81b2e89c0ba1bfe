"""Maps of a class against those of others: methods whose answer is known, and every wrong input."""

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.methods.gradient import full_gradients, gradients
from slow import slow_but


def image_itself(model, inputs, indices=None):
    """A method that does not look at the class."""
    logits, maps = gradients(model, inputs, indices)
    return logits, 0 * maps + keras.ops.abs(inputs[..., :1])


@pytest.mark.parametrize("similarity", slow_but("ssim", ["pearson", "spearman", "ssim"]))
def test_a_map_of_the_image_is_that_of_every_class(small_net, images, similarity):
    found = ke.metrics.random_logit(image_itself, small_net, images, draws=3, similarity=similarity)
    np.testing.assert_allclose(found.values, 1, rtol=1e-5)


def test_similarities_are_those_to_other_classes(small_net, images):
    """Of all other classes, so that it does not matter which are drawn."""
    options = {"preset": "paper", "implicit_biases": False}
    y = np.array([0, 3, 1, 2, 2])
    found = ke.metrics.random_logit(
        full_gradients, small_net, images, y, draws=3, similarity="pearson", batch_size=2, **options
    )
    maps = ke.full_gradients(small_net, images, y=[[0, 1, 2, 3]] * 5, verbose=0, **options).maps
    for image, own in enumerate(y):
        of_all = np.corrcoef(maps[image].reshape(-1, 4).T)
        expected = np.delete(of_all[own], own).mean()
        assert found.values[image] == pytest.approx(expected, abs=1e-3)
    assert found.mean == pytest.approx(found.values.mean())


def test_a_class_is_never_compared_with_itself():
    model = keras.Sequential([keras.Input([4, 4, 1]), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.set_weights([np.eye(16)[:, :3], np.zeros(3)])
    x = np.random.default_rng(0).uniform(1, 2, [40, 4, 4, 1])
    # Each class looks at a pixel of its own, so that two maps are never alike.
    assert ke.metrics.random_logit(gradients, model, x, similarity="pearson").values.max() < 0
    again, other = (
        ke.metrics.random_logit(full_gradients, model, x[:8], seed=seed).values for seed in (0, 0)
    )
    np.testing.assert_array_equal(again, other)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"draws": 0}, "expected draws to be at least 1, got 0"),
        ({"draws": 4}, "expected a model of more than 4 classes for as many draws, got 4"),
        ({"similarity": "cosine"}, "one of pearson, spearman, ssim, got 'cosine'"),
        ({"y": 4}, "expected classes from 0 to 3"),
    ],
)
def test_wrong_inputs(small_net, images, wrong, message):
    with pytest.raises(ValueError, match=message):
        ke.metrics.random_logit(gradients, small_net, images, **wrong)
