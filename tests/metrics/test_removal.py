"""Imputation against the equations that define it, and the curves of what it replaces."""

import itertools

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.metrics import imputation

RNG = np.random.default_rng(0)


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setattr(imputation, "NOISE", 0)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("shape", [[9], [7, 6], [4, 5, 3]])
def test_each_imputed_pixel_is_the_mean_of_those_next_to_it(quiet, shape, share):
    image, mask = RNG.random([*shape, 2]), RNG.random(shape) < share
    mask.ravel()[0] = False
    imputed = ke.metrics.impute(image, mask)
    np.testing.assert_array_equal(imputed[~mask], image[~mask])
    for place in np.argwhere(mask):
        total, weights = 0, 0
        for step in itertools.product((-1, 0, 1), repeat=len(shape)):
            near = place + step
            if any(step) and (near >= 0).all() and (near < shape).all():
                weight = 0.5 ** (np.abs(step).sum() - 1)
                total, weights = total + weight * imputed[tuple(near)], weights + weight
        np.testing.assert_allclose(imputed[tuple(place)], total / weights, atol=1e-9)


def test_weights_are_those_of_the_paper(quiet):
    """A sixth for each of four direct neighbours, a twelfth for each of four others."""
    image, mask = RNG.random([3, 3, 1]), np.zeros([3, 3], bool)
    mask[1, 1] = True
    direct, others = image[[0, 1, 1, 2], [1, 0, 2, 1]], image[[0, 0, 2, 2], [0, 2, 0, 2]]
    expected = direct.sum() / 6 + others.sum() / 12
    np.testing.assert_allclose(ke.metrics.impute(image, mask)[1, 1], expected)


def test_an_object_on_a_slope_leaves_no_edge(quiet):
    slope = np.add.outer(np.arange(20.0), 2 * np.arange(16.0))[..., np.newaxis]
    image, mask = slope.copy(), np.zeros([20, 16], bool)
    mask[5:15, 4:12] = True
    image[mask] = 1000
    np.testing.assert_allclose(ke.metrics.impute(image, mask), slope, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_noise_is_small_and_of_the_seed(dtype):
    image, mask = np.linspace(0, 10, 400).reshape(20, 20, 1).astype(dtype), np.zeros([20, 20], bool)
    mask[5:15] = True
    imputed = ke.metrics.impute(image, mask, seed=1)
    assert imputed.dtype == dtype
    noise = imputation.NOISE * image.std()
    assert 0 < np.abs(imputed - image)[mask].mean() < 5 * noise
    np.testing.assert_array_equal(imputed, ke.metrics.impute(image, mask, seed=1))
    assert (imputed != ke.metrics.impute(image, mask, seed=2)).any()


def test_integers_become_floats_which_do_not_wrap_round():
    image, mask = np.zeros([20, 16, 1], np.uint8), np.zeros([20, 16], bool)
    image[:, :2], mask[5:15, 4:12] = 1, True
    imputed = ke.metrics.impute(image, mask)
    assert imputed.dtype == np.float32
    assert imputed.min() < 0 < imputed.max() <= 1


def test_nothing_to_impute_from_or_to():
    image = RNG.random([4, 4, 1])
    np.testing.assert_array_equal(ke.metrics.impute(image, np.zeros([4, 4], bool)), image)
    with pytest.raises(ValueError, match="expected a pixel to impute from, got none"):
        ke.metrics.impute(image, np.ones([4, 4], bool))


@pytest.mark.parametrize("first", ["most", "least"])
def test_a_curve_is_that_of_the_imputed_images(small_net, images, maps, first):
    shares = [0, 0.25, 0.6]
    curve = ke.metrics.road(small_net, images, maps, 2, first=first, shares=shares, seed=3, batch_size=2)
    order = np.argsort(
        -maps.reshape(len(maps), -1) if first == "most" else maps.reshape(len(maps), -1), axis=1
    )
    for index, share in enumerate(shares):
        masks = np.zeros([len(maps), maps[0].size], bool)
        np.put_along_axis(masks, order[:, : round(share * maps[0].size)], True, axis=1)
        masks = masks.reshape(maps.shape[:3])
        replaced = [ke.metrics.impute(x, mask, seed=3) for x, mask in zip(images, masks, strict=True)]
        expected = small_net(np.stack(replaced))[:, 2]
        np.testing.assert_allclose(curve.values[:, index], expected, atol=1e-5)


def test_the_truth_beats_its_reverse(linear):
    model, x = linear([8, 8, 1]), np.zeros([2, 8, 8, 1])
    x[:, 2:4, 2:6] = 1  # On nothing, which is what is imputed in its place.
    for first, better in (("most", np.less), ("least", np.greater)):
        truth, reverse = (
            ke.metrics.road(model, x, maps, first=first, activation=None).areas for maps in (x, -x)
        )
        assert better(truth, reverse).all()


def test_channels_may_come_first(small_net, images, maps):
    inputs = keras.Input([3, 16, 12])
    model = keras.Model(inputs, small_net(keras.layers.Permute([2, 3, 1])(inputs)))
    moved = np.moveaxis(images, -1, 1)
    for measure in (ke.metrics.road, ke.metrics.deletion):
        expected = measure(small_net, images, maps, 1).values
        np.testing.assert_allclose(measure(model, moved, maps, 1).values, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"first": "all"}, "expected first to be most or least, got 'all'"),
        ({"shares": [0, 1]}, r"expected shares below 1, .*got \[0, 1\]"),
        ({"shares": [0.5]}, "expected at least two shares"),
    ],
)
def test_wrong_inputs(small_net, images, maps, wrong, message):
    with pytest.raises(ValueError, match=message):
        ke.metrics.road(small_net, images, maps, **wrong)
