"""Nets whose positions do not lie where images have theirs: each a way to bring them elsewhere and back.

Their signals see only what lies at their own place: what mixes places has weights of zero, so that a bright
patch of the input must light its own place in each signal.
"""

import keras
import numpy as np
from keras import layers, ops

SIZE = 16
CHANNELS = 8


class Class(layers.Layer):
    """Puts tokens before those of the image."""

    def __init__(self, count=1, **options):
        super().__init__(**options)
        self.count = count

    def build(self, shape):
        self.tokens = self.add_weight(shape=[1, self.count, shape[-1]], initializer="ones")

    def call(self, x):
        tokens = ops.broadcast_to(self.tokens, [ops.shape(x)[0], self.count, x.shape[-1]])
        return ops.concatenate([tokens, x], axis=1)


def attention(x, name, context=None):
    heads = layers.MultiHeadAttention(2, 4, name=name, bias_initializer="ones")
    y = heads(x, x if context is None else context)
    # What the heads put out is a mixture of all places: it is switched off.
    heads.set_weights([w if i < 6 else 0 * w for i, w in enumerate(heads.get_weights())])
    return layers.Add()([x, y])


def block(x, name, context=None):
    x = attention(layers.LayerNormalization(name=f"{name}_norm")(x), f"{name}_attention", context)
    y = layers.Dense(2 * CHANNELS, "gelu", name=f"{name}_wide", bias_initializer="ones")(x)
    return layers.Add()([x, layers.Dense(CHANNELS, name=f"{name}_narrow", bias_initializer="ones")(y)])


def patches(x, size=4, name="patches"):
    return layers.Conv2D(CHANNELS, size, size, name=name, bias_initializer="ones")(x)


def head(x):
    return layers.Dense(3, name="head")(x)


def image_level():
    """A pooling over the whole image beside what lies at places, as DeepLab has it."""
    image = keras.Input([SIZE, SIZE, 3])
    x = patches(image, 2)
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    pooled = layers.Dense(CHANNELS, name="pooled", kernel_initializer="zeros", bias_initializer="ones")(
        pooled
    )
    pooled = layers.UpSampling2D(8, interpolation="bilinear")(pooled)
    x = layers.Concatenate()([x, pooled])
    x = layers.BatchNormalization(name="norm", beta_initializer="ones")(x)
    x = layers.Conv2D(CHANNELS, 1, name="after", bias_initializer="ones")(x)
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def coordinates():
    """Constants beside the channels, as CoordConv has them."""
    image = keras.Input([SIZE, SIZE, 3])
    x = patches(image, 2)
    row = ops.broadcast_to(ops.reshape(ops.arange(8, dtype="float32"), [1, 8, 1, 1]), [1, 8, 8, 1])
    x = ops.concatenate([x, ops.zeros_like(x[..., :1]) + row], axis=-1)
    x = layers.Conv2D(CHANNELS, 1, name="after", bias_initializer="ones")(x)
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def vit(before=0, pool=True):
    image = keras.Input([SIZE, SIZE, 3])
    x = layers.Reshape([16, CHANNELS])(patches(image))
    if before:
        x = Class(before)(x)
    for i in range(2):
        x = block(x, f"block{i}")
    x = layers.GlobalAveragePooling1D()(x) if pool else x[:, 0] + x[:, -1]
    return keras.Model(image, head(x))


def class_token():
    return vit(1, pool=False)


def registers():
    return vit(5)


def patches_by_reshape():
    image = keras.Input([SIZE, SIZE, 3])
    x = layers.Reshape([4, 4, 4, 4, 3])(image)
    x = layers.Reshape([16, 48])(layers.Permute([1, 3, 2, 4, 5])(x))
    x = block(layers.Dense(CHANNELS, name="patches", bias_initializer="ones")(x), "block")
    return keras.Model(image, head(layers.GlobalAveragePooling1D()(x)))


def swin(shift=0):
    image = keras.Input([SIZE, SIZE, 3])
    x = patches(image, 2)
    if shift:
        x = ops.roll(x, [-shift, -shift], [1, 2])
    x = ops.reshape(x, [-1, 2, 4, 2, 4, CHANNELS])
    x = ops.reshape(ops.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, 16, CHANNELS])
    x = block(x, "windows")
    x = ops.transpose(ops.reshape(x, [-1, 2, 2, 4, 4, CHANNELS]), [0, 1, 3, 2, 4, 5])
    x = ops.reshape(x, [-1, 8, 8, CHANNELS])
    if shift:
        x = ops.roll(x, [shift, shift], [1, 2])
    # Four positions become one, as patch merging does it.
    x = ops.concatenate([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=-1)
    x = layers.Dense(CHANNELS, name="merged", bias_initializer="ones")(x)
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def shifted_windows():
    return swin(2)


def segformer():
    image = keras.Input([SIZE, SIZE, 3])
    x = patches(image, 2)
    tokens = layers.Reshape([64, CHANNELS])(x)
    fewer = layers.Conv2D(CHANNELS, 4, 4, name="reduced", bias_initializer="ones")(x)
    tokens = attention(tokens, "attention", layers.Reshape([4, CHANNELS])(fewer))
    grid = layers.Reshape([8, 8, CHANNELS])(
        layers.Dense(CHANNELS, name="mix", bias_initializer="ones")(tokens)
    )
    grid = layers.DepthwiseConv2D(1, name="depthwise", bias_initializer="ones")(grid)
    x = layers.Dense(CHANNELS, name="out", bias_initializer="ones")(layers.Reshape([64, CHANNELS])(grid))
    return keras.Model(image, head(layers.GlobalAveragePooling1D()(x)))


def mobile_vit():
    image = keras.Input([SIZE, SIZE, 3])
    x = patches(image, 1)
    x = ops.reshape(x, [-1, 8, 2, 8, 2, CHANNELS])
    x = ops.reshape(ops.transpose(x, [0, 2, 4, 1, 3, 5]), [-1, 4, 64, CHANNELS])
    x = layers.Dense(CHANNELS, "silu", name="unfolded", bias_initializer="ones")(x)
    x = block(ops.reshape(x, [-1, 64, CHANNELS]), "each_pixel_of_patches")
    x = ops.transpose(ops.reshape(x, [-1, 2, 2, 8, 8, CHANNELS]), [0, 3, 1, 4, 2, 5])
    x = layers.Conv2D(CHANNELS, 1, name="folded", bias_initializer="ones")(
        ops.reshape(x, [-1, 16, 16, CHANNELS])
    )
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def mixer():
    image = keras.Input([SIZE, SIZE, 3])
    x = layers.Reshape([16, CHANNELS])(patches(image))
    y = layers.Permute([2, 1])(layers.LayerNormalization(name="norm")(x))
    y = layers.Dense(16, name="tokens", kernel_initializer="zeros", bias_initializer="zeros")(y)
    x = x + layers.Permute([2, 1])(y)
    x = layers.Dense(CHANNELS, name="channels", bias_initializer="ones")(x)
    return keras.Model(image, head(layers.GlobalAveragePooling1D()(x)))


def perceiver():
    image = keras.Input([SIZE, SIZE, 3])
    x = layers.Reshape([16, CHANNELS])(patches(image))
    latents = Class(5, name="latents")(x)[:, :5]
    y = layers.MultiHeadAttention(2, 4, name="cross", bias_initializer="ones")(latents, x)
    return keras.Model(image, head(layers.Flatten()(y)))


def u_net():
    image = keras.Input([SIZE, SIZE, 3])
    fine = patches(image, 1, "down")
    coarse = patches(layers.MaxPooling2D()(fine), 1, "bottom")
    up = layers.Conv2DTranspose(CHANNELS, 2, 2, name="up", bias_initializer="ones")(coarse)
    x = layers.Concatenate()([fine, up, layers.UpSampling2D(2, interpolation="bilinear")(coarse)])
    x = layers.Conv2D(CHANNELS, 1, name="joined", bias_initializer="ones")(x)
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def mirrored_views():
    image = keras.Input([SIZE, SIZE, 3])
    x = ops.concatenate([image, ops.flip(image, 2)], axis=0)
    x = layers.Conv2D(CHANNELS, 2, 2, name="conv", bias_initializer="ones")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, head(sum(ops.split(x, 2, axis=0))))


def crops():
    image = keras.Input([SIZE, SIZE, 3])
    x = ops.stack([image[:, i : i + 8, j : j + 8] for i in (0, 8) for j in (0, 4, 8)], axis=1)
    x = ops.reshape(x, [-1, 8, 8, 3])
    x = layers.Conv2D(CHANNELS, 2, 2, name="conv", bias_initializer="ones")(x)
    x = ops.reshape(layers.GlobalAveragePooling2D()(x), [-1, 6 * CHANNELS])
    return keras.Model(image, head(x))


def one_crop():
    image = keras.Input([SIZE, SIZE, 3])
    x = layers.Conv2D(CHANNELS, 2, 2, name="conv", bias_initializer="ones")(layers.Cropping2D(4)(image))
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def time_distributed():
    video = keras.Input([6, SIZE, SIZE, 3])
    x = layers.TimeDistributed(layers.Conv2D(CHANNELS, 2, 2, bias_initializer="ones"), name="frames")(video)
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)
    return keras.Model(video, head(layers.GlobalAveragePooling1D()(x)))


def frames_in_the_batch():
    video = keras.Input([6, SIZE, SIZE, 3])
    x = ops.reshape(video, [-1, SIZE, SIZE, 3])
    x = layers.Conv2D(CHANNELS, 2, 2, name="conv", bias_initializer="ones")(x)
    x = ops.mean(ops.reshape(layers.GlobalAveragePooling2D()(x), [-1, 6, CHANNELS]), axis=1)
    return keras.Model(video, head(x))


def channels_first():
    image = keras.Input([3, SIZE, SIZE])
    x = layers.Conv2D(CHANNELS, 2, 2, data_format="channels_first", name="conv", bias_initializer="ones")(
        image
    )
    x = layers.Permute([2, 3, 1])(x)
    x = layers.Conv2D(CHANNELS, 1, name="last", bias_initializer="ones")(x)
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def permuted():
    image = keras.Input([3, SIZE, SIZE])
    x = patches(layers.Permute([2, 3, 1])(image), 2)
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def turned():
    image = keras.Input([SIZE, SIZE, 3])
    x = patches(layers.Permute([2, 1, 3])(image), 2)
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


def flattened_with_channels_first():
    image = keras.Input([SIZE, SIZE, 3])
    x = layers.Flatten(data_format="channels_first")(patches(image, 2))
    return keras.Model(image, head(x))


def series():
    signal = keras.Input([SIZE, 2])
    x = layers.Conv1D(CHANNELS, 2, 2, name="patches", bias_initializer="ones")(signal)
    return keras.Model(signal, head(layers.GlobalAveragePooling1D()(block(Class()(x), "block"))))


def volume():
    image = keras.Input([8, 8, 8, 1])
    x = layers.Conv3D(CHANNELS, 2, 2, name="patches", bias_initializer="ones")(image)
    x = block(layers.Reshape([64, CHANNELS])(x), "block")
    return keras.Model(image, head(layers.GlobalAveragePooling1D()(x)))


def dilated():
    image = keras.Input([SIZE, SIZE, 3])
    x = layers.Conv2D(CHANNELS, 1, dilation_rate=2, name="conv", bias_initializer="ones")(image)
    x = layers.Conv2D(CHANNELS, 2, 2, groups=2, name="groups", bias_initializer="ones")(x)
    x = ops.reshape(x, [-1, 8, 8, 2, 2, 2])
    x = ops.reshape(ops.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, 16, 16, 2])
    x = layers.Conv2D(CHANNELS, 1, name="shuffled", bias_initializer="ones")(x)
    return keras.Model(image, head(layers.GlobalAveragePooling2D()(x)))


NETS = {
    net.__name__: net
    for net in (
        *(
            vit,
            class_token,
            registers,
            patches_by_reshape,
            swin,
            shifted_windows,
            segformer,
            mobile_vit,
            mixer,
        ),
        *(perceiver, u_net, mirrored_views, crops, one_crop, time_distributed, frames_in_the_batch),
        *(channels_first, permuted, turned, flattened_with_channels_first, series, volume, dilated),
        *(image_level, coordinates),
    )
}

NOWHERE = {
    "perceiver": {"cross/query", "cross/attention_output"},
    "mixer": {"tokens"},
    "image_level": {"pooled"},
}
"""Terms that have no place in the image: of latents, and of tokens that are mixed."""


def make(name):
    """A net of that name, and two of its inputs."""
    keras.utils.set_random_seed(3)
    model = NETS[name]()
    shape = [2, *model.inputs[0].shape[1:]]
    return model, np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
