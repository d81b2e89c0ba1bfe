"""Makes the pictures of the gallery, by running the code that stands in gallery.md.

Usage: python docs/make_pictures.py docs/pictures

Takes a minute or two, since two small nets are trained. Needs scikit-learn, for its two photographs.
"""

import contextlib
import io
import os
import re
import sys
from pathlib import Path

GALLERY = Path(__file__).with_name("gallery.md")


def make(folder: Path) -> None:
    """Runs the gallery's blocks one after the other, as one program whose working directory is the folder.

    Args:
        folder: Where to write the pictures; made where it is missing.
    """
    code = "".join(re.findall(r"```python\n(.*?)```", GALLERY.read_text(), re.DOTALL))
    folder.mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Progress bars, of no use here.
            exec(code, {})
    finally:
        os.chdir(before)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make(Path(sys.argv[1]))
