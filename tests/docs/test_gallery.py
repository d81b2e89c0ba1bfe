"""The code of pages with pictures of their own makes those that they show.

It runs whenever the site is built, which `.ci/run` does: what is missing then ends the build.
"""

import re

import make_pictures


def test_the_pages_show_what_their_code_draws():
    for page in make_pictures.PAGES:
        text = page.read_text()
        shown = re.findall(r"\]\(pictures/(.+?)\)", text)
        drawn = re.findall(r"(?:(?:savefig|save)\(\s*|to_file=|out=)\"(.+?\.(?:png|html))\"", text)
        assert shown
        assert sorted(shown) == sorted(drawn)
