"""Pictures: what is drawn where."""

import io

import numpy as np
import pytest

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
    assert figure.axes[6].images[1].get_alpha() == 0.75


def test_grid_titles_and_empty_places():
    figure = ke.utils.visualize([IMAGE, None, MAP], titles=["a", "b"], rows=1)
    assert figure.axes[0].get_gridspec().get_geometry() == (1, 3)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", ""]
    assert [len(axes.images) for axes in figure.axes] == [1, 0, 1]


def test_one_image_is_enough():
    assert len(ke.utils.visualize(IMAGE).axes) == 1


def test_files(tmp_path):
    buffer = io.BytesIO()
    path = tmp_path / "picture.png"
    ke.utils.visualize([IMAGE], to_file=str(path), to_buffer=buffer)
    assert path.read_bytes()[:4] == buffer.getvalue()[:4] == b"\x89PNG"


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="at least one image, got none"):
        ke.utils.visualize([])
