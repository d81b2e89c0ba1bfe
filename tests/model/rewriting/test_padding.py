"""Padding layers computed in the convolutions after them: the same maps, logits and terms."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import zoo
from keras_fullgrad.model.listening import Application
from keras_fullgrad.model.rewriting.convolutions import as_computed
from keras_fullgrad.model.rewriting.padding import unpadded
from rewritten import assert_same, images, operations

pytestmark = pytest.mark.slow

ONE_BEHIND = ((0, 1), (0, 1))
PADDED = {
    "strides": (layers.ZeroPadding2D(ONE_BEHIND), functools.partial(layers.Conv2D, 4, 3, strides=2)),
    "as many": (layers.ZeroPadding2D(1), functools.partial(layers.Conv2D, 4, 3)),
    "dilated": (layers.ZeroPadding2D(2), functools.partial(layers.Conv2D, 4, 3, dilation_rate=2)),
    "depthwise": (
        layers.ZeroPadding2D(ONE_BEHIND),
        functools.partial(layers.DepthwiseConv2D, 3, strides=2),
    ),
    "one channel a group": (
        layers.ZeroPadding2D(ONE_BEHIND),
        functools.partial(layers.Conv2D, 4, 3, strides=2, groups=4),
    ),
    "separable": (
        layers.ZeroPadding2D(ONE_BEHIND),
        functools.partial(layers.SeparableConv2D, 4, 3, strides=2),
    ),
    "of a series": (layers.ZeroPadding1D((1, 1)), functools.partial(layers.Conv1D, 4, 3)),
    "of a volume": (layers.ZeroPadding3D(1), functools.partial(layers.Conv3D, 4, 3)),
}
LEFT = {
    "other windows": (layers.ZeroPadding2D(1), functools.partial(layers.Conv2D, 4, 3, strides=2)),
    "more": (layers.ZeroPadding2D(2), functools.partial(layers.Conv2D, 4, 3)),
    "padded twice": (layers.ZeroPadding2D(1), functools.partial(layers.Conv2D, 4, 3, padding="same")),
    "a cropping": (layers.Cropping2D(1), functools.partial(layers.Conv2D, 4, 3)),
}


def net(pad, conv, norm=True, size=12):
    """With a layer before the padding, so that gradients go back through it."""
    rank = len(pad.input_spec.shape or ()) or pad.input_spec.ndim
    image = keras.Input([size] * (rank - 2) + [3])
    first = {3: layers.Conv1D, 4: layers.Conv2D, 5: layers.Conv3D}[rank]
    x = pad(first(4, 3, padding="same", activation="relu")(image))
    x = conv(use_bias=not norm)(x)
    if norm:
        x = layers.BatchNormalization()(x)
    model = zoo.with_head(image, layers.ReLU()(x))
    zoo.draw_weights(model, np.random.default_rng(3))
    return model


def is_padded(model):
    return bool({"Pad", "PadV2"} & set(operations(model)))


@pytest.mark.parametrize("norm", [False, True], ids=["", "norm"])
@pytest.mark.parametrize("name", PADDED)
def test_the_convolution_pads(name, norm):
    model = net(*PADDED[name], norm=norm)
    assert not is_padded(model)
    assert_same(model, images(model))


@pytest.mark.parametrize("name", LEFT)
def test_others_stay(name):
    model = net(*LEFT[name])
    assert is_padded(model) == ("cropping" not in name)
    assert_same(model, images(model))


@pytest.mark.parametrize(("strides", "padding", "found"), [(1, 1, True), (2, ONE_BEHIND, False)])
def test_sizes_that_are_open(strides, padding, found):
    """Where the windows lie, `same` says by the size, unless there is one for each position."""
    pad, conv = layers.ZeroPadding2D(padding), layers.Conv2D(4, 3, strides=strides)
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, [1, None, None, 3])
        padded = pad(x)
        assert (unpadded([Application(pad, x, padded, padded, padded)], conv, padded) is x) == found


def test_a_padded_signal_that_goes_elsewhere_too():
    image = keras.Input([12, 12, 3])
    padded = layers.ZeroPadding2D(1)(layers.Conv2D(4, 3, padding="same")(image))
    joined = layers.Concatenate()([layers.Conv2D(4, 3)(padded), layers.Cropping2D(1)(padded)])
    model = zoo.with_head(image, layers.ReLU()(joined))
    zoo.draw_weights(model, np.random.default_rng(3))
    assert_same(model, images(model))


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [7, 8, 9])
def test_where_same_has_the_same_windows_and_nowhere_else(size, window, strides, dilation):
    if strides > 1 and dilation > 1:
        return  # TensorFlow has no such convolution.
    x = tf.random.stateless_normal([1, size, size, 2], [1, 2])
    conv = layers.Conv2D(2, window, strides=strides, dilation_rate=dilation)
    conv.build([1, 20, 20, 2])
    same = tf.nn.conv2d(x, conv.kernel, strides, "SAME", dilations=dilation)
    for before in range(5):
        for behind in range(5):
            pad = layers.ZeroPadding2D(((before, behind), (before, behind)))
            padded = pad(x)
            if padded.shape[1] <= (window - 1) * dilation:
                continue
            valid = tf.nn.conv2d(padded, conv.kernel, strides, "VALID", dilations=dilation)
            alike = same.shape == valid.shape and np.allclose(same, valid, atol=1e-5)
            found = unpadded([Application(pad, x, padded, padded, padded)], conv, padded)
            assert (found is x) == alike, (before, behind)


@pytest.mark.parametrize("name", PADDED)
def test_quantized_layers_are_left(monkeypatch, name):
    """Keras calls them by another code."""
    pad, make = PADDED[name]
    conv = make()
    x = tf.ones([1, *[8] * (len(conv.kernel_size)), 4])
    padded = pad(x)
    conv.build(padded.shape)
    seen = [Application(pad, x, padded, padded, padded)]
    assert as_computed(seen, conv, padded)[0] is not conv
    monkeypatch.setattr(type(conv), "quantization_mode", "int8")
    assert as_computed(seen, conv, padded) == (conv, padded)
