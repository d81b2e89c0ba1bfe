"""The code of the gallery and of the tasks runs, and makes the pictures that the pages show."""

import re

import pytest
from PIL import Image

import make_pictures


@pytest.mark.slow
def test_the_pages_make_each_of_their_pictures(tmp_path):
    make_pictures.make(tmp_path / "pictures")
    text = "".join(page.read_text() for page in make_pictures.PAGES)
    named = re.findall(r"!\[.+\]\(pictures/(.+)\)", text)
    assert len(named) == 14
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == set(named)
    for name in named:
        with Image.open(tmp_path / "pictures" / name) as picture:
            assert min(picture.size) > 200
