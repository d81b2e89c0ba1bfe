"""Examples in Markdown: found, and run as they stand."""

import importlib.util
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*) -->\n *)?```(?P<language>\w+)\n(?P<code>.*?)^ *```$", re.DOTALL | re.MULTILINE
)


class Block(NamedTuple):
    """A fenced block: its language, its code, the line that it begins in, and the comment right before it."""

    language: str
    code: str
    line: int
    mark: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, also those within lists and tabs."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code"))
        yield Block(found["language"], textwrap.dedent(found["code"]), line, found["mark"] or "")


def run(page: Path) -> dict[str, Any]:
    """Runs a page's Python from top to bottom, and returns its names.

    But for blocks marked `not run: REASON`, and those marked `needs: MODULE` where that is not installed.
    """
    names: dict[str, Any] = {}
    for block in blocks(page):
        what, _, named = block.mark.partition(": ")
        left_out = what == "not run" or (what == "needs" and importlib.util.find_spec(named) is None)
        if block.language == "python" and not left_out:
            # Empty lines before it: a traceback names the line of the page.
            exec(compile("\n" * block.line + block.code, str(page), "exec"), names)
    return names
