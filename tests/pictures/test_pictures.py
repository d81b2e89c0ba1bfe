"""Pictures as arrays and figures of them: what is covered, coloured and written, and every wrong input."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

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


def test_a_mask_is_black_and_white():
    np.testing.assert_array_equal(pictures.displayable(np.eye(2, dtype=bool))[..., 0], 255 * np.eye(2))


def test_limits_are_the_first_and_the_last_colour():
    signed = pictures.coloured(np.array([[-3.0, -1.0, 0.0, 2.0]]), "gray", limits=(-2, 2))
    assert signed[0, :, 0].tolist() == [0, 64, 128, 255]


def test_a_colour_map_of_ones_own():
    ours = ListedColormap([(0, 0, 0), (1, 0, 0)])
    assert pictures.coloured(np.array([[0.0, 1.0]]), ours).tolist() == [[[0, 0, 0], [255, 0, 0]]]


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


def test_limits_must_increase():
    with pytest.raises(ValueError, match=r"expected limits that increase, got \(1, 1\)"):
        pictures.coloured(MAP, limits=(1, 1))


def test_pictures_of_two_heights():
    with pytest.raises(ValueError, match=r"one height, got heights \[5, 6\]"):
        pictures.side_by_side([IMAGE, IMAGE[:5]])


def titles_of(figure):
    return [axes.get_title() for axes in figure.axes]


def shown(figure):
    """The picture in each place, None where it is empty."""
    return [axes.images[0].get_array() if axes.images else None for axes in figure.axes]


def boxes(figure):
    """Left, bottom, right and top of each picture and of each text, in inches."""
    figure.draw_without_rendering()
    drawn = [image for axes in figure.axes for image in axes.images]
    texts = [text for axes in figure.axes for text in (axes.title, *axes.texts) if text.get_text()]
    return ([each.get_window_extent().extents / figure.dpi for each in some] for some in (drawn, texts))


def assert_nothing_is_clipped_or_hidden(figure):
    drawn, texts = boxes(figure)
    everything = [*drawn, *texts]
    width, height = figure.get_size_inches()
    for left, bottom, right, top in everything:
        assert min(left, bottom) > -0.01
        assert right < width + 0.01
        assert top < height + 0.01
    for i, one in enumerate(everything):
        for other in everything[i + 1 :]:
            overlap = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
            assert not (overlap > 0.01).all()


def test_a_grid_holds_its_pictures_and_texts():
    wide = np.zeros([10, 30, 3], np.uint8)
    figure = pictures.grid(
        [[IMAGE, wide], [None, wide], [IMAGE]],
        titles=[["a title that is longer than a picture is wide", "two\nlines"], ["", "below"]],
        labels=["first", "a long label", "third"],
    )
    places = shown(figure)
    np.testing.assert_array_equal(places[0], IMAGE)
    assert [place is None for place in places] == [False, False, True, False, False]
    assert_nothing_is_clipped_or_hidden(figure)
    drawn, _ = boxes(figure)
    sizes = [box[2:] - box[:2] for box in drawn]
    np.testing.assert_allclose(sizes, [[2 * 5 / 6, 2], [6, 2], [6, 2], [2 * 5 / 6, 2]])


@pytest.mark.parametrize("title", ["short", "many words " * 9, "one_word_" * 9, "a\nb\nc\nd\ne\nf\ng\nh"])
@pytest.mark.parametrize("label", ["", "a label that is much longer than the pictures are wide"])
@pytest.mark.parametrize("proportions", [(1, 1), (1, 3), (3, 1)])
def test_texts_of_every_length_fit(title, label, proportions):
    shapes = [(10, 10 * width, 3) for width in proportions]
    figure = pictures.grid(
        [[np.zeros(shape, np.uint8)] * 2 for shape in shapes], [[title, "x"]] * 2, [label, "x"], inches=1.5
    )
    assert_nothing_is_clipped_or_hidden(figure)
    drawn, _ = boxes(figure)
    sizes = [box[2:] - box[:2] for box in drawn]
    np.testing.assert_allclose(sizes, [[1.5 * width, 1.5] for width in proportions for _ in range(2)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[None]],), "at least one picture, got none"),
        (([[IMAGE[..., :2]]],), r"an image of shape .*, got \(6, 5, 2\)"),
        (([[IMAGE]], [["a", "b"]]), r"a title for each picture, \[1\] in the rows, got \[2\]"),
        (([[IMAGE]], [["a"], ["b"]]), r"a title for each picture, \[1\] in the rows, got \[1, 1\]"),
        (([[IMAGE]], None, ["a", "b"]), "a label for each of 1 rows, got 2"),
    ],
)
def test_wrong_grids(arguments, message):
    with pytest.raises(ValueError, match=message):
        pictures.grid(*arguments)


def test_classes_are_side_by_side():
    maps = np.concatenate([MAP, 1 - MAP, MAP**2], -1)
    figure = pictures.class_grid(IMAGE, maps, names=["cat", "dog", "a bird of a very long name indeed"])
    assert titles_of(figure)[:3] == ["image", "cat", "dog"]
    grey = IMAGE.mean(-1).astype(np.uint8)
    np.testing.assert_array_equal(shown(figure)[0], IMAGE)
    np.testing.assert_array_equal(shown(figure)[2], ke.overlay(grey, 1 - MAP))
    assert_nothing_is_clipped_or_hidden(figure)


def test_classes_without_names():
    assert titles_of(pictures.class_grid(IMAGE, MAP)) == ["", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IMAGE, MAP[..., 0]), r"a map of K classes, \(height, width, K\), got shape \(6, 5\)"),
        ((IMAGE, MAP, ["cat", "dog"]), "a name for each of 1 classes, got 2"),
    ],
)
def test_wrong_maps_of_classes(arguments, message):
    with pytest.raises(ValueError, match=message):
        pictures.class_grid(*arguments)


def made_up_terms(layers):
    names = ["input", *(f"conv2d_{index}" for index in range(layers))]
    return {name: RNG.random([2, 6, 5, 2]) for name in names}


def test_layers_are_in_order_with_their_shares(small_net, images):
    scaled = images / 2 + 0.5
    _, maps = explained = ke.full_gradients(
        small_net, images[:2], y=[[0, 1]] * 2, return_terms=True, verbose=0
    )
    terms = explained.terms
    figure = pictures.layer_grid(scaled[:2], terms, index=1, target=1)
    names, shares = zip(*(title.split("\n") for title in titles_of(figure)[1:-1]), strict=True)
    assert names == tuple(terms) == ("input", "c1", "b1", "b2", "b3")
    expected = [terms[name][1, ..., 1].sum() / maps[1, ..., 1].sum() for name in names]
    np.testing.assert_allclose([float(share.rstrip("%")) / 100 for share in shares], expected, atol=6e-4)
    np.testing.assert_array_equal(shown(figure)[0], pictures.displayable(scaled[1]))
    np.testing.assert_array_equal(shown(figure)[2], pictures.coloured(terms["c1"][1, ..., 1]))
    np.testing.assert_allclose(shown(figure)[-1], pictures.coloured(maps[1, ..., 1]), atol=1)


def test_layers_of_a_deep_net_are_added_up_to_few_pictures():
    terms = made_up_terms(107)
    figure = pictures.layer_grid(np.zeros([2, 6, 5]), terms)
    titles = titles_of(figure)
    assert len(titles) == 12
    assert titles[2].startswith("conv2d_0\nto conv2d_11\n")
    assert titles[-2].startswith("conv2d_96\nto conv2d_106\n")
    shares = [float(title.split("\n")[-1].rstrip("%")) for title in titles[1:-1]]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    first = sum(terms[f"conv2d_{index}"][0, ..., 0] for index in range(12))
    np.testing.assert_array_equal(shown(figure)[2], pictures.coloured(first))
    assert_nothing_is_clipped_or_hidden(figure)


def test_each_layer_by_itself_where_it_is_asked_for():
    terms = made_up_terms(20)
    assert len(pictures.layer_grid(np.zeros([2, 6, 5]), terms, groups=len(terms)).axes) == 23


def test_a_map_of_nothing_has_no_shares():
    terms = {"input": np.zeros([1, 6, 5, 1]), "conv": np.zeros([1, 6, 5, 1])}
    assert titles_of(pictures.layer_grid(IMAGE[np.newaxis], terms))[1] == "input\n0.0%"


@pytest.mark.parametrize(
    ("terms", "options", "message"),
    [
        ({}, {}, "the terms of a map, got none"),
        ({"input": MAP}, {}, r"terms of 1 images, .* got shape \(6, 5, 1\) for 'input'"),
        ({"input": np.ones([2, 6, 5, 1])}, {}, r"terms of 1 images, .* got shape \(2, 6, 5, 1\)"),
        (
            {"input": MAP[np.newaxis]},
            {"index": 1},
            "index below 1 images and a target below 1 .* got 1 and 0",
        ),
        ({"input": MAP[np.newaxis]}, {"target": -1}, "target below 1 classes, got 0 and -1"),
        ({"input": MAP[np.newaxis]}, {"groups": 0}, "at least 1 group of layers, got 0"),
    ],
)
def test_wrong_terms(terms, options, message):
    with pytest.raises(ValueError, match=message):
        pictures.layer_grid(IMAGE[np.newaxis], terms, **options)
