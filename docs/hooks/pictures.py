"""Draws the site's pictures when it is built, so that none shows what is measured no more."""

import re
from typing import Any

import plots
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_MARK = re.compile(r"<!-- plot: ([\w-]+) -->")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds each plot, in the ink of either colour scheme."""
    for name, (plot, _) in plots.PLOTS.items():
        for scheme, ink in plots.INKS.items():
            content = plots.svg(plot, ink)
            files.append(File.generated(config, f"plots/{name}-{scheme}.svg", content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Shows a plot where its mark is: elsewhere than on the site the mark is not seen."""
    return _MARK.sub(lambda found: _images(found[1]), markdown)


def _images(name: str) -> str:
    words = plots.PLOTS[name][1]
    return "".join(f"![{words}](plots/{name}-{scheme}.svg#only-{scheme})" for scheme in plots.INKS)
