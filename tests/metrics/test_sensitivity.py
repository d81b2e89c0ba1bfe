"""How far maps move: methods whose answer is known, and every wrong input."""

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.methods.gradient import full_gradients, gradients


def image_itself(model, inputs, indices=None):
    """A method that moves as far as the image."""
    return Explanation(model(inputs)[:, :1], inputs[..., :1])


def test_a_map_that_never_changes(linear):
    x = np.random.default_rng(0).random([3, 8, 8, 1])
    assert ke.metrics.max_sensitivity(gradients, linear([8, 8, 1], 2), x).values.tolist() == [0, 0, 0]


@pytest.mark.parametrize("scale", [1, 255])
def test_the_image_moves_as_far_as_it_is_changed(small_net, images, scale):
    x = scale * images
    found = ke.metrics.max_sensitivity(
        image_itself, small_net, x, radius=0.1, samples=3, postprocessing=None, seed=5
    )
    rng, moved = np.random.default_rng(5), []
    for _ in range(3):
        change = 0.1 * np.ptp(x, axis=(1, 2, 3), keepdims=True) * rng.uniform(-1, 1, x.shape)
        moved.append(np.linalg.norm(change[..., 0], axis=(1, 2)) / np.linalg.norm(x[..., 0], axis=(1, 2)))
    np.testing.assert_allclose(found.values, np.max(moved, axis=0), rtol=1e-4)


def test_larger_changes_move_more_and_batches_nothing(small_net, images):
    def found(**options):
        return ke.metrics.max_sensitivity(
            full_gradients, small_net, images, samples=3, implicit_biases=False, **options
        ).values

    np.testing.assert_allclose(found(batch_size=2), found(), rtol=1e-3)
    assert (found(radius=0.5) > found(radius=1e-3)).all()


def test_the_class_is_that_of_the_image_as_it_is():
    """Of which each has a map of its own: one class of an image that is pushed over the edge."""
    model = keras.Sequential([keras.Input([2, 1, 1]), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.set_weights([np.eye(2), np.zeros(2)])
    x = np.array([[1.0, 1.01], [1.01, 1.0]]).reshape(2, 2, 1, 1)
    assert ke.metrics.max_sensitivity(gradients, model, x, radius=100).mean == 0


def test_blank_maps(small_net, images):
    def blank(model, inputs, indices=None):
        return Explanation(model(inputs)[:, :1], 0 * inputs[..., :1])

    assert not ke.metrics.max_sensitivity(blank, small_net, images, samples=1).values.any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"samples": 0}, "expected samples to be at least 1, got 0"),
        ({"radius": 0}, "expected a radius above 0, got 0"),
        ({"radius": np.nan}, "expected a radius above 0, got nan"),
        ({"y": 4}, "expected classes from 0 to 3"),
    ],
)
def test_wrong_inputs(small_net, images, wrong, message):
    with pytest.raises(ValueError, match=message):
        ke.metrics.max_sensitivity(gradients, small_net, images, **wrong)
