"""The options that commands share: a model, images, and how they are explained."""

import dataclasses
import enum
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from keras_fullgrad_cli import paths
from keras_fullgrad_cli.console import failing_on

MOST_PIXELS = 100_000_000
"""Larger images are refused unread: a small file can unpack to more than memory holds."""


APPLICATIONS = "keras.applications:"
"""How the name of a net begins that Keras has itself."""


class Format(str, enum.Enum):
    """What `explain` writes of a map."""

    overlay = "overlay"
    map = "map"
    npy = "npy"
    parquet = "parquet"
    zarr = "zarr"


class EngineName(str, enum.Enum):
    """What computes the maps of `explain`."""

    local = "local"
    ray = "ray"


class Resize(str, enum.Enum):
    """How an image is brought to the size that a model takes."""

    stretch = "stretch"
    crop = "crop"
    pad = "pad"


class Preprocessing(str, enum.Enum):
    """What a model does to images that it is trained with."""

    auto = "auto"
    raw = "raw"
    unit = "unit"
    tf = "tf"
    torch = "torch"
    caffe = "caffe"


class ImageSize(NamedTuple):
    """The size of images."""

    height: int
    width: int


class PerChannel(tuple[float, ...]):
    """A number for each channel, or one for all."""


def _size(text: str) -> ImageSize:
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"expected a size such as 224 or 224x320, got {text!r}")
    return ImageSize(int(parts[0]), int(parts[-1]))


def _numbers(text: str) -> PerChannel:
    try:
        return PerChannel(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"expected numbers such as 127 or 124,116,104, got {text!r}") from None


ModelName = Annotated[str, typer.Argument(help="A .keras or .h5 file, or keras.applications:NAME.")]
Weights = Annotated[
    str, typer.Option(help="Of a net of keras.applications: imagenet, a file, or none for drawn ones.")
]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Load a file that holds code, such as a Lambda's.")]
Size = Annotated[
    ImageSize | None,
    typer.Option(parser=_size, metavar="HEIGHT[xWIDTH]", help="Of images, where the model takes any."),
]
Mean = Annotated[
    PerChannel | None,
    typer.Option(
        parser=_numbers,
        metavar="NUMBER[,...]",
        help="Subtracted from values from 0 to 255, of each channel or all, in place of --preprocessing.",
    ),
]
Std = Annotated[
    PerChannel | None,
    typer.Option(parser=_numbers, metavar="NUMBER[,...]", help="What they are divided by then."),
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Images computed at a time. By default chosen by their size.")
]
TargetText = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="TARGET",
        help="What to explain of other models than classifiers, as in Python: 'Region(1)', "
        "'Contrast(3, 5)', 'Output(\"scores\")'.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclasses.dataclass(frozen=True)
class Request:
    """What to explain, and how."""

    model: ModelName
    images: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, URLs of either, patterns, CSV files with the columns path and class, or "
            "Parquet files with the columns image, path and class."
        ),
    ]
    weights: Weights = "imagenet"
    unsafe: Unsafe = False
    size: Size = None
    preprocessing: Annotated[
        Preprocessing,
        typer.Option(
            help="What the model was trained with: raw is 0 to 255, unit 0 to 1. By default a net of "
            "keras.applications has its own, and a file's must be known.",
        ),
    ] = Preprocessing.auto
    mean: Mean = None
    std: Std = None
    resize: Annotated[
        Resize,
        typer.Option(
            help="How images are brought to the model's size: squeezed, their middle cut out, or whole with "
            "black around."
        ),
    ] = Resize.stretch
    max_pixels: Annotated[int, typer.Option(min=1, help="Skip larger images unread.")] = MOST_PIXELS
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Names of the classes: a line for each, or JSON. By default ImageNet's for 1000 classes, "
            "where this machine has them."
        ),
    ] = None
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="A class to explain, by index or label; may be repeated."),
    ] = None
    target: TargetText = None
    top: Annotated[int, typer.Option(min=1, help="Without --class: so many of each image's top classes.")] = 1
    preset: Annotated[
        str,
        typer.Option(
            metavar="<default|paper>", help="The numbers of keras-explainable, or of the paper's authors."
        ),
    ] = "default"
    psi: Annotated[
        str | None,
        typer.Option(metavar="FILTER", help="One of keras_fullgrad.filters, instead of the preset's."),
    ] = None
    simple: Annotated[
        bool, typer.Option("--simple", help="Leave biases out as factors: Simple FullGrad.")
    ] = False
    implicit_biases: Annotated[
        bool | None,
        typer.Option(
            "--implicit-biases/--no-implicit-biases",
            help="Draw what layers that are not linear add, too. By default a note tells where that is much.",
        ),
    ] = None
    batch_size: BatchSize = None
    backend: Annotated[
        str, typer.Option(metavar="<auto|native|tensorflow>", help="What runs the fused op.")
    ] = "auto"

    def check(self) -> None:
        """Checks that there is what the request names on this machine.

        Raises:
            MissingPathError: If a path leads nowhere.
        """
        from keras_fullgrad_cli import sources  # Which reads images: --help need not wait for that.

        sources.check(self.images)
        if not self.model.startswith(APPLICATIONS):
            paths.check_exists(self.model, f"a .keras or .h5 file, or {APPLICATIONS}NAME")
        if self.labels is not None:
            paths.check_exists(self.labels, "a file of labels")


def taking_request(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command, whose first parameter is a request, the options of one beside its own."""
    _, *own = inspect.signature(command).parameters.values()
    shared = inspect.signature(Request).parameters

    @functools.wraps(command)
    def flat(**values: Any) -> None:
        request = Request(**{name: values.pop(name) for name in shared})
        # At once: the library takes seconds to load, and a model may take minutes.
        with failing_on(paths.MissingPathError):
            request.check()
        command(request, **values)

    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*shared.values(), *own)]
    signature = inspect.Signature(parameters)
    vars(flat).update(__signature__=signature, __annotations__={p.name: p.annotation for p in parameters})
    return flat
