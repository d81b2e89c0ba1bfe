"""Pictures as arrays: what is covered, what is coloured, and every wrong input."""

import numpy as np
import pytest
from matplotlib import colormaps

import keras_fullgrad as ke
from keras_fullgrad import pictures

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, [6, 5, 3], np.uint8)
MAP = RNG.random([6, 5, 1])


def test_an_image_is_clear_where_the_map_is_low_and_covered_where_it_is_high():
    covered = ke.overlay(IMAGE, MAP, cmap="viridis", alpha=1)
    low, high = (np.unravel_index(at, [6, 5]) for at in (MAP.argmin(), MAP.argmax()))
    np.testing.assert_array_equal(covered[low], IMAGE[low])
    np.testing.assert_array_equal(covered[high], colormaps["viridis"](1.0, bytes=True)[:3])
    assert (covered.shape, covered.dtype) == ((6, 5, 3), np.uint8)


def test_alpha_is_the_cover_of_the_greatest_value():
    np.testing.assert_array_equal(ke.overlay(IMAGE, MAP, alpha=0), IMAGE)
    half = ke.overlay(np.zeros([6, 5]), MAP, cmap="gray", alpha=0.5)
    assert half.max() == 128


@pytest.mark.parametrize("scale", [1, 1e-6, -1e6])
def test_maps_of_any_range(scale):
    turned = 1 - MAP if scale < 0 else MAP
    np.testing.assert_array_equal(ke.overlay(IMAGE, scale * MAP + 3), ke.overlay(IMAGE, turned))


def test_an_even_map_covers_nothing():
    np.testing.assert_array_equal(ke.overlay(IMAGE, np.ones([6, 5])), IMAGE)


def test_images_of_every_kind_look_the_same():
    grey = IMAGE[..., :1]
    expected = ke.overlay(np.repeat(grey, 3, -1), MAP)
    for same in (grey, grey[..., 0], grey.astype(np.int64), grey / 255, grey.astype(np.float32) / 255):
        np.testing.assert_array_equal(ke.overlay(same, MAP), expected)


def test_a_map_of_another_size_is_resized():
    small = np.array([[0.0, 1.0], [0.0, 1.0]])
    covered = ke.overlay(np.zeros([8, 8]), small, cmap="gray", alpha=1).astype(int)
    assert (np.diff(covered[0, :, 0]) >= 0).all()
    assert covered[0, 0, 0] == 0
    assert covered[0, -1, 0] == 255


def test_pictures_in_a_row():
    row = pictures.side_by_side([IMAGE, IMAGE[:, :2]])
    assert row.shape == (6, 5 + 4 + 2, 3)
    np.testing.assert_array_equal(row[:, :5], IMAGE)
    assert (row[:, 5:9] == 255).all()
    np.testing.assert_array_equal(row[:, 9:], IMAGE[:, :2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IMAGE[..., :2], MAP), r"expected an image of shape .*, got \(6, 5, 2\)"),
        ((IMAGE / 200, MAP), "float64 with values from 0 to 1, got 0 to 1.2"),
        ((IMAGE.astype(int) - 300, MAP), "int64 with values from 0 to 255, got -"),
        ((IMAGE, np.stack([MAP, MAP], -1)), r"expected a map of one class, .* got shape \(6, 5, 1, 2\)"),
        ((IMAGE, np.full([6, 5], np.nan)), "finite values, got NaN or infinity"),
        ((IMAGE, MAP, "no colours"), "one of matplotlib's colour maps, got 'no colours'"),
        ((IMAGE, MAP, "gray", 1.5), "alpha from 0 to 1, got 1.5"),
    ],
)
def test_wrong_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        ke.overlay(*arguments)


def test_pictures_of_two_heights():
    with pytest.raises(ValueError, match=r"one height, got heights \[5, 6\]"):
        pictures.side_by_side([IMAGE, IMAGE[:5]])
