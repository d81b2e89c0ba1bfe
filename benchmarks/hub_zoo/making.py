"""How a net, its weights and its inputs are drawn."""

import keras
import numpy as np
from keras import layers

import keras_fullgrad as ke

CLASSES = 3
SMALL, LARGE = (32, 32, 3), (64, 64, 3)
NETS = {}
VIT = {"num_layers": 2, "hidden_dim": 16, "num_heads": 2}
PYRAMID = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [3],
    "stackwise_num_filters": [64, 8, 8, 16],
    "stackwise_num_blocks": [1, 1, 1, 1],
    "stackwise_num_strides": [1, 2, 2, 2],
}


def net(make):
    """Registers a net by the name of its function."""
    NETS[make.__name__] = make
    return make


def make(name, seed):
    """A net with drawn weights, the drawn inputs of two images, and which input is the image."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    model, *others = NETS[name]()
    image = next(x for x in model.inputs if x.shape[-1] == 3)
    inputs = random.normal(size=(2, *image.shape[1:])).astype("float32")
    source = None
    if others:
        source = next(key for key, x in model.input.items() if x is image)
        inputs = {source: inputs, **others[0]}
    draw_weights(model, random)
    draw_statistics(model, inputs, random)
    return model, inputs, source


def draw_weights(model, random):
    """Draws what a fresh net has as a constant: biases, factors, tokens, scales of layers."""
    for weight in model.weights:
        value = np.asarray(weight)
        if value.dtype.kind != "f" or not value.size:
            continue
        kind = weight.path.split("/")[-1]
        if kind in ("gamma", "moving_variance", "scale") or (np.ptp(value) == 0 and value.flat[0] > 0):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif kind in ("bias", "beta", "moving_mean") or np.ptp(value) == 0:
            weight.assign(random.normal(0, 0.3, weight.shape))


def draw_statistics(model, inputs, random):
    """Draws statistics around the scale of what the images give, so that signals neither die nor blow up."""
    norms = [x for x in ke.inspection.flatten_layers(model) if isinstance(x, layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    model(inputs, training=True)
    for norm in norms:
        mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
        scale = np.full_like(variance, np.mean(np.square(mean) + variance))
        norm.moving_mean.assign(random.normal(0, 0.5, mean.shape) * np.sqrt(scale))
        norm.moving_variance.assign(scale * random.uniform(0.5, 2, scale.shape))


def with_head(model, outputs=None):
    """The model, its outputs' means over positions, and a dense layer; it tells what puts those out."""
    outputs = keras.tree.flatten(model.output if outputs is None else outputs)
    means = []
    for x in outputs:
        if len(x.shape) > 2:
            x = layers.Reshape((-1, x.shape[-1]))(x)
            x = layers.GlobalAveragePooling1D()(x)
        means.append(x)
    x = layers.Concatenate()(means) if len(means) > 1 else means[0]
    whole = keras.Model(model.input, layers.Dense(CLASSES, name="added_head")(x))
    whole.own_outputs = {x._keras_history.operation.name: tuple(x.shape) for x in outputs}
    return whole
