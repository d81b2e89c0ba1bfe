"""Maps and boxes or masks: by hand, against another implementation, identities, and every wrong input."""

import numpy as np
import pytest

import keras_fullgrad as ke

RNG = np.random.default_rng(0)


def test_energy_by_hand():
    maps = np.array([[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [0, 8, 0]]])
    energy = ke.metrics.energy_pointing_game(maps, np.array([[0, 1, 2, 3], [0, 0, 1, 2]]))
    np.testing.assert_allclose(energy.values, [16 / 21, 0])
    np.testing.assert_allclose(energy.areas, [4 / 6, 2 / 6])
    assert energy.mean == pytest.approx(8 / 21)
    assert energy.mean_area == pytest.approx(0.5)


@pytest.mark.parametrize("height", [0, 1e-3, 7])
@pytest.mark.parametrize("shape", [[9], [9, 8], [5, 6, 7]])
def test_an_even_map_has_the_energy_of_the_area(shape, height):
    first = RNG.integers(0, 3, [4, len(shape)])
    boxes = np.concatenate([first, first + RNG.integers(1, 3, first.shape)], axis=1)
    energy = ke.metrics.energy_pointing_game(np.full([4, *shape], height), boxes)
    np.testing.assert_allclose(energy.values, energy.areas)
    sizes = np.prod(boxes[:, len(shape) :] - first, axis=1)
    np.testing.assert_allclose(energy.areas, sizes / np.prod(shape))


@pytest.mark.parametrize("axes_of_classes", [(), (1,)])
def test_boxes_are_masks(axes_of_classes):
    maps = RNG.random([2, 6, 5, *axes_of_classes])
    masks = np.zeros([2, 6, 5], bool)
    masks[0, 1:4, 2:5] = masks[1, 0:6, 4:5] = True
    boxes = np.array([[1, 2, 4, 5], [0, 4, 6, 5]], np.uint8)
    from_boxes, from_masks = (ke.metrics.energy_pointing_game(maps, regions) for regions in (boxes, masks))
    np.testing.assert_array_equal(from_boxes.values, from_masks.values)
    np.testing.assert_array_equal(from_boxes.areas, from_masks.areas)


def test_all_energy_inside_beats_none():
    mask = RNG.random([3, 6, 5]) < 0.3
    assert ke.metrics.energy_pointing_game(mask.astype(float), mask).values.tolist() == [1, 1, 1]
    assert ke.metrics.energy_pointing_game(1.0 - mask, mask).values.tolist() == [0, 0, 0]


def test_energies_are_those_of_quantus(demo):
    """Of its version 0.6.0, there named relevance mass accuracy."""
    maps = np.random.default_rng(0).random([6, 96, 96], np.float32)
    energy = ke.metrics.energy_pointing_game(maps, demo[1].boxes[:6])
    quantus = [0.0628711, 0.0511803, 0.0745283, 0.0524489, 0.0655823, 0.0438951]
    np.testing.assert_allclose(energy.values, quantus, rtol=1e-5)


def test_a_maximum_points_or_not():
    maps = np.array([[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [0, 8, 0]], [[9, 0, 9], [0, 0, 0]]])
    found = ke.metrics.pointing_game(maps, np.array([[0, 1, 2, 3], [0, 0, 1, 2], [0, 0, 1, 1]]))
    assert found.values.tolist() == [1, 0, 0.5]
    np.testing.assert_allclose(found.areas, [4 / 6, 2 / 6, 1 / 6])


def test_the_highest_positions_lie_inside_or_not():
    maps = np.array([[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [0, 8, 0]]])
    masks = np.array([[[0, 1, 1], [0, 0, 1]], [[0, 0, 0], [0, 1, 0]]], bool)
    found = ke.metrics.relevance_rank_accuracy(maps, masks)
    np.testing.assert_allclose(found.values, [1 / 3, 1])
    assert ke.metrics.relevance_rank_accuracy(masks, masks).values.tolist() == [1, 1]
    assert ke.metrics.relevance_rank_accuracy(~masks, masks).values.tolist() == [0, 0]


@pytest.mark.parametrize("shape", [[9], [9, 8], [5, 6, 7]])
def test_only_the_order_of_a_map_counts(shape):
    maps, masks = RNG.normal(size=[6, *shape]), RNG.random([6, *shape]) < 0.4
    masks[:, 0] = True
    for measure in (ke.metrics.pointing_game, ke.metrics.relevance_rank_accuracy):
        np.testing.assert_array_equal(measure(maps, masks).values, measure(np.exp(maps), masks).values)


def test_an_even_map_has_the_accuracy_of_the_area():
    masks = np.zeros([3, 60, 50], bool)
    masks[:, 10:40, 20:30] = True
    even = np.zeros(masks.shape)
    np.testing.assert_allclose(ke.metrics.pointing_game(even, masks).values, 0.1)
    found = ke.metrics.relevance_rank_accuracy(even, masks)
    np.testing.assert_allclose(found.values, 0.1, atol=0.06)
    assert (found.values != ke.metrics.relevance_rank_accuracy(even, masks, seed=1).values).all()


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
    measures = [ke.metrics.energy_pointing_game]
    if "negative" not in message:
        measures += [ke.metrics.pointing_game, ke.metrics.relevance_rank_accuracy]
    for measure in measures:
        with pytest.raises(ValueError, match=message):
            measure(maps, regions)
