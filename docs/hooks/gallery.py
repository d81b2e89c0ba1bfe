"""Makes the gallery's pictures before the site is built, where what makes them is newer than they are."""

import subprocess
import sys
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).parents[1]
_SOURCES = ("gallery.md", "tasks.md", "make_pictures.py")


def on_pre_build(**_: Any) -> None:
    """Runs the code of these pages, which takes some minutes."""
    folder = _DOCS / "pictures"
    oldest = min((picture.stat().st_mtime for picture in folder.glob("*.png")), default=0)
    if oldest < max((_DOCS / name).stat().st_mtime for name in _SOURCES):
        subprocess.run([sys.executable, _DOCS / "make_pictures.py", folder], check=True)
