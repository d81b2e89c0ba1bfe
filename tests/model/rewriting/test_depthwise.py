"""Convolutions of one channel a group, computed as depthwise ones: the same, but for rounding."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_fullgrad as ke
import zoo
from keras_fullgrad.model.rewriting.depthwise import is_depthwise
from rewritten import assert_same, images, operations

pytestmark = pytest.mark.slow

CONVOLUTIONS = {
    "plain": {},
    "same": {"padding": "same"},
    "strides": {"strides": 2, "padding": "same"},
    "dilated": {"dilation_rate": 2},
    "several of each channel": {"filters": 12},
    "without a bias": {"use_bias": False},
    "activation": {"activation": "gelu", "padding": "same"},
}


def net(dtype="float64", norm=False, layer=layers.Conv2D, **options):
    options = {"filters": 6, "kernel_size": 3, "groups": 6, "name": "grouped"} | options
    image = keras.Input([12, 12, 3], dtype="float64" if dtype == "float64" else "float32")
    x = layers.Conv2D(6, 3, padding="same", activation="relu", dtype=dtype)(image)
    x = layer(**options, dtype=dtype)(x)
    if norm:
        x = layers.BatchNormalization(dtype=dtype)(x)
    x = layers.GlobalAveragePooling2D(dtype=dtype)(layers.ReLU(dtype=dtype)(x))
    model = keras.Model(image, layers.Dense(3, dtype=dtype)(x))
    zoo.draw_weights(model, np.random.default_rng(3))
    return model


@pytest.mark.parametrize("norm", [False, True], ids=["", "norm"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_maps_and_terms_are_the_same(name, norm):
    model = net(norm=norm, **CONVOLUTIONS[name])
    assert "DepthwiseConv2dNative" in operations(model)
    assert_same(model, images(model), 1e-12, implicit_biases=False)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_types(policy):
    model = net(policy, padding="same")
    x = np.random.default_rng(0).normal(size=[2, 12, 12, 3]).astype(np.float32)
    options = {"verbose": 0, "implicit_biases": False}
    found = ke.full_gradients(model, x, **options).maps
    expected = ke.full_gradients(model, x, fold_batch_norms=False, **options).maps
    bound = {"float32": 1e-5, "mixed_float16": 1e-2}.get(policy, 0.1)
    assert np.linalg.norm(found - expected) < bound * np.linalg.norm(expected)


class Own(layers.Conv2D):
    """A class of the user's own, whatever it does."""

    def convolution_op(self, inputs, kernel):
        return 2 * super().convolution_op(inputs, kernel)


@pytest.mark.parametrize(
    "options",
    [
        {"layer": Own},
        {"groups": 3},
        {"groups": 1},
        {"strides": (1, 2)},
        {"strides": 2, "dilation_rate": 1, "kernel_size": (1, 3)},
    ],
)
def test_other_convolutions_stay(options):
    model = net(**options)
    even = options.get("kernel_size") == (1, 3)
    assert is_depthwise(model.get_layer("grouped")) == even
    assert ("DepthwiseConv2dNative" in operations(model)) == even


def test_the_model_itself_stays():
    model = net()
    x = np.random.default_rng(0).normal(size=[2, 12, 12, 3])
    before = model.predict(x, verbose=0)
    ke.full_gradients(model, x, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    assert "convolution_op" not in vars(model.get_layer("grouped"))
