"""Writes the reference of the command line into its page, by Typer's own generator."""

import subprocess
import sys
from typing import Any

_MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the commands and their options where the mark is."""
    if _MARK not in markdown:
        return markdown
    typer = [sys.executable, "-m", "typer", "keras_fullgrad_cli", "utils", "docs", "--name", "keras-fullgrad"]
    made = subprocess.run(typer, check=True, capture_output=True, text=True).stdout
    return markdown.replace(_MARK, made[made.index("\n## ") :])
