"""Explains images, and writes a page that shows them with each layer's own map and share."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import keras
import numpy as np

from keras_fullgrad import pictures
from keras_fullgrad.reporting import page
from keras_fullgrad.reporting.answers import Answers, answers
from keras_fullgrad.reporting.explanations import OPTIONS, drawn_terms, explanations
from keras_fullgrad.reporting.files import write_whole
from keras_fullgrad.reporting.progress import Progress
from keras_fullgrad.reporting.result import Report
from keras_fullgrad.running import batches
from keras_fullgrad.targets.classes import check_top, top_classes
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
    skipped: Sequence[tuple[str | os.PathLike[str], str]] = (),
    batch_size: int | None = None,
    title: str | None = None,
    verbose: str | int = "auto",
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    **params: Any,
) -> Report:
    """Writes a page that shows images, their maps, and what each layer adds to the maps and to the logits.

    The page is one HTML file that opens from disk and fetches nothing. The same arguments give the same
    bytes. Probabilities stand beside the logits where the model ends in a softmax or a sigmoid.

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
        skipped: Images that are not in ``x``, as files that could not be read, each with the reason; the page
            lists them.
        batch_size: Images computed at a time. None: chosen by their size.
        title: The page's title. None: one with the model's name.
        verbose: 0 for no progress bar, 1 or "auto" for one.
        callbacks: Keras callbacks, called as in `predict`, of each batch twice: all images are gone through
            twice.
        **params: Options of :func:`keras_fullgrad.methods.gradient.full_gradients`: ``backend``,
            ``fold_batch_norms``, ``implicit_biases``, ``preset``, ``psi``, ``simple`` and ``top``.

    Returns:
        The file: a path, which a notebook shows as a link.

    Raises:
        ValueError: If the file cannot be written, images, classes, names or labels are not as many as they
            should be, or logits or maps are not finite; the message says what was expected.
        TypeError: If the model or the classes are of a wrong type, or an option is unknown.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(4, 3, activation="relu"),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report(model, np.ones([1, 8, 8, 3]), out=f"{folder}/report.html", verbose=0).name
        'report.html'
    """
    unknown = sorted(params.keys() - set(OPTIONS))
    if unknown:
        raise TypeError(f"expected options among {', '.join(OPTIONS)}, got {', '.join(unknown)}")
    inputs = np.asarray(None if isinstance(x, (tuple, dict)) else x)
    if inputs.ndim != 4:
        raise ValueError(
            "expected x as an array, (images, height, width, channels), "
            f"got {type(x).__name__} of shape {inputs.shape}"
        )
    count, height, width, _ = inputs.shape
    size = max(1, min(batches.LARGEST, _POSITIONS // (height * width))) if batch_size is None else batch_size
    batches.for_model(model, inputs, y, size, target=target)
    info, whole = batches.for_model(model, inputs, y, count, target=target)
    _, wanted = next(whole.batches)  # All in one, to be checked.
    classes = wanted if isinstance(wanted, np.ndarray) else None
    if isinstance(target, Class):
        target = None  # Its classes, if it has any, were taken.
    top = params.get("top", 1)
    if target is None:
        check_top(top, info.classes)
        if info.classes != 1:  # Whether one unit is a choice between two classes is not known yet.
            _check_count("labels", labels, info.classes)
    _check_count("names", names, count)
    _check_count("images", images, count)
    pixels = [pictures.displayable(image) for image in (_stretched(inputs) if images is None else images)]
    named = [f"image {index}" for index in range(count)] if names is None else [str(name) for name in names]

    out = Report(out)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(write_whole(out))
        except OSError as error:
            raise ValueError(
                f"expected out to be a file that can be written, got {out}: {error.strerror}"
            ) from error
        said: Answers | None = None  # None: nothing but what is explained.
        if target is None:
            wanted = np.arange(top if classes is None else classes.shape[1])[np.newaxis]
            drawn, _ = drawn_terms(model, inputs, wanted, None, params)
            said = answers(model, inputs, size)
            labels = _of_both_classes(labels) if said.binary else labels
            if said.logits.shape[1] == 1:
                # A unit is explained as it is, or as its labels say: behind a sigmoid 0 is its negative.
                target = Class(classes)
                if said.binary:
                    said = said.of_both_classes()
                    classes = np.ones([count, 1], np.int64) if classes is None else classes
                else:
                    said = None
                    classes = np.tile(np.arange(1 if classes is None else classes.shape[1]), [count, 1])
            elif classes is None:
                classes = top_classes(said.logits, top).numpy()
            _check_count("labels", labels, 1 if said is None else said.logits.shape[1])
        else:
            drawn, scalars = drawn_terms(model, inputs, None, target, params)
            classes = np.tile(np.arange(scalars), [count, 1])
            of = str(as_target(target))
            labels = [of] if scalars == 1 else [f"{of} {index}" for index in range(scalars)]
        progress = Progress(model, count, size, callbacks or [], verbose)
        layers, explained = explanations(model, inputs, classes, target, drawn, size, params, progress)
        if said is None:
            said = Answers(np.array([[each.logit for each in of_image] for of_image in explained]))
        chances = [None] * count if said.probabilities is None else said.probabilities
        of_each = zip(named, pixels, said.logits, chances, explained, strict=True)
        cards = [page.Card(*each) for each in of_each]
        title = title or f"FullGrad maps of {model.name}"
        left_out = [(str(name), reason) for name, reason in skipped]
        written = page.render(title, _facts(model, count, params), layers, cards, labels, left_out)
        file.write(written.encode(errors="replace"))
    return out


def _check_count(what: str, given: Sequence[Any] | np.ndarray | None, count: int | None) -> None:
    if given is not None and count is not None and len(given) != count:
        raise ValueError(f"expected {count} {what}, got {len(given)}")


def _of_both_classes(labels: Sequence[str] | None) -> Sequence[str] | None:
    """The names of the two classes of one unit, whose name may be the only one that is given."""
    return labels if labels is None or len(labels) != 1 else [f"not {labels[0]}", labels[0]]


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
