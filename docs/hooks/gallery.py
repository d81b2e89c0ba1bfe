"""Makes the pages' pictures before the site is built, where what makes them is newer than they are."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).parents[1]
_MAKER = _DOCS / "make_pictures.py"


def on_pre_build(**_: Any) -> None:
    """Runs the code of the pages that show them, which takes some minutes."""
    folder = _DOCS / "pictures"
    oldest = min((picture.stat().st_mtime for picture in folder.glob("*.png")), default=0)
    sources = [_MAKER, *runpy.run_path(str(_MAKER))["PAGES"]]
    if oldest < max(source.stat().st_mtime for source in sources):
        subprocess.run([sys.executable, _MAKER, folder], check=True)
