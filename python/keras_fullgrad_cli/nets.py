"""Loads nets by name or from files, with what they expect of an image."""

import functools
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import scipy.special
import tensorflow as tf

from keras_fullgrad import Explanation, _keras
from keras_fullgrad.model.exposing import expose_logits
from keras_fullgrad.model.info import read_model
from keras_fullgrad_cli.options import APPLICATIONS, Preprocessing
from keras_fullgrad_cli.paths import check_exists, closest

_SAFE_H5 = (3, 11, 3)  # Earlier releases load .h5 files without regard to `safe_mode` (CVE-2025-9905).


class Net(NamedTuple):
    """A net for images.

    Attributes:
        model: The model.
        size: The height and the width of its images.
        channels: 1 or 3.
        outputs: How many logits it has, where that is known.
        prepare: From images with values from 0 to 255 to what the model takes.
        of_softmax: Whether it was published with a softmax, without which it is loaded.
    """

    model: keras.Model
    size: tuple[int, int]
    channels: int
    outputs: int | None
    prepare: Callable[[np.ndarray], np.ndarray]
    of_softmax: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of an image."""
        return (*self.size, self.channels)

    @property
    def ending(self) -> str | None:
        """What ends it, ``softmax`` or ``sigmoid``, or did before it was published without."""
        return "softmax" if self.of_softmax else _ending(self.model, self.shape)

    @property
    def is_binary(self) -> bool:
        """Whether its one unit, behind a sigmoid, is of class 1, and its negative of class 0."""
        return self.outputs == 1 and self.ending == "sigmoid"

    @property
    def classes(self) -> int | None:
        """How many classes it tells apart, where that is known."""
        return 2 if self.is_binary else self.outputs

    def probability(self, explained: Explanation) -> np.ndarray | None:
        """What the model makes of the logits that were explained.

        Args:
            explained: Logits of classes.

        Returns:
            Their probabilities, (images, K). None: the model ends in neither a softmax nor a sigmoid.
        """
        logits = np.asarray(explained.logits, np.float64)
        if self.ending == "sigmoid":
            return scipy.special.expit(logits)
        if self.ending is None or explained.outputs is None:
            return None
        total = scipy.special.logsumexp(np.asarray(explained.outputs, np.float64), axis=-1, keepdims=True)
        return np.exp(logits - total)


def load_model(
    name: str, weights: str = "imagenet", unsafe: bool = False, size: tuple[int, int] | None = None
) -> keras.Model:
    """Loads a model.

    Args:
        name: A ``.keras`` or ``.h5`` file, or ``keras.applications:`` and the name of a net there.
        weights: Of a net of keras.applications: ``imagenet``, a file, or ``none`` for drawn ones, the same
            at each call.
        unsafe: Whether a file may hold code, such as a Lambda's.
        size: The size of images, for a net of keras.applications.

    Returns:
        The model.

    Raises:
        ValueError: If there is no such model, or it does not load; the message says why.
    """
    if name.startswith(APPLICATIONS):
        build = _builder(name)
        options: dict[str, Any] = {} if size is None else {"input_shape": (*size, 3)}
        keras.utils.set_random_seed(0)
        if weights not in ("none", "imagenet"):
            check_exists(weights, "--weights to be imagenet, none or a file")
        try:
            return build(
                weights=None if weights == "none" else weights, classifier_activation=None, **options
            )
        except Exception as error:  # A download fails in many ways.
            raise ValueError(f"{name} with weights '{weights}': {error}") from error
    path = Path(name)
    check_exists(path, f"a .keras or .h5 file, or {APPLICATIONS}NAME")
    if path.is_dir():
        raise ValueError(f"expected a .keras or .h5 file, or {APPLICATIONS}NAME, got the folder {name}")
    if path.suffix != ".keras" and not unsafe and _version() < _SAFE_H5:
        raise ValueError(
            f"expected a .keras file, got {path}: Keras {keras.__version__} runs code that an .h5 file "
            f"holds, {'.'.join(map(str, _SAFE_H5))} does not; --unsafe loads it"
        )
    try:
        return keras.models.load_model(path, compile=False, safe_mode=not unsafe)
    except Exception as error:  # A damaged file fails in many ways.
        lambdas = "; --unsafe loads code that it holds" if "safe_mode" in str(error) and not unsafe else ""
        raise ValueError(f"{path} does not load: {error}{lambdas}") from error


def for_images(
    model: keras.Model,
    name: str,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing = Preprocessing.auto,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Net:
    """Finds what a model expects of an image.

    Args:
        model: The model.
        name: What it was loaded by.
        size: The height and the width of images where the model takes any.
        preprocessing: ``auto``: as the net of keras.applications was trained, or none where the model's own
            layers rescale; ``raw``: values from 0 to 255; ``unit``: from 0 to 1; ``tf``, ``torch`` or
            ``caffe``: as `keras.applications.imagenet_utils` does it.
        mean: What is subtracted from values from 0 to 255, one number or one for each channel, in the place
            of ``preprocessing``.
        std: What they are divided by then.

    Returns:
        The net.

    Raises:
        ValueError: If the model does not take images, or it cannot be told how.
    """
    info = read_model(model)
    shapes = [tuple(tensor.shape) for tensor in info.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ValueError(
            f"expected a model with one input of images, (batch, height, width, channels), got {shapes}"
        )
    if info.layout == "channels_first":
        raise ValueError(f"expected a model with channels last, got one that takes {shapes[0]}")
    _, height, width, channels = shapes[0]
    if channels not in (1, 3):
        raise ValueError(f"expected a model that takes 1 or 3 channels, got {channels}")
    own = (height, width)
    if size is None and None in own:
        raise ValueError("expected --size for a model that takes images of any size, got none")
    size = size or own
    if any(mine not in (None, asked) for mine, asked in zip(own, size, strict=True)):
        raise ValueError(f"expected --size {height}x{width}, which the model takes, got {size[0]}x{size[1]}")
    if mean is None and std is None:
        prepare = _preprocessing(model, name, preprocessing)
    else:
        if preprocessing not in (Preprocessing.auto, Preprocessing.raw):
            raise ValueError(
                f"expected --preprocessing or --mean and --std, got {preprocessing.value} and them"
            )
        prepare = _standardisation(mean or [0], std or [1], channels)
    return Net(model, size, channels, info.classes, prepare, name.startswith(APPLICATIONS))


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in keras.__version__.split(".")[:3] if part.isdecimal())


def _builder(name: str) -> Callable[..., keras.Model]:
    known = {
        key: value for key, value in vars(keras.applications).items() if isinstance(value, types.FunctionType)
    }
    wanted = name.removeprefix(APPLICATIONS)
    if wanted not in known:
        close = closest(wanted, known)
        instead = f"did you mean {close}?" if close else f"there are {', '.join(known)}"
        raise ValueError(f"expected a net of keras.applications, got '{wanted}'; {instead}")
    return known[wanted]


@functools.lru_cache(1)
def _ending(model: keras.Model, shape: tuple[int, ...]) -> str | None:
    """The softmax or sigmoid that ends a model, by name, as the library finds it where it takes it off."""
    found: list[str | None] = []

    def listen(images: tf.Tensor) -> None:
        found.extend(expose_logits(model).signals(images).activations)

    tf.function(listen, autograph=False).get_concrete_function(tf.TensorSpec((1, *shape), tf.float32))
    return found[0].removeprefix("log_") if len(found) == 1 and found[0] else None


def _preprocessing(model: keras.Model, name: str, mode: Preprocessing) -> Callable[[np.ndarray], np.ndarray]:
    if mode is Preprocessing.auto and name.startswith(APPLICATIONS):
        preprocess = _keras.preprocessing_of(_builder(name))
        return lambda images: preprocess(images.astype(np.float32))
    if mode is Preprocessing.auto:
        if not any(isinstance(x, (keras.layers.Rescaling, keras.layers.Normalization)) for x in model.layers):
            raise ValueError(
                "expected --preprocessing, since the model does not rescale images by a layer of its own, "
                "got none: raw (0 to 255), unit (0 to 1), tf, torch or caffe, as it was trained"
            )
        mode = Preprocessing.raw
    if mode is Preprocessing.raw:
        return lambda images: images.astype(np.float32)
    if mode is Preprocessing.unit:
        return lambda images: images.astype(np.float32) / 255
    if mode is Preprocessing.tf:
        return lambda images: images.astype(np.float32) / 127.5 - 1
    if model.inputs[0].shape[-1] != 3:
        raise ValueError(
            f"expected --preprocessing raw, unit or tf, or --mean and --std, for a net of grey images, got "
            f"{mode.value}, whose numbers are those of colours"
        )
    return lambda images: keras.applications.imagenet_utils.preprocess_input(
        images.astype(np.float32), data_format="channels_last", mode=mode.value
    )


def _standardisation(
    mean: Sequence[float], std: Sequence[float], channels: int
) -> Callable[[np.ndarray], np.ndarray]:
    for name, numbers in (("--mean", mean), ("--std", std)):
        if len(numbers) not in (1, channels):
            raise ValueError(f"expected one number for {name}, or {channels}, got {len(numbers)}")
    if not all(each > 0 for each in std):
        raise ValueError(f"expected --std above 0, got {', '.join(f'{each:g}' for each in std)}")
    subtracted, divisor = np.array(mean, np.float32), np.array(std, np.float32)
    return lambda images: (images.astype(np.float32) - subtracted) / divisor
