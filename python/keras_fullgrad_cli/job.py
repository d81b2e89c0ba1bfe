"""From what a command was asked to a net, images and classes that fit each other."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_fullgrad import filters
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps.op import BACKENDS
from keras_fullgrad.methods.gradient import PRESETS
from keras_fullgrad.running import batches
from keras_fullgrad.targets import Class, Output, Target
from keras_fullgrad_cli import images, labels, nets, tables, targets
from keras_fullgrad_cli.folder import Entry, Place
from keras_fullgrad_cli.images import Source
from keras_fullgrad_cli.options import Request
from keras_fullgrad_cli.results import Result

_FILTERS = {each.__name__: each for each in filters.NATIVE}


class Read(NamedTuple):
    """An image that was read.

    Attributes:
        entry: The image.
        pixels: What it shows, (height, width, channels), uint8.
        classes: The classes to explain. None: its top classes.
    """

    entry: Entry
    pixels: np.ndarray
    classes: list[int] | None


@dataclasses.dataclass(frozen=True)
class Job:
    """A net and the images to explain.

    Attributes:
        request: What was asked for.
        net: The net.
        sources: The images.
        tables: The Parquet files that hold them, or nothing.
        labels: The names of the classes, or nothing.
        classes: The classes to explain of every image, or nothing.
        target: What to explain in their place, or None.
        batch_size: The images in a batch.
        strict: Whether an image that cannot be read is an error.
    """

    request: Request
    net: nets.Net
    sources: list[Source]
    tables: list[str]
    labels: list[str]
    classes: list[int]
    target: Target | None
    batch_size: int
    strict: bool

    @classmethod
    def prepared(cls, request: Request, strict: bool) -> "Job":
        """Loads what a request names, and checks what can be checked before an image is read.

        Raises:
            ValueError: If something is missing or does not fit.
        """
        _check_choices(request)
        sources, files = _found(request.images)
        names = labels.read(request.labels) if request.labels else []
        wanted = request.classes or []
        in_tables = any(source.wanted is not None for source in sources)
        if wanted and in_tables:
            raise ValueError("expected classes from --class or from a table, got both")
        if request.target is not None and (wanted or in_tables):
            raise ValueError("expected --target or classes, got both")
        target = None if request.target is None else targets.read(request.target)
        if len({source.wanted is None for source in sources}) > 1:
            raise ValueError("expected classes from tables for all images or for none, got some without")
        model = nets.load_model(request.model, request.weights, request.unsafe, request.size)
        net = nets.for_images(model, request.model, request.size, request.preprocessing)
        if target is None and net.classes is not None and request.top > net.classes:
            raise ValueError(
                f"expected --top from 1 to the {net.classes} classes of the model, got {request.top}"
            )
        classes = [labels.index(each, names, net.classes) for each in wanted]
        size = request.batch_size or batches.default_size((1, *net.shape))
        return cls(request, net, sources, files, names, classes, target, size, strict)

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """The shape of an image's map, (height, width, K)."""
        target = self.target.target if isinstance(self.target, Output) else self.target
        of_top = target is None or (isinstance(target, Class) and target.index is None)
        of_top = of_top and all(source.wanted is None for source in self.sources)
        return (*self.net.size, len(self.classes) or (self.request.top if of_top else 1))

    @property
    def params(self) -> dict[str, Any]:
        """Options of :func:`keras_fullgrad.methods.gradient.full_gradients`."""
        request = self.request
        return {
            "preset": request.preset,
            "psi": None if request.psi is None else _FILTERS[request.psi],
            "simple": request.simple,
            "implicit_biases": request.implicit_biases,
            "top": request.top,
            "target": self.target,
            "backend": request.backend,
        }

    @property
    def settings(self) -> dict[str, Any]:
        """What results depend on, in plain values."""
        settings = dataclasses.asdict(self.request)
        # Another batch size changes results by rounding only, and is what helps where memory ran out.
        for name in ("images", "unsafe", "max_pixels", "batch_size"):
            del settings[name]
        for name in ("model", "weights", "labels"):
            # A file is known by what it holds, wherever it lies.
            if settings[name] is not None and (file := Path(settings[name])).is_file():
                settings[name] = f"{file.name}, SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}"
        return settings

    def contents(self) -> Iterator[list[bytes | None] | None]:
        """What the images of each batch hold, where they are not files of their own."""
        return tables.images(self.tables, self.batch_size) if self.tables else itertools.repeat(None)

    def read(
        self, entries: Sequence[Entry], contents: Sequence[str | bytes | None] | None = None
    ) -> tuple[list[Read], list[tuple[Source, str]]]:
        """Reads images, and finds the classes that a table names for them.

        Args:
            entries: The images.
            contents: Where they lie, or what their files hold. None: where their paths say.

        Returns:
            Those that could be read, and the others, each with the reason.

        Raises:
            ValueError: If one cannot be read, where the job is strict.
        """
        request, net = self.request, self.net
        read, unreadable = [], []
        for entry, content in zip(entries, contents or [e.source.path for e in entries], strict=True):
            source, classes = entry.source, self.classes or None
            try:
                if source.wanted is not None:
                    classes = [labels.index(source.wanted, self.labels, net.classes)]
                # A table may have no image in a row.
                file = content or b""
                pixels = images.read(file, net.size, net.channels, request.crop, request.max_pixels)
            except ValueError as error:
                if self.strict:
                    raise ValueError(f"{source.path}: {error}") from error
                unreadable.append((source, str(error)))
            else:
                read.append(Read(entry, pixels, classes))
        return read, unreadable

    def read_all(self) -> tuple[list[Read], list[tuple[Source, str]]]:
        """Reads all images at once, for what writes no files of its own for each.

        Raises:
            ValueError: As :meth:`read`.
        """
        entries = [Entry(source, Place(source.path, row), False) for row, source in enumerate(self.sources)]
        held = tables.images(self.tables, self.batch_size) if self.tables else None
        return self.read(entries, None if held is None else [each for batch in held for each in batch])

    def inputs(self, read: Sequence[Read]) -> tuple[np.ndarray, np.ndarray | None]:
        """A batch of images as the net takes them, and the classes to explain, (images, K)."""
        return self.net.prepare(np.stack([image.pixels for image in read])), _classes(read)

    def results(self, read: Sequence[Read], explained: Explanation) -> list[Result]:
        """Puts together what was found of images, but for those that were done before."""
        classes = [[]] * len(read) if explained.classes is None else explained.classes.tolist()
        of_each = zip(read, classes, explained.logits.tolist(), explained.maps, strict=True)
        return [
            Result(image.entry, image.pixels, map, indices, self.names(indices), values)
            for image, indices, values, map in of_each
            if not image.entry.done
        ]

    def names(self, indices: Sequence[int]) -> list[str]:
        """The classes' labels, or their indices where they have none; or the target."""
        if self.target is not None:
            return [str(self.target)] * max(1, len(indices))
        return [self.labels[index] if index < len(self.labels) else str(index) for index in indices]


def _check_choices(request: Request) -> None:
    """Checks options against the library's lists, of which the command line has no copy."""
    for name, known in (("preset", PRESETS), ("psi", _FILTERS), ("backend", BACKENDS)):
        chosen = getattr(request, name)
        if chosen is not None and chosen not in known:
            raise ValueError(f"expected --{name} to be one of {', '.join(known)}, got '{chosen}'")


def _classes(read: Sequence[Read]) -> np.ndarray | None:
    return None if read[0].classes is None else np.array([image.classes for image in read], np.int64)


def _found(arguments: Sequence[str]) -> tuple[list[Source], list[str]]:
    """The images that a command's arguments name, and the Parquet files that hold them."""
    sources = images.find(arguments)
    files = [source.path for source in sources if source.path.lower().endswith(images.PARQUET)]
    if files and len(files) < len(sources):
        raise ValueError("expected images or Parquet files that hold them, got both")
    return (tables.sources(files), files) if files else (sources, [])
