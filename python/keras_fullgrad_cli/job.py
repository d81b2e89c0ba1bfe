"""From what a command was asked to a net, images and classes that fit each other."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_fullgrad import batches, decomposition, filters, inspection
from keras_fullgrad_cli import images, labels, nets
from keras_fullgrad_cli.images import Source
from keras_fullgrad_cli.options import Request


class Batch(NamedTuple):
    """Images that are computed together.

    Attributes:
        sources: Those that could be read.
        pixels: What they show, (images, height, width, channels), uint8.
        classes: The classes to explain, (images, K). None: each image's top classes.
        unreadable: The other images, and why.
    """

    sources: list[Source]
    pixels: np.ndarray
    classes: np.ndarray | None
    unreadable: list[tuple[Source, str]]


@dataclasses.dataclass(frozen=True)
class Job:
    """A net and the images to explain.

    Attributes:
        request: What was asked for.
        net: The net.
        sources: The images.
        labels: The names of the classes, or nothing.
        classes: The classes to explain of every image, or nothing.
        batch_size: The images in a batch.
    """

    request: Request
    net: nets.Net
    sources: list[Source]
    labels: list[str]
    classes: list[int]
    batch_size: int

    @classmethod
    def prepared(cls, request: Request) -> "Job":
        """Loads what a request names, and checks what can be checked before an image is read.

        Raises:
            ValueError: If something is missing or does not fit.
        """
        sources = images.find(request.images)
        names = labels.read(request.labels) if request.labels else []
        wanted = request.classes or []
        if wanted and any(source.wanted is not None for source in sources):
            raise ValueError("expected classes from --class or from a table, got both")
        model = nets.load_model(request.model, request.weights, request.unsafe, request.size)
        net = nets.for_images(model, request.model, request.size, request.preprocessing)
        known = inspection.count_classes(model)
        if known is not None and request.top > known:
            raise ValueError(f"expected --top from 1 to the {known} classes of the model, got {request.top}")
        classes = [labels.index(each, names, known) for each in wanted]
        size = request.batch_size or batches.default_size((1, *net.shape))
        return cls(request, net, sources, names, classes, size)

    @property
    def params(self) -> dict[str, Any]:
        """Options of :func:`keras_fullgrad.methods.gradient.full_gradients`."""
        request = self.request
        psi = None if request.psi is None else getattr(filters, request.psi.value)
        return {
            "preset": request.preset.value,
            "psi": psi,
            "simple": request.simple,
            "implicit_biases": request.implicit_biases,
            "top": request.top,
            "backend": request.backend.value,
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

    def read(self, sources: Sequence[Source]) -> Batch:
        """Reads images, and finds the classes that a table names for them."""
        request, net = self.request, self.net
        known = inspection.count_classes(net.model)
        read, pixels, classes, unreadable = [], [], [], []
        for source in sources:
            try:
                if source.wanted is not None:
                    classes_of_image = [labels.index(source.wanted, self.labels, known)]
                else:
                    classes_of_image = self.classes
                image = images.read(source.path, net.size, net.channels, request.crop, request.max_pixels)
            except ValueError as error:
                unreadable.append((source, str(error)))
                continue
            read.append(source)
            pixels.append(image)
            classes.append(classes_of_image)
        stacked = np.stack(pixels) if pixels else np.empty((0, *net.shape), np.uint8)
        chosen = np.asarray(classes, np.int64) if classes and classes[0] else None
        return Batch(read, stacked, chosen, unreadable)

    def explained(self, logits: np.ndarray, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The classes that were explained, (images, K), and their logits."""
        if classes is not None:
            return classes, logits
        top = decomposition.top_classes(logits, self.request.top).numpy()
        return top, np.take_along_axis(logits, top, axis=-1)

    def name(self, index: int) -> str:
        """A class's label, or its index where it has none."""
        return self.labels[index] if index < len(self.labels) else str(index)
