"""Pictures: what is drawn where."""

import io

import numpy as np
import pytest
import tensorflow as tf
from matplotlib import colormaps

import keras_fullgrad as ke

IMAGE = np.random.default_rng(0).random([6, 5, 3])
MAP = np.random.default_rng(1).random([6, 5, 1])


def test_the_page_of_keras_explainable():
    images, maps = [IMAGE] * 3, [MAP] * 3
    figure = ke.utils.visualize(
        images=[*images, *maps, *images], overlays=[None] * (2 * len(images)) + [*maps]
    )
    assert [len(axes.images) for axes in figure.axes] == [1] * 6 + [2] * 3
    np.testing.assert_array_equal(figure.axes[3].images[0].get_array(), MAP[..., 0])
    alpha = figure.axes[6].images[1].get_alpha()
    assert (alpha.min(), alpha.max()) == (0, 0.75)  # Where there is nothing, the photograph stays as it is.


def test_grid_titles_and_empty_places():
    figure = ke.utils.visualize([IMAGE, None, MAP], titles=["a", "b"], rows=1)
    assert figure.axes[0].get_gridspec().get_geometry() == (1, 3)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", ""]
    assert [len(axes.images) for axes in figure.axes] == [1, 0, 1]


def test_more_pages_of_keras_explainable():
    """Its calls, as they stand in its documentation."""
    images, maps = np.stack([IMAGE] * 2), np.stack([MAP] * 2)
    figure = ke.utils.visualize(sum(zip(images, maps, strict=True), ()), cols=4)
    assert figure.axes[0].get_gridspec().get_geometry() == (1, 4)
    overlays = sum(zip([None] * 2, maps, strict=True), ())
    figure = ke.utils.visualize(images.repeat(2, axis=0), ["original", "FullGrad"], overlays, cols=2)
    assert [len(axes.images) for axes in figure.axes] == [1, 2, 1, 2]
    assert [axes.get_title() for axes in figure.axes] == ["original", "FullGrad", "", ""]


def test_one_image_is_enough():
    figure = ke.utils.visualize(IMAGE, titles="one", overlays=MAP)
    assert len(figure.axes) == 1
    assert figure.axes[0].get_title() == "one"
    np.testing.assert_array_equal(figure.axes[0].images[1].get_array(), MAP[..., 0])


def test_tensors():
    figure = ke.utils.visualize(tf.stack([IMAGE] * 2), overlays=tf.cast(tf.stack([MAP] * 2), tf.bfloat16))
    assert [len(axes.images) for axes in figure.axes] == [2, 2]


def colours_of(*arguments, **options):
    return [image.get_cmap().name for image in ke.utils.visualize(*arguments, **options).axes[0].images]


def test_maps_are_in_inferno_and_photographs_in_grey():
    photograph = np.uint8(255 * MAP)
    assert colours_of([MAP]) == ["inferno"]
    assert colours_of([photograph]) == ["gray"]
    assert colours_of([MAP], overlays=[MAP]) == ["gray", "inferno"]
    assert colours_of([photograph], overlays=[MAP], cmap="bone", overlay_cmap="jet") == ["bone", "jet"]
    assert colours_of([MAP], cmap=colormaps["magma"]) == ["magma"]


def test_one_channel_is_drawn_from_its_least_to_its_greatest_value():
    image = ke.utils.visualize([1000 * MAP - 300]).axes[0].images[0]
    assert image.get_clim() == (1000 * MAP.min() - 300, 1000 * MAP.max() - 300)


def test_overlays_are_as_large_as_their_images():
    small = ke.utils.visualize([IMAGE], overlays=[np.eye(2)]).axes[0].images
    assert small[0].get_extent() == small[1].get_extent()


def test_several_classes_side_by_side():
    maps = np.concatenate([MAP, 1 - MAP], -1)
    figure = ke.utils.visualize([IMAGE] * 2, ["cat", "dog"], overlays=np.moveaxis(maps, -1, 0))
    np.testing.assert_array_equal(figure.axes[1].images[1].get_array(), 1 - MAP[..., 0])


@pytest.mark.parametrize("options", [{}, {"figsize": (6, 4)}, {"subplots_hs": 0.2, "subplots_ws": 0.1}])
def test_titles_fit_and_hide_no_image(options):
    long = "a title of many words that is longer than an image is wide, if it were not made smaller"
    figure = ke.utils.visualize(
        [IMAGE] * 6, titles=["a", long, "b", "two\nlines", "c", "d"], cols=3, **options
    )
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    titles = [axes.title.get_window_extent() for axes in figure.axes]
    assert all(box.x0 >= 0 and box.x1 <= width and box.y1 <= height for box in titles)
    assert titles[0].x1 < titles[1].x0 < titles[1].x1 < titles[2].x0
    for lower, upper in zip(titles[3:], figure.axes[:3], strict=True):
        assert lower.y1 <= upper.get_window_extent().y0


def test_images_keep_their_proportions():
    figure = ke.utils.visualize([IMAGE, IMAGE[:3]], titles=["a", "two\nlines"], figsize=(5, 4))
    figure.draw_without_rendering()
    extents = [axes.images[0].get_window_extent() for axes in figure.axes]
    np.testing.assert_allclose([each.width / each.height for each in extents], [5 / 6, 5 / 3])


def test_space_between_images():
    figure = ke.utils.visualize([IMAGE] * 4, cols=2, subplots_ws=0.5, subplots_hs=0.25)
    first, second, below = (figure.axes[index].get_position(original=True) for index in (0, 1, 2))
    assert (second.x0 - first.x1) / first.width == pytest.approx(0.5)
    assert (first.y0 - below.y1) / first.height == pytest.approx(0.25)


def test_the_ending_tells_the_format(tmp_path):
    ke.utils.visualize([IMAGE], to_file=tmp_path / "picture.pdf")
    assert (tmp_path / "picture.pdf").read_bytes()[:4] == b"%PDF"


def test_files(tmp_path):
    buffer = io.BytesIO()
    path = tmp_path / "picture.png"
    ke.utils.visualize([IMAGE], to_file=str(path), to_buffer=buffer)
    assert path.read_bytes()[:4] == buffer.getvalue()[:4] == b"\x89PNG"


TWO_CLASSES = np.concatenate([MAP, MAP], -1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "at least one image, got none"),
        ({"images": [IMAGE], "titles": ["a", "b"]}, "as many titles as the 1 images, got 2"),
        ({"images": [IMAGE], "overlays": [MAP, MAP]}, "as many overlays as the 1 images, got 2"),
        ({"images": [IMAGE] * 5, "rows": 2, "cols": 2}, "places for 5 images, got 2 rows of 2"),
        ({"images": [IMAGE], "cols": 0}, "places for 1 images, got 1 rows of 0"),
        ({"images": [IMAGE], "overlay_alpha": 2}, "overlay_alpha from 0 to 1, got 2"),
        ({"images": [MAP, IMAGE * 255]}, "image 1: .* values from 0 to 1, got"),
        ({"images": [IMAGE, TWO_CLASSES]}, r"image 1: expected an image of shape .*, got \(6, 5, 2\)"),
        ({"images": [MAP * np.nan]}, "image 0: expected a map of finite values"),
        ({"images": [IMAGE], "overlays": [MAP * np.inf]}, "image 0: expected a map of finite values"),
        ({"images": [IMAGE], "overlays": [TWO_CLASSES]}, "image 0: expected a map of one class"),
        ({"images": [MAP], "cmap": "no colours"}, "one of matplotlib's colour maps, got 'no colours'"),
        ({"images": [IMAGE], "overlays": [MAP], "overlay_cmap": "none"}, "colour maps, got 'none'"),
    ],
)
def test_wrong_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        ke.utils.visualize(**arguments)
