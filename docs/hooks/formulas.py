"""Turns formulas into MathML when the site is built, so that pages need no script and no font from elsewhere.

Browsers draw MathML by themselves, and screen readers read it.
"""

import html
import re
from typing import Any

import latex2mathml.converter

# As pymdownx.arithmatex leaves them.
_FORMULAS = {
    "inline": re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL),
    "block": re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL),
}


def on_page_content(content: str, **_: Any) -> str:
    """Converts the formulas of a page."""
    for display, formula in _FORMULAS.items():
        content = formula.sub(lambda found, display=display: _mathml(found[1], display), content)
    return content


def _mathml(latex: str, display: str) -> str:
    return latex2mathml.converter.convert(html.unescape(latex).strip(), display=display)
