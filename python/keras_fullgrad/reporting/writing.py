"""Explains images, and writes a page that shows them with each layer's own map and share."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fullgrad import pictures
from keras_fullgrad.reporting import page
from keras_fullgrad.reporting.explanations import OPTIONS, all_logits, drawn_terms, explanations
from keras_fullgrad.reporting.files import write_whole
from keras_fullgrad.running import batches
from keras_fullgrad.targets.classes import as_classes, check_top, top_classes
from keras_fullgrad.targets.logits import Class
from keras_fullgrad.targets.outputs import as_target

_POSITIONS = 2**16  # One image of 224x224: taking ResNet50's logit apart holds 1 GB for each.


def report(
    model: keras.Model,
    x: Any,
    y: Any | None = None,
    *,
    out: str | os.PathLike[str],
    target: Any | None = None,
    images: Sequence[Any] | np.ndarray | None = None,
    names: Sequence[str | os.PathLike[str]] | None = None,
    labels: Sequence[str] | None = None,
    batch_size: int | None = None,
    title: str | None = None,
    **params: Any,
) -> Path:
    """Writes a page that shows images, their maps, and what each layer adds to the maps and to the logits.

    The page is one HTML file that opens from disk and fetches nothing. The same arguments give the same
    bytes.

    Args:
        model: Any Keras model with one input of images.
        x: What the model takes, (images, height, width, channels).
        y: Classes: (images, K), (images,), or one for all. None: each image's top class, or ``top`` of them.
        out: The file to write, whole or not at all.
        target: What to explain in the place of classes' logits; see :func:`keras_fullgrad.explain.explain`.
        images: What to show for each image: of any size, (height, width), (height, width, 1) or (height,
            width, 3), integers from 0 to 255 or floats from 0 to 1. None: ``x``, stretched from its least to
            its greatest value where these are beyond that.
        names: A name for each image. None: their numbers.
        labels: A name for each class of the model. None: their numbers.
        batch_size: Images computed at a time. None: chosen by their size.
        title: The page's title. None: one with the model's name.
        **params: Options of :func:`keras_fullgrad.methods.gradient.full_gradients`: ``backend``,
            ``fold_batch_norms``, ``implicit_biases``, ``preset``, ``psi``, ``simple`` and ``top``.

    Returns:
        The file.

    Raises:
        ValueError: If the file cannot be written, images, classes, names or labels are not as many as they
            should be, or logits or maps are not finite; the message says what was expected.
        TypeError: If the model or the classes are of a wrong type, or an option is unknown.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, activation="relu"),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report(model, np.ones([1, 8, 8, 3]), out=f"{folder}/report.html").name
        'report.html'
    """
    unknown = sorted(params.keys() - set(OPTIONS))
    if unknown:
        raise TypeError(f"expected options among {', '.join(OPTIONS)}, got {', '.join(unknown)}")
    inputs = np.asarray(x)
    if inputs.ndim != 4:
        raise ValueError(
            "expected x as an array, (images, height, width, channels), "
            f"got {type(x).__name__} of shape {inputs.shape}"
        )
    count, height, width, _ = inputs.shape
    size = max(1, min(batches.LARGEST, _POSITIONS // (height * width))) if batch_size is None else batch_size
    if isinstance(target, Class) and y is None:
        y, target = target.index, None
    batches.for_model(model, inputs, y, size, target=target)
    info, whole = batches.for_model(model, inputs, y, count, target=target)
    next(whole.batches)  # All in one, to be checked.
    classes = as_classes(y, count)
    top = params.get("top", 1)
    if target is None:
        check_top(top, info.classes)
        _check_count("labels", labels, info.classes)
    _check_count("names", names, count)
    _check_count("images", images, count)
    pixels = [pictures.displayable(image) for image in (_stretched(inputs) if images is None else images)]
    named = [f"image {index}" for index in range(count)] if names is None else [str(name) for name in names]

    out = Path(out)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(write_whole(out))
        except OSError as error:
            raise ValueError(
                f"expected out to be a file that can be written, got {out}: {error.strerror}"
            ) from error
        logits: np.ndarray | None = None  # None: those that are explained.
        if target is None:
            wanted = np.arange(top if classes is None else classes.shape[1])[np.newaxis]
            drawn, _ = drawn_terms(model, inputs, wanted, None, params)
            logits = all_logits(model, inputs, size)
            _check_count("labels", labels, logits.shape[1])
            if logits.shape[1] == 1:
                # A unit is explained as it is, or as its labels say: behind a sigmoid 0 is its negative.
                target = Class(classes)
                classes = np.tile(np.arange(1 if classes is None else classes.shape[1]), [count, 1])
                logits = None
            elif classes is None:
                classes = top_classes(logits, top).numpy()
        else:
            drawn, scalars = drawn_terms(model, inputs, None, target, params)
            classes = np.tile(np.arange(scalars), [count, 1])
            of = str(as_target(target))
            labels = [of] if scalars == 1 else [f"{of} {index}" for index in range(scalars)]
        layers, explained = explanations(model, inputs, classes, target, drawn, size, params)
        if logits is None:
            logits = np.array([[each.logit for each in of_image] for of_image in explained])
        cards = [page.Card(*each) for each in zip(named, pixels, logits, explained, strict=True)]
        title = title or f"FullGrad maps of {model.name}"
        written = page.render(title, _facts(model, count, params), layers, cards, labels)
        file.write(written.encode(errors="replace"))
    return out


def _check_count(what: str, given: Sequence[Any] | np.ndarray | None, count: int | None) -> None:
    if given is not None and count is not None and len(given) != count:
        raise ValueError(f"expected {count} {what}, got {len(given)}")


def _stretched(x: np.ndarray) -> np.ndarray:
    """Inputs of a model as images: between their least and their greatest value, unless they are images."""
    if x.shape[-1] not in (1, 3):
        raise ValueError(f"expected images to show, since x of shape {x.shape} cannot be shown, got none")
    least, greatest = x.min(), x.max()
    if least >= 0 and greatest <= (255 if x.dtype.kind in "iub" else 1):
        return x
    x = x.astype(np.float64) - least
    return x / (x.max() or 1)


def _facts(model: keras.Model, images: int, params: Mapping[str, Any]) -> list[str]:
    shown = {name: params.get(name) for name in ("preset", "psi", "simple", "implicit_biases")}
    options = [f"{name}={getattr(value, '__name__', value)}" for name, value in shown.items() if value]
    plural = "" if images == 1 else "s"
    return [model.name, f"{images} image{plural}", *options, f"keras-fullgrad {version('keras-fullgrad')}"]
