"""Files that are written whole or not at all."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

UNFINISHED = ".unfinished"
"""How the name of a file ends that is being written, or was when its process was killed."""


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file that takes its place once it is written, and leaves nothing where it is not.

    Args:
        path: The file.

    Yields:
        What to write to.

    Raises:
        OSError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with write_whole(Path(folder) / "letter") as file:
        ...         _ = file.write(b"Dear reader")
        ...     (Path(folder) / "letter").read_bytes()
        b'Dear reader'
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # A dot, so that what reads a folder of Parquet files passes it over.
    unfinished = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        with unfinished.open("wb") as file:
            yield file
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
