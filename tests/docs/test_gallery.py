"""The gallery's code runs, and the nets that it trains are shown what they were not trained on."""

import functools
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import make_pictures
import temple_and_dahlia


@pytest.mark.slow
def test_the_gallery_makes_each_of_its_pictures(tmp_path, monkeypatch):
    briefly = functools.partial(temple_and_dahlia.train, epochs=1, count=64)
    monkeypatch.setattr(temple_and_dahlia, "train", briefly)
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: None)
    make_pictures.make(tmp_path / "pictures")
    text = "".join(page.read_text() for page in make_pictures.PAGES)
    named = re.findall(r"!\[.+\]\(pictures/(.+)\)", text)
    assert len(named) == 13
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == set(named)
    for name in named:
        with Image.open(tmp_path / "pictures" / name) as picture:
            assert min(picture.size) > 200


def test_what_is_held_out_is_not_trained_on():
    rng = np.random.default_rng(0)
    for photograph in temple_and_dahlia.photographs():
        left, top, right, bottom = photograph.held_out
        held_out = np.zeros(photograph.subject.shape, bool)
        held_out[top:bottom, left:right] = True
        assert (photograph.subject & held_out).sum() > 0.3 * photograph.subject.sum()
        for crop, expected in (("_training_crop", 0), ("_held_out_crop", 1)):
            for _ in range(200):
                x, y, side = getattr(temple_and_dahlia, crop)(photograph, rng)
                assert held_out[y : y + side, x : x + side].mean() == expected


def test_shares_are_of_what_is_shown():
    rng = np.random.default_rng(0)
    image, shares = temple_and_dahlia.mosaic(np.array([[1, 1], [1, 0]]), tile=20, rng=rng, held_out=True)
    assert image.shape == (40, 40, 3)
    petals = (image[..., 0] > 0.6) & (image[..., 2] < 0.6)
    assert shares[1] == pytest.approx(petals.mean(), abs=0.1)
    assert 0.1 < shares[0] <= 0.25
    first, again = (temple_and_dahlia.mosaics(2, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    assert 0 <= first[0].min() < first[0].max() <= 1
