"""Reads the Sphinx markup of docstrings as Markdown, for mkdocstrings."""

import re
import textwrap
from typing import Any

import griffe

_REFERENCE = re.compile(r":(?:attr|class|data|func|mod):`([\w.]+)`")
_FORMULA = re.compile(r":math:`([^`]+)`")
_DISPLAYED = re.compile(r"^\.\. math::[ ]*(.*\n(?:[ ]+.*\n|\n)*)", re.MULTILINE)


class SphinxMarkup(griffe.Extension):
    """Rewrites references, formulas, and the heading that Google's style gives a single example."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrites the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(docstring: str) -> str:
    """Rewrites a docstring."""
    text = _REFERENCE.sub(lambda found: f"[`{found[1].rpartition('.')[2]}`][{found[1]}]", docstring)
    text = _FORMULA.sub(r"$\1$", text)
    text = _DISPLAYED.sub(lambda found: f"$$\n{textwrap.dedent(found[1]).strip()}\n$$\n\n", text + "\n")
    return re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE).strip()
