"""Measures of explanations: by hand, against other implementations, identities, and every wrong input."""

import itertools

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.demo import Scenes
from keras_fullgrad.demo.show import NET, SCENES
from keras_fullgrad.methods.gradient import full_gradients, gradients
from keras_fullgrad.metrics.curves import ranks

RNG = np.random.default_rng(0)
MEASURES = [ke.metrics.pixel_perturbation, ke.metrics.deletion, ke.metrics.insertion]
SHARES = [0, 0.25, 0.6, 1]


def linear(shape, classes=1):
    """A net of one dense layer without biases, whose weights are all but random."""
    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)])
    kernel = np.linspace(0.5, 2, int(np.prod(shape)) * classes).reshape(-1, classes)
    model.set_weights([kernel, np.zeros(classes)])
    return model


@pytest.fixture
def maps(images):
    return np.random.default_rng(2).random([len(images), 16, 12, 1])


@pytest.fixture(scope="module")
def demo():
    return keras.models.load_model(NET, compile=False), Scenes.load(SCENES)


# Curves


def test_a_curve_has_means_and_areas():
    curve = ke.metrics.Curve(np.array([0, 0.25, 0.75]), np.array([[4.0, 2.0, 0.0], [1.0, 1.0, 1.0]]))
    assert curve.mean.tolist() == [2.5, 1.5, 0.5]
    assert curve.areas.tolist() == pytest.approx([(3 * 0.25 + 1 * 0.5) / 0.75, 1])
    assert curve.area == pytest.approx((5 / 3 + 1) / 2)


def test_curves_of_a_sum_by_hand():
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
    for image, plane, label in zip(x, maps, y, strict=True):
        order = np.argsort(plane.ravel())
        count = round(share * order.size)
        replaced = {
            "least": order[:count],
            "most": order[order.size - count :],
            "not yet": order[: order.size - count],
        }[which]
        image = image.copy()
        for position in replaced:
            image[np.unravel_index(position, plane.shape[:2])] = value
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


def test_the_truth_beats_its_reverse():
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
def test_series_pictures_and_volumes(measure, shape):
    model = linear(shape, classes=3)
    x = RNG.uniform(0.5, 1, [4, *shape])
    curve = measure(model, x, RNG.random([4, *shape[:-1], 1]), shares=SHARES)
    assert curve.values.shape == (4, 4)
    assert len(np.unique(curve.values[0])) == 4


def test_channels_may_come_first():
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


def test_a_change_relative_to_nothing_is_refused_before_anything_is_perturbed(monkeypatch):
    model = linear([4, 1])
    x = np.array([[[1.0]] * 4, [[0.0]] * 4])
    monkeypatch.setattr("keras_fullgrad.metrics.curves.ranks", lambda *_: pytest.fail("perturbed"))
    with pytest.raises(ValueError, match="outputs other than 0 to relate changes to, got 0 for image 1"):
        ke.metrics.pixel_perturbation(model, x, np.zeros([2, 4]))


# Energy


def test_energy_by_hand():
    maps = np.array([[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [0, 8, 0]]])
    energy = ke.metrics.energy_in_box(maps, np.array([[0, 1, 2, 3], [0, 0, 1, 2]]))
    np.testing.assert_allclose(energy.values, [16 / 21, 0])
    np.testing.assert_allclose(energy.areas, [4 / 6, 2 / 6])
    assert energy.mean == pytest.approx(8 / 21)
    assert energy.mean_area == pytest.approx(0.5)


@pytest.mark.parametrize("height", [0, 1e-3, 7])
@pytest.mark.parametrize("shape", [[9], [9, 8], [5, 6, 7]])
def test_an_even_map_has_the_energy_of_the_area(shape, height):
    first = RNG.integers(0, 3, [4, len(shape)])
    boxes = np.concatenate([first, first + RNG.integers(1, 3, first.shape)], axis=1)
    energy = ke.metrics.energy_in_box(np.full([4, *shape], height), boxes)
    np.testing.assert_allclose(energy.values, energy.areas)
    sizes = np.prod(boxes[:, len(shape) :] - first, axis=1)
    np.testing.assert_allclose(energy.areas, sizes / np.prod(shape))


@pytest.mark.parametrize("axes_of_classes", [(), (1,)])
def test_boxes_are_masks(axes_of_classes):
    maps = RNG.random([2, 6, 5, *axes_of_classes])
    masks = np.zeros([2, 6, 5], bool)
    masks[0, 1:4, 2:5] = masks[1, 0:6, 4:5] = True
    boxes = np.array([[1, 2, 4, 5], [0, 4, 6, 5]], np.uint8)
    from_boxes, from_masks = (ke.metrics.energy_in_box(maps, regions) for regions in (boxes, masks))
    np.testing.assert_array_equal(from_boxes.values, from_masks.values)
    np.testing.assert_array_equal(from_boxes.areas, from_masks.areas)


def test_all_energy_inside_beats_none():
    mask = RNG.random([3, 6, 5]) < 0.3
    assert ke.metrics.energy_in_box(mask.astype(float), mask).values.tolist() == [1, 1, 1]
    assert ke.metrics.energy_in_box(1.0 - mask, mask).values.tolist() == [0, 0, 0]


def test_energies_are_those_of_quantus(demo):
    """Of its version 0.6.0, there named relevance mass accuracy."""
    maps = np.random.default_rng(0).random([6, 96, 96], np.float32)
    energy = ke.metrics.energy_in_box(maps, demo[1].boxes[:6])
    quantus = [0.0628711, 0.0511803, 0.0745283, 0.0524489, 0.0655823, 0.0438951]
    np.testing.assert_allclose(energy.values, quantus, rtol=1e-5)


BOX = np.array([[0, 0, 1, 1]])
ENERGY_ERRORS = [
    (np.ones([1, 4, 4]), BOX.astype(float), r"masks, Booleans .*, got float64 of shape \(1, 4\)"),
    (np.ones([1, 4, 4]), BOX[0], r"boxes, integers \(images, 2 x axes of space\), .* of shape \(4,\)"),
    (np.ones([1, 4, 4, 2]), BOX, r"one class over 2 axes .*, got shape \(1, 4, 4, 2\)"),
    (np.full([1, 4, 4], np.inf), BOX, "maps of finite values"),
    (np.ones([2, 4, 4]), BOX, r"boxes of shape \(2, 4\), got \(1, 4\)"),
    (np.ones([1, 4, 4]), np.array([[0, 0, 1, 1, 1]]), r"boxes of shape \(1, 4\), got \(1, 5\)"),
    (np.ones([1, 4, 4]), BOX + 4, r"within maps of size \(4, 4\)"),
    (np.ones([1, 4, 4]), -BOX, "boxes of at least one position within maps"),
    (np.ones([1, 4, 4]), np.array([[2, 2, 2, 3]]), "boxes of at least one position"),
    (np.ones([1, 4, 4]), np.ones([1, 4, 3], bool), r"shape \(1, 4, 4\), got \(1, 4, 3\)"),
    (np.ones([1, 4, 4]), np.zeros([1, 4, 4], bool), "got none for image 0"),
    (-np.ones([1, 4, 4]), BOX, "maps without negative values, got -1"),
]


@pytest.mark.parametrize(("maps", "regions", "message"), ENERGY_ERRORS)
def test_wrong_inputs_of_energy(maps, regions, message):
    with pytest.raises(ValueError, match=message):
        ke.metrics.energy_in_box(maps, regions)


# Cascades


def weights(model):
    return [weight.tobytes() for weight in model.get_weights()]


def image_itself(model, inputs, indices=None):
    """A method that does not look at the model's weights."""
    logits, maps = gradients(model, inputs, indices)
    return logits, 0 * maps + keras.ops.abs(inputs[..., :1])


def test_a_map_of_the_image_survives_every_layer(small_net, images):
    cascade = ke.metrics.cascading_randomisation(image_itself, small_net, images)
    np.testing.assert_allclose(cascade.values, 1)
    assert cascade.values.shape == (5, len(cascade.layers))


@pytest.mark.parametrize("params", [{}, {"preset": "paper", "backend": "tensorflow"}])
def test_similarities_are_those_of_clones(small_net, images, params):
    y = np.array([0, 3, 1, 2, 2])
    cascade = ke.metrics.cascading_randomisation(full_gradients, small_net, images, y, seed=3, **params)
    assert cascade.layers == ("head", "b3", "c3", "b2", "c2", "b1", "c1")

    clone = keras.models.clone_model(small_net)
    clone.set_weights(small_net.get_weights())
    before = ke.explain(full_gradients, clone, images, y, verbose=0, **params)[1]
    rng = np.random.default_rng(3)
    for step, name in enumerate(cascade.layers):
        layer = clone.get_layer(name)
        layer.set_weights([w.ravel()[rng.permutation(w.size)].reshape(w.shape) for w in layer.get_weights()])
        after = ke.explain(full_gradients, clone, images, y, verbose=0, **params)[1]
        for image in range(5):
            first, second = (maps[image].ravel().argsort().argsort() for maps in (before, after))
            expected = np.corrcoef(first, second)[0, 1]
            # Ranks without a care for equal values, and maps by another trace.
            assert cascade.values[image, step] == pytest.approx(expected, abs=1e-3)


def test_random_weights_end_a_trained_nets_maps(demo):
    model, scenes = demo
    cascade = ke.metrics.cascading_randomisation(gradients, model, scenes.images[:8])
    assert cascade.layers[0] == "dense"
    assert cascade.layers[-1] == "conv2d"
    assert cascade.mean[-1] < 0.3 < cascade.mean[0]


def test_the_model_comes_back_bit_for_bit(small_net, images):
    before = weights(small_net)
    maps = ke.gradients(small_net, images, verbose=0)[1]
    cascade = ke.metrics.cascading_randomisation(gradients, small_net, images, seed=1)
    assert weights(small_net) == before
    np.testing.assert_array_equal(ke.gradients(small_net, images, verbose=0)[1], maps)
    again = ke.metrics.cascading_randomisation(gradients, small_net, images, seed=1)
    np.testing.assert_array_equal(again.values, cascade.values)
    other = ke.metrics.cascading_randomisation(gradients, small_net, images, seed=2)
    assert (other.values != cascade.values).any()


@pytest.mark.parametrize(("error", "comparisons"), [(RuntimeError, 3), (KeyboardInterrupt, 0)])
def test_the_model_comes_back_after_an_interruption(small_net, images, monkeypatch, error, comparisons):
    before = weights(small_net)
    seen = []

    def interrupt(first, _):
        seen.append(weights(small_net))
        if len(seen) > comparisons:
            raise error
        return np.zeros(len(first))

    monkeypatch.setitem(ke.metrics.randomisation._SIMILARITIES, "spearman", interrupt)
    with pytest.raises(error):
        ke.metrics.cascading_randomisation(gradients, small_net, images)
    assert seen[-1] != before
    assert weights(small_net) == before


def test_weights_of_every_type_come_back():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(2, 3, dtype=dtype) for dtype in ("bfloat16", "float64", "mixed_float16")]
    model = keras.Sequential([keras.Input([9, 9, 1]), *layers, keras.layers.GlobalAveragePooling2D()])
    before = weights(model)
    ke.metrics.cascading_randomisation(gradients, model, RNG.random([2, 9, 9, 1]))
    assert weights(model) == before


class OutOfOrder(keras.Model):
    """Holds its layers in another order than it applies them, and a weight of its own."""

    def __init__(self):
        super().__init__(name="net")
        self.head = keras.layers.Dense(2, name="head")
        self.unused = keras.layers.Dense(2, name="unused")
        self.body = keras.Sequential([keras.layers.Conv2D(2, 3, name="a"), keras.layers.ReLU()], name="body")
        self.pool = keras.layers.GlobalAveragePooling2D()

    def build(self, _):
        self.shift = self.add_weight(shape=[3], initializer="normal", name="shift")
        self.unused.build([None, 2])

    def call(self, inputs):
        x = self.body(inputs + self.shift)
        return self.head(self.pool(x))


def test_layers_come_in_the_order_in_which_they_are_applied(images):
    cascade = ke.metrics.cascading_randomisation(gradients, OutOfOrder(), images)
    assert cascade.layers == ("head", "body/a", "net")


def test_a_shared_layer_is_one_step(images):
    keras.utils.set_random_seed(0)
    shared = keras.layers.Conv2D(3, 3, padding="same", name="shared")
    image = keras.Input([16, 12, 3])
    x = shared(keras.layers.Conv2D(3, 1, name="first")(shared(image)))
    model = keras.Model(image, keras.layers.Dense(2, name="head")(keras.layers.Flatten()(x)))
    cascade = ke.metrics.cascading_randomisation(gradients, model, images)
    assert cascade.layers == ("head", "shared", "first")


def test_comparisons_after_every_few_layers(small_net, images):
    full = ke.metrics.cascading_randomisation(gradients, small_net, images)
    few = ke.metrics.cascading_randomisation(gradients, small_net, images, every=3)
    assert few.layers == (*full.layers[2::3], full.layers[-1])
    np.testing.assert_array_equal(few.values, full.values[:, [2, 5, 6]])
    np.testing.assert_allclose(few.mean, few.values.mean(0))


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_cascade_does_not_depend_on_the_batch(small_net, images, batch_size):
    expected = ke.metrics.cascading_randomisation(gradients, small_net, images).values
    values = ke.metrics.cascading_randomisation(gradients, small_net, images, batch_size=batch_size).values
    np.testing.assert_allclose(values, expected, atol=1e-3)


@pytest.mark.parametrize("similarity", ["spearman", "ssim"])
def test_any_method_and_either_similarity(small_net, images, similarity):
    smooth = ke.methods.meta.smooth(full_gradients, repetitions=2)
    for model in (small_net, ke.inspection.expose(small_net)):
        cascade = ke.metrics.cascading_randomisation(
            smooth, model, images[:2], similarity=similarity, every=9, simple=True
        )
        assert cascade.values.shape == (2, 1)
        assert (abs(cascade.values) < 0.999).all()
    same = ke.metrics.cascading_randomisation(image_itself, small_net, images, similarity=similarity, every=9)
    np.testing.assert_allclose(same.values, 1, rtol=1e-6)


def test_ssim_of_maps_smaller_than_its_window():
    model = linear([5, 7, 1], classes=2)
    x = RNG.random([2, 5, 7, 1])
    cascade = ke.metrics.cascading_randomisation(gradients, model, x, similarity="ssim")
    assert (abs(cascade.values) < 0.999).all()


def test_an_even_map_is_similar_to_none():
    model = linear([5, 7, 1], classes=2)

    def even(model, inputs, indices=None):
        logits, maps = gradients(model, inputs, indices)
        return logits, keras.ops.ones_like(maps)

    cascade = ke.metrics.cascading_randomisation(even, model, RNG.random([2, 5, 7, 1]))
    assert cascade.values.tolist() == [[0], [0]]


CASCADE_ERRORS = [
    ({"similarity": "hog"}, "similarity to be one of spearman, ssim, got 'hog'"),
    ({"every": 0}, "every to be at least 1, got 0"),
    ({"x": np.zeros([5, 3])}, r"images of shape \(images, space, channels\), got \(5, 3\)"),
    (
        {"x": np.zeros([5, 9, 3]), "similarity": "ssim"},
        r"pictures, of two axes of positions, for ssim, got images of \(5, 9, 3\)",
    ),
    ({"y": [[0, 1]] * 5}, r"one class for each image in y, got shape \(5, 2\)"),
    ({"y": 9}, "classes from 0 to 3 in y, got 9"),
]


@pytest.mark.parametrize(("wrong", "message"), CASCADE_ERRORS)
def test_wrong_inputs_of_cascades(small_net, images, wrong, message):
    before = weights(small_net)
    with pytest.raises(ValueError, match=message):
        ke.metrics.cascading_randomisation(gradients, small_net, **({"x": images} | wrong))
    assert weights(small_net) == before


def test_a_model_without_weights():
    model = keras.Sequential([keras.Input([4, 4, 3]), keras.layers.GlobalAveragePooling2D()], name="bare")
    with pytest.raises(ValueError, match="expected a model with weights, got 'bare' without"):
        ke.metrics.cascading_randomisation(gradients, model, np.ones([1, 4, 4, 3]))
