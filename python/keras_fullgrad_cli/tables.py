"""Images in Parquet files: the columns ``image``, encoded, ``path``, and, if wanted, ``class``."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from keras_fullgrad_cli import remote
from keras_fullgrad_cli.sources import Source

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile


def sources(files: Sequence[str]) -> list[Source]:
    """Finds the images in Parquet files.

    Args:
        files: The files, or their URLs.

    Returns:
        The images, in order.

    Raises:
        ValueError: If pyarrow is not installed, a file cannot be read or lacks a column, there is no image,
            or two have the same path.
    """
    found = [source for file in files for source in _sources(file)]
    if not found:
        raise ValueError(f"expected images in {', '.join(files)}, got none")
    seen: set[str] = set()
    for source in found:
        if source.path in seen:
            raise ValueError(f"expected a path of its own for each image in Parquet, got {source.path} twice")
        seen.add(source.path)
    return found


def images(files: Sequence[str], size: int) -> Iterator[list[bytes | None]]:
    """Reads images.

    Args:
        files: The files, or their URLs.
        size: How many images to read at a time; the last time there may be fewer.

    Yields:
        What their files held; None where a row has none.
    """
    rows = (
        image
        for file in files
        for batch in _opened(file).iter_batches(size, columns=["image"])
        for image in batch.column("image").to_pylist()
    )
    while batch := list(itertools.islice(rows, size)):
        yield batch


def _sources(file: str) -> Iterator[Source]:
    opened = _opened(file)
    types = dict(zip(opened.schema_arrow.names, opened.schema_arrow.types, strict=True))
    for column, kinds in (("image", ("binary", "large_binary")), ("path", ("string", "large_string"))):
        if str(types.get(column)) not in kinds:
            got = types.get(column, "none")
            raise ValueError(f"expected a column '{column}' of type {kinds[0]} in {file}, got {got}")
    table = opened.read(columns=["path", *({"class"} & set(types))])
    paths = table["path"].to_pylist()
    wanted: list[Any] = table["class"].to_pylist() if "class" in types else [None] * len(paths)
    for path, each in zip(paths, wanted, strict=True):
        yield Source(path, None if each is None else str(each))


def _opened(file: str) -> "ParquetFile":
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ValueError(f"expected pyarrow to read {file}: pip install 'keras-fullgrad[ray]'") from None
    try:
        return ParquetFile(remote.opened(file) if remote.is_url(file) else file)
    except (OSError, ArrowException) as error:
        raise ValueError(f"expected a Parquet file, got {file}: {error}") from error
