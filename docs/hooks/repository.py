"""Shows on the site what readers look for at the root of the repository."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_FOUND_LAST = "---\nsearch:\n  boost: 0.2\n---\n"  # A search for "report" is not for how to report a fault.
_MARK = re.compile(r"<!-- readme: (.+) -->")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds files as pages."""
    for name in _PAGES:
        files.append(File.generated(config, name, content=_FOUND_LAST + _read(config, name)))
    return files


def on_page_markdown(markdown: str, config: MkDocsConfig, **_: Any) -> str:
    """Puts a section of the README where its name is marked."""

    def section(found: re.Match[str]) -> str:
        text = _read(config, "README.md")
        return re.search(rf"^## {found[1]}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]

    return _MARK.sub(section, markdown)


def _read(config: MkDocsConfig, name: str) -> str:
    """A file's text, with links that hold from a page."""
    return (Path(config.config_file_path).parent / name).read_text().replace("](docs/", "](")
