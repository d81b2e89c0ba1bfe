"""Outputs while images are replaced: by hand, against other implementations, and every wrong input."""

import itertools

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.metrics.curves import ranks

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
MEASURES = [ke.metrics.pixel_perturbation, ke.metrics.deletion, ke.metrics.insertion]
SHARES = [0, 0.25, 0.6, 1]


def test_a_curve_has_means_and_areas():
    curve = ke.metrics.Curve(np.array([0, 0.25, 0.75]), np.array([[4.0, 2.0, 0.0], [1.0, 1.0, 1.0]]))
    assert curve.mean.tolist() == [2.5, 1.5, 0.5]
    assert curve.areas.tolist() == pytest.approx([(3 * 0.25 + 1 * 0.5) / 0.75, 1])
    assert curve.area == pytest.approx((5 / 3 + 1) / 2)


def test_curves_of_a_sum_by_hand(linear):
    model = linear([2, 2, 1])
    model.set_weights([np.array([[1.0], [2.0], [3.0], [4.0]]), np.zeros(1)])
    x = np.array([[[[10.0], [0.0]], [[5.0], [1.0]]]])  # 10 + 0 + 15 + 4 = 29.
    maps = np.array([[[0.9, 0.1], [0.8, 0.2]]])
    given = {"shares": [0, 0.25, 0.5, 0.75, 1], "activation": None}
    deletion = ke.metrics.deletion(model, x, maps, **given)
    insertion = ke.metrics.insertion(model, x, maps, **given)
    perturbation = ke.metrics.pixel_perturbation(model, x, maps, **given)
    np.testing.assert_allclose(deletion.values, [[29, 19, 4, 0, 0]])
    np.testing.assert_allclose(insertion.values, [[0, 10, 25, 29, 29]])
    np.testing.assert_allclose(perturbation.values, [[0, 0, 4 / 29, 19 / 29, 1]], atol=1e-7)
    assert deletion.area == pytest.approx((29 / 2 + 19 + 4) / 4)
    whiter = ke.metrics.pixel_perturbation(model, x, maps, value=2.0, **given)
    np.testing.assert_allclose(whiter.values, [[0, 4 / 29, 8 / 29, 1 / 29, 9 / 29]], atol=1e-6)


def by_hand(model, x, maps, y, share, value, which):
    """One image after the other, pixel by pixel, through Keras's own predict."""
    outputs = []
    for image, each, label in zip(x, maps, y, strict=True):
        order = np.argsort(each.ravel())
        count = round(share * order.size)
        replaced = {
            "least": order[:count],
            "most": order[order.size - count :],
            "not yet": order[: order.size - count],
        }[which]
        image = image.copy()
        for position in replaced:
            image[np.unravel_index(position, each.shape[:2])] = value
        outputs.append(model.predict(image[np.newaxis], verbose=0)[0, label])
    return np.array(outputs)


@pytest.mark.parametrize("share", [0, 0.1, 0.55, 1])
def test_probabilities_are_those_of_the_model(small_net, images, maps, share):
    y = np.array([0, 3, 1, 2, 2])
    value = [0.3, -0.2, 0.9]
    given = {"shares": sorted({share, 0.5}), "value": value}
    at = given["shares"].index(share)
    for measure, which in ((ke.metrics.deletion, "most"), (ke.metrics.insertion, "not yet")):
        values = measure(small_net, images, maps, y, **given).values[:, at]
        np.testing.assert_allclose(
            values, by_hand(small_net, images, maps, y, share, value, which), atol=1e-6
        )


def test_changes_are_those_of_the_top_logit(small_net, images, maps):
    logits_net = keras.models.clone_model(small_net)
    logits_net.set_weights(small_net.get_weights())
    logits_net.layers[-1].activation = keras.activations.linear
    top = small_net.predict(images, verbose=0).argmax(-1)
    clean, changed = (by_hand(logits_net, images, maps, top, share, 0, "least") for share in (0, 0.4))
    for model in (small_net, logits_net, ke.inspection.expose(small_net)):
        curve = ke.metrics.pixel_perturbation(model, images, maps, shares=[0, 0.4])
        np.testing.assert_allclose(curve.values[:, 1], abs(changed / clean - 1), rtol=1e-4)


def test_the_output_is_that_of_the_activation_asked_for(small_net, images, maps):
    logits = ke.metrics.deletion(small_net, images, maps, 1, activation=None).values
    for activation in ("sigmoid", keras.activations.sigmoid, lambda z: 1 / (1 + keras.ops.exp(-z))):
        values = ke.metrics.deletion(small_net, images, maps, 1, activation=activation).values
        np.testing.assert_allclose(values, 1 / (1 + np.exp(-logits)), rtol=1e-5)


@pytest.mark.parametrize("value", ["black", "colour", "mean", "image", "images"])
def test_none_replaced_is_the_image_and_all_replaced_the_blank_one(small_net, images, maps, value):
    value = {
        "black": -1,
        "colour": [0.1, 0.2, 0.3],
        "mean": images.mean((1, 2), keepdims=True),
        "image": images[0],
        "images": images[::-1],
    }[value]
    whole = small_net.predict(images, verbose=0)
    y = whole.argmax(-1)[:, np.newaxis]
    blank = small_net.predict(np.broadcast_to(value, images.shape), verbose=0)
    whole, blank = (np.take_along_axis(outputs, y, -1)[:, 0] for outputs in (whole, blank))
    given = {"shares": [0, 1], "value": value}
    expected = np.stack([whole, blank], axis=1)
    deletion = ke.metrics.deletion(small_net, images, maps, **given)
    insertion = ke.metrics.insertion(small_net, images, maps, **given)
    perturbation = ke.metrics.pixel_perturbation(small_net, images, maps, **given, activation="softmax")
    np.testing.assert_allclose(deletion.values, expected, atol=1e-6)
    np.testing.assert_allclose(insertion.values, expected[:, ::-1], atol=1e-6)
    np.testing.assert_array_equal(perturbation.values[:, 0], 0)
    np.testing.assert_allclose(perturbation.values[:, 1], abs(blank / whole - 1), atol=1e-5)


def test_to_insert_the_most_is_to_replace_the_least(small_net, images, maps):
    shares = np.array([0, 0.25, 0.5, 1])
    kept = ke.metrics.insertion(small_net, images, maps, shares=shares, activation=None).values
    changed = ke.metrics.pixel_perturbation(small_net, images, maps, shares=1 - shares[::-1]).values
    np.testing.assert_allclose(abs(kept / kept[:, -1:] - 1)[:, ::-1], changed, atol=1e-5)


def test_the_truth_beats_its_reverse(linear):
    model = linear([6, 5, 2])
    x = RNG.uniform(0, 1, [7, 6, 5, 2])
    truth = (x * model.get_weights()[0].reshape(6, 5, 2)).sum(-1)
    given = {"activation": None}
    area = {
        (measure.__name__, sign): measure(model, x, sign * truth, **given).areas
        for measure, sign in itertools.product(MEASURES, (1, -1))
    }
    assert (area["pixel_perturbation", 1] < area["pixel_perturbation", -1]).all()
    assert (area["deletion", 1] < area["deletion", -1]).all()
    assert (area["insertion", 1] > area["insertion", -1]).all()
    # No order beats the truth where a model adds up.
    for seed in range(5):
        other = np.random.default_rng(seed).random(truth.shape)
        assert (area["deletion", 1] < ke.metrics.deletion(model, x, other, **given).areas).all()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_a_curve_does_not_depend_on_the_batch(small_net, images, maps, measure, batch_size):
    maps = np.round(maps, 1)  # Many of equal value.
    expected = measure(small_net, images, maps, shares=SHARES).values
    values = measure(small_net, images, maps, shares=SHARES, batch_size=batch_size).values
    np.testing.assert_allclose(values, expected, atol=1e-5)
    alone = measure(small_net, images[3:4], maps[3:4], shares=SHARES).values
    np.testing.assert_allclose(alone, expected[3:4], atol=1e-5)


@pytest.mark.parametrize("measure", MEASURES)
def test_only_the_order_of_a_map_counts(small_net, images, maps, measure):
    expected = measure(small_net, images, maps, shares=SHARES).values
    for same in (maps[..., 0], maps.astype(np.float32), 1e6 * maps - 3, np.exp(maps).tolist()):
        np.testing.assert_array_equal(measure(small_net, images, same, shares=SHARES).values, expected)


def test_equal_values_are_ordered_by_the_seed():
    even = np.zeros([3, 9, 7])
    drawn = ranks(even, seed=1)
    assert np.sort(drawn.reshape(3, -1)).tolist() == [list(range(63))] * 3
    np.testing.assert_array_equal(drawn, ranks(even, seed=1))
    np.testing.assert_array_equal(drawn, drawn[:1].repeat(3, axis=0))
    assert (drawn != ranks(even, seed=2)).any()
    assert len(np.unique(np.nonzero(drawn[0] < 20)[0])) > 5  # Spread over the rows.
    some = np.array([[[0.5, 0.5, 0.1, 0.7]]])
    for seed in range(5):
        ranked = ranks(some, seed)[0, 0]
        assert ranked[2:].tolist() == [0, 3]
        assert sorted(ranked[:2]) == [1, 2]


def test_an_even_map_gives_the_curve_of_its_seed(small_net, images):
    first, again, other = (
        ke.metrics.deletion(small_net, images, np.zeros([5, 16, 12]), shares=SHARES, seed=seed).values
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("shape", [[7, 2], [4, 3, 2], [3, 4, 2, 1]])
@pytest.mark.parametrize("measure", MEASURES)
def test_series_pictures_and_volumes(linear, measure, shape):
    model = linear(shape, classes=3)
    x = RNG.uniform(0.5, 1, [4, *shape])
    curve = measure(model, x, RNG.random([4, *shape[:-1], 1]), shares=SHARES)
    assert curve.values.shape == (4, 4)
    assert len(np.unique(curve.values[0])) == 4


def test_channels_may_come_first(linear):
    first = keras.Sequential(
        [keras.Input([3, 4, 5]), keras.layers.Flatten(data_format="channels_first"), keras.layers.Dense(2)]
    )
    last = linear([4, 5, 3], classes=2)
    first.set_weights(last.get_weights())
    x, maps = RNG.uniform(0, 1, [3, 4, 5, 3]), RNG.random([3, 4, 5])
    for measure in MEASURES:
        expected = measure(last, x, maps, shares=SHARES, value=[0.1, 0.2, 0.3]).values
        moved = measure(
            first,
            np.moveaxis(x, -1, 1),
            maps,
            shares=SHARES,
            value=np.reshape([0.1, 0.2, 0.3], [3, 1, 1]),
        )
        np.testing.assert_allclose(moved.values, expected, atol=1e-6)


def test_images_of_every_type(small_net, maps):
    x = RNG.integers(0, 256, [5, 16, 12, 3], np.uint8)
    given = {"shares": SHARES, "value": x.mean((1, 2), keepdims=True)}
    expected = ke.metrics.deletion(small_net, x.astype(np.float32), maps, **given).values
    for same in (x, x.astype(np.float64), keras.ops.convert_to_tensor(x), list(x)):
        values = ke.metrics.deletion(small_net, same, maps, **given).values
        np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("measure", "value", "area"),
    [
        (ke.metrics.deletion, 0, 0.2064906),
        (ke.metrics.insertion, 0, 0.2221205),
        (ke.metrics.deletion, 0.5, 0.4168743),
        (ke.metrics.insertion, 0.5, 0.4958998),
    ],
)
def test_areas_are_those_of_xplique(demo, measure, value, area):
    """Of its version 2.0.2, ``steps=8``, on the same maps."""
    model, scenes = demo
    maps = np.random.default_rng(0).random([6, 96, 96], np.float32)
    shares = np.linspace(0, 1, 9)
    curve = measure(model, scenes.images[:6], maps, scenes.classes[:6], shares=shares, value=value)
    assert curve.area == pytest.approx(area, rel=1e-4)


CURVE_ERRORS = [
    ({"x": np.zeros([0, 16, 12, 3])}, r"images of shape \(images, space, channels\), got \(0, 16, 12, 3\)"),
    ({"x": np.zeros([5, 3])}, r"images of shape \(images, space, channels\), got \(5, 3\)"),
    ({"maps": np.zeros([5, 16, 12, 2])}, r"maps of one class over 2 axes .*, got shape \(5, 16, 12, 2\)"),
    ({"maps": np.zeros([5, 16])}, r"maps of one class over 2 axes of positions.*, got shape \(5, 16\)"),
    ({"maps": np.full([5, 16, 12], np.nan)}, "maps of finite values, got NaN or infinity"),
    ({"maps": np.zeros([5, 16, 11])}, r"size \(16, 12\) for each of 5 images, got \(5, 16, 11\)"),
    ({"maps": np.zeros([4, 16, 12])}, r"size \(16, 12\) for each of 5 images, got \(4, 16, 12\)"),
    ({"shares": [0.5]}, r"at least two shares from 0 to 1, rising, got \[0.5\]"),
    ({"shares": [0.0, 0.5, 0.5]}, r"shares from 0 to 1, rising, got \[0.0, 0.5, 0.5\]"),
    ({"shares": [-0.1, 0.5]}, r"shares from 0 to 1, rising, got \[-0.1, 0.5\]"),
    ({"shares": [0, 10]}, r"shares from 0 to 1, rising, got \[0, 10\]"),
    ({"shares": [0, np.nan]}, "at least two shares from 0 to 1, rising"),
    ({"value": [1, 2]}, r"broadcasts to the images' shape \(5, 16, 12, 3\), got shape \(2,\)"),
    ({"y": [[0, 1]] * 5}, r"one class for each image in y, got shape \(5, 2\)"),
    ({"y": [0, 1]}, r"y of shape \(5, K\) for 5 images, got \(2, 1\)"),
    ({"y": 4}, "classes from 0 to 3 in y, got 4"),
    ({"batch_size": 0}, "batch_size to be at least 1, got 0"),
    ({"activation": "no such"}, "no such"),
]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("wrong", "message"), CURVE_ERRORS)
def test_wrong_inputs_of_curves(small_net, images, measure, wrong, message):
    given = {"x": images, "maps": np.zeros([5, 16, 12])} | wrong
    with pytest.raises(ValueError, match=message):
        measure(small_net, **given)


@pytest.mark.parametrize("measure", MEASURES)
def test_data_that_is_no_array(small_net, measure):
    with pytest.raises(TypeError, match="x to be an array of images, got generator"):
        measure(small_net, (image for image in ()), np.zeros([5, 16, 12]))


def test_a_change_relative_to_nothing_is_refused_before_anything_is_perturbed(linear, monkeypatch):
    model = linear([4, 1])
    x = np.array([[[1.0]] * 4, [[0.0]] * 4])
    monkeypatch.setattr("keras_fullgrad.metrics.curves.ranks", lambda *_: pytest.fail("perturbed"))
    with pytest.raises(ValueError, match="outputs other than 0 to relate changes to, got 0 for image 1"):
        ke.metrics.pixel_perturbation(model, x, np.zeros([2, 4]))
