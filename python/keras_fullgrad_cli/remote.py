"""Files in object stores, and wherever else pyarrow finds them, by their URLs."""

import functools
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from keras_fullgrad_cli.paths import MissingPathError

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import FileSystem


def is_url(path: str) -> bool:
    """Whether a path is a URL, such as ``s3://bucket/folder``."""
    return "://" in path


def files(url: str) -> list[str] | None:
    """Lists all files below a folder.

    Args:
        url: The folder.

    Returns:
        Their URLs, in order. None: it is a file.

    Raises:
        MissingPathError: If it is neither.
        ValueError: If pyarrow is not installed, does not know such URLs, or cannot list the folder.
    """
    filesystem, path = _located(url)
    from pyarrow.fs import FileSelector, FileType

    try:
        kind = filesystem.get_file_info(path).type
        if kind == FileType.NotFound:
            raise MissingPathError(f"expected an image or a folder of images, there is no {url}")
        if kind != FileType.Directory:
            return None
        found = filesystem.get_file_info(FileSelector(path, recursive=True))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot list {url}: {error}") from error
    names = sorted(info.path.removeprefix(path) for info in found if info.type == FileType.File)
    parts = urlsplit(url)
    folder = parts.path.rstrip("/")
    return [parts._replace(path=f"{folder}/{quote(name.lstrip('/'))}").geturl() for name in names]


def opened(url: str) -> "NativeFile":
    """Opens a file for reading.

    Raises:
        ValueError: If pyarrow is not installed, or does not know such URLs.
        OSError: If the file cannot be read.
    """
    parts = urlsplit(url)
    folder, _, name = parts.path.rpartition("/")
    filesystem, path = _located(parts._replace(path=folder or "/").geturl())
    return filesystem.open_input_file(f"{path.rstrip('/')}/{unquote(name)}")


@functools.lru_cache(4096)  # A connection for each folder, not for each file.
def _located(url: str) -> tuple["FileSystem", str]:
    """What reads a URL, and what it calls it."""
    try:
        from pyarrow.fs import FileSystem
    except ImportError:
        raise ValueError(f"expected pyarrow to read {url}: pip install 'keras-fullgrad[ray]'") from None
    return FileSystem.from_uri(url)
