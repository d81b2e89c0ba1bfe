"""From what a command was asked to a net, images and classes that fit each other."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np

from keras_fullgrad import filters
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.maps.op import BACKENDS
from keras_fullgrad.methods.gradient import PRESETS
from keras_fullgrad.running import batches
from keras_fullgrad.targets import Class, Output, Target
from keras_fullgrad_cli import images, labels, nets, sources, tables, targets
from keras_fullgrad_cli.console import say, working
from keras_fullgrad_cli.folder import Entry, Place
from keras_fullgrad_cli.framing import framed
from keras_fullgrad_cli.options import Request, Resize
from keras_fullgrad_cli.results import Result
from keras_fullgrad_cli.sources import Found, Source

_FILTERS = {each.__name__: each for each in filters.NATIVE}


class Read(NamedTuple):
    """An image that was read.

    Attributes:
        entry: The image.
        file: Its file, or what that holds.
        pixels: What the net sees of it, (height, width, channels), uint8.
        classes: The classes to explain. None: its top classes.
    """

    entry: Entry
    file: str | bytes
    pixels: np.ndarray
    classes: list[int] | None


@dataclasses.dataclass(frozen=True)
class Job:
    """A net and the images to explain.

    Attributes:
        request: What was asked for.
        net: The net.
        images: The images, and where each lies below what the user named.
        unread: Images of kinds that are not read, and why.
        tables: The Parquet files that hold the images, or nothing.
        labels: The names of the classes, or nothing.
        classes: The classes to explain of every image, or nothing.
        target: What to explain in their place, or None.
        batch_size: The images in a batch.
        strict: Whether an image that cannot be read is an error.
    """

    request: Request
    net: nets.Net
    images: Mapping[Source, PurePath]
    unread: list[tuple[Source, str]]
    tables: list[str]
    labels: list[str]
    classes: list[int]
    target: Target | None
    batch_size: int
    strict: bool

    @classmethod
    def prepared(cls, request: Request, strict: bool, names: list[str] | None = None) -> "Job":
        """Loads what a request names, and checks what can be checked before an image is read.

        Args:
            request: What was asked for.
            strict: Whether an image that cannot be read is an error.
            names: The names of the classes. None: those of the request, or ImageNet's.

        Raises:
            MissingPathError: If a path leads nowhere.
            ValueError: If something is missing or does not fit.
        """
        _check_choices(request)
        found, files = _found(request.images)
        if strict and found.unread:
            source, reason = found.unread[0]
            raise ValueError(f"{source.path}: {reason}")
        own_names = names if request.labels is None or names is not None else labels.read(request.labels)
        target = _target(request, found)
        with working(f"loading {request.model}"):
            model = nets.load_model(request.model, request.weights, request.unsafe, request.size)
            standard = request.mean, request.std
            net = nets.for_images(model, request.model, request.size, request.preprocessing, *standard)
        if target is None and net.outputs is not None and request.top > net.outputs:
            raise ValueError(
                f"expected --top from 1 to the {net.outputs} classes of the model, got {request.top}"
            )
        if own_names is None:
            own_names = labels.of_imagenet() if net.classes == labels.IMAGENET else []
        if len(own_names) == 1 and net.is_binary:
            own_names = [f"not {own_names[0]}", *own_names]
        if target is None:
            labels.check(own_names, net.classes, request.labels)
        classes = [labels.index(each, own_names, net.classes) for each in request.classes or []]
        size = request.batch_size or batches.default_size((1, *net.shape))
        if found.others:
            kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(found.others.items()))
            say(f"note: passed over {found.others.total()} files that are no images: {kinds}")
        return cls(request, net, found.images, found.unread, files, own_names, classes, target, size, strict)

    @property
    def sources(self) -> list[Source]:
        """The images, and those of kinds that are not read."""
        return [*self.images, *(source for source, _ in self.unread)]

    @property
    def names_of_outputs(self) -> list[str]:
        """The names of the model's outputs, or nothing: of a unit its own, not its negative's."""
        return self.labels[-1:] if self.net.is_binary else self.labels

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """The shape of an image's map, (height, width, K)."""
        target = self.target.target if isinstance(self.target, Output) else self.target
        of_top = target is None or (isinstance(target, Class) and target.index is None)
        of_top = of_top and all(source.wanted is None for source in self.images)
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
        if settings["labels"] is None and self.labels:
            settings["labels"] = "ImageNet's"
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
                file = images.fetched(content or b"")
                photograph = images.photograph(file, net.channels, request.max_pixels)
                pixels = images.pixels(photograph, net.size, request.resize)
            except ValueError as error:
                if self.strict:
                    raise ValueError(f"{source.path}: {error}") from error
                unreadable.append((source, str(error)))
            else:
                read.append(Read(entry, file, pixels, classes))
        return read, unreadable

    def read_all(self) -> tuple[list[Read], list[tuple[Source, str]]]:
        """Reads all images at once, for what writes no files of its own for each.

        Raises:
            ValueError: As :meth:`read`.
        """
        entries = [Entry(source, Place(source.path, row), False) for row, source in enumerate(self.images)]
        held = tables.images(self.tables, self.batch_size) if self.tables else None
        read, unreadable = self.read(
            entries, None if held is None else [each for batch in held for each in batch]
        )
        return read, [*self.unread, *unreadable]

    def shown(self, image: Read, most_side: int) -> np.ndarray:
        """What the net sees of a photograph, as a page shows it: finer, and not squeezed.

        Args:
            image: The image.
            most_side: The longest side, in pixels.

        Returns:
            The part of the photograph that the net's map lies over, (height, width, 3), uint8.
        """
        request = self.request
        photograph = images.photograph(image.file, 3, request.max_pixels, most_side)
        if request.resize is Resize.stretch:
            return np.asarray(photograph)
        scale = most_side / max(self.net.size)
        height, width = (round(scale * side) for side in self.net.size)
        return np.asarray(framed(photograph, (height, width), request.resize))

    def inputs(self, read: Sequence[Read]) -> tuple[np.ndarray, list[list[int]] | None]:
        """A batch of images as the net takes them, and the classes to explain, (images, K).

        Lists, which are never taken for one-hot labels as an array of two columns is.
        """
        return self.net.prepare(np.stack([image.pixels for image in read])), _classes(read)

    def results(
        self, read: Sequence[Read], explained: Explanation
    ) -> tuple[list[Result], list[tuple[Source, str]]]:
        """Puts together what was found of images, but for those that were done before.

        Args:
            read: The images.
            explained: What was found.

        Returns:
            The results, and the images that have none, each with the reason.

        Raises:
            ValueError: If there are not as many classes as names, or the job is strict and a map is missing.
        """
        if self.target is None and self.net.outputs is None and explained.outputs is not None:
            labels.check(self.labels, explained.outputs.shape[-1], self.request.labels)
        classes = [[]] * len(read) if explained.classes is None else explained.classes.tolist()
        shares = None if self.target else self.net.probability(explained)
        results, failed = [], []
        for row, image in enumerate(read):
            if image.entry.done:
                continue
            if not np.isfinite(explained.maps[row]).all():
                reason = "the net makes NaN or infinity of it, so there is no map"
                if self.strict:
                    raise ValueError(f"{image.entry.source.path}: {reason}")
                failed.append((image.entry.source, reason))
                continue
            share = None if shares is None else shares[row].tolist()
            logits, map = explained.logits[row].tolist(), explained.maps[row]
            names = self.names(classes[row])
            results.append(Result(image.entry, image.file, map, classes[row], names, logits, share))
        return results, failed

    def names(self, indices: Sequence[int]) -> list[str]:
        """The classes' labels, or their indices where they have none; or the target."""
        inner = self.target.target if isinstance(self.target, Output) else self.target
        if inner is not None and not isinstance(inner, Class):
            return [str(self.target)] * max(1, len(indices))
        if isinstance(self.target, Output):  # The labels are those of the model's own classes.
            return [f"{self.target.which}: {index}" for index in indices]
        return [self.labels[index] if index < len(self.labels) else str(index) for index in indices]


def _check_choices(request: Request) -> None:
    """Checks options against the library's lists, of which the command line has no copy."""
    for name, known in (("preset", PRESETS), ("psi", _FILTERS), ("backend", BACKENDS)):
        chosen = getattr(request, name)
        if chosen is not None and chosen not in known:
            raise ValueError(f"expected --{name} to be one of {', '.join(known)}, got '{chosen}'")


def _classes(read: Sequence[Read]) -> list[list[int]] | None:
    """Those of each image: all have some, or none has."""
    return [image.classes for image in read if image.classes is not None] or None


def _target(request: Request, found: Found) -> Target | None:
    """What is to be explained in the place of classes; checks that it is asked for in one way."""
    in_tables = any(source.wanted is not None for source in found.images)
    if request.classes and in_tables:
        raise ValueError("expected classes from --class or from a table, got both")
    if request.target is not None and (request.classes or in_tables):
        raise ValueError("expected --target or classes, got both")
    if request.top > 1 and (request.classes or in_tables):
        raise ValueError(f"expected --top {request.top} or classes, got both")
    if len({source.wanted is None for source in found.images}) > 1:
        raise ValueError("expected classes from tables for all images or for none, got some without")
    return None if request.target is None else targets.read(request.target)


def _found(arguments: Sequence[str]) -> tuple[Found, list[str]]:
    """The images that a command's arguments name, and the Parquet files that hold them."""
    found = sources.find(arguments)
    files = [source.path for source in found.images if source.path.lower().endswith(sources.PARQUET)]
    if not files:
        return found, []
    if len(files) < len(found.images):
        raise ValueError("expected images or Parquet files that hold them, got both")
    return found._replace(images=dict(sources.of_table(tables.sources(files)))), files
