"""Small nets, one for each kind of model and layer that users bring.

Each function makes a model that takes :data:`SHAPES` of its name, or images of 12 x 10 x 3.
"""

import tempfile

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from zoo_layers import Affine, Block, Classifier, Coordinates, LayerScale, Powers

IMAGE = (12, 10, 3)
NETS = {}
SHAPES = {}
DTYPES = {}


def net(*shapes, dtype="float32"):
    """Registers a net, the shapes of its inputs, and its type."""

    def register(make):
        name = make.__name__
        NETS[name], SHAPES[name], DTYPES[name] = make, shapes or (IMAGE,), dtype
        return make

    return register


def with_head(image, x, classes=4, pool=None, **options):
    """Pools over the positions, and ends in logits."""
    pool = pool or getattr(layers, f"GlobalAveragePooling{len(x.shape) - 2}D")()
    return keras.Model(image, layers.Dense(classes, name="head", **options)(pool(x)))


def chain(*parts, shape=IMAGE, **options):
    """A functional net of some layers and a head."""
    image = x = keras.Input(shape)
    for part in parts:
        x = part(x)
    return with_head(image, x, **options)


@net()
def functional():
    return chain(layers.Conv2D(5, 3, activation="relu"), layers.Conv2D(6, 3))


@net()
def sequential():
    parts = [layers.Conv2D(5, 3), layers.ReLU(), layers.Flatten(), layers.Dense(4)]
    return keras.Sequential([keras.Input(IMAGE), *parts])


@net()
def sequential_unbuilt():
    parts = [layers.Conv2D(5, 3, activation="gelu"), layers.GlobalMaxPooling2D(), layers.Dense(4)]
    return keras.Sequential(parts)


@net()
def subclassed():
    model = Classifier()
    model(tf.zeros([1, *IMAGE]))
    return model


@net()
def subclassed_in_function():
    class Traced(Classifier):
        @tf.function
        def call(self, x):
            return super().call(x)

    model = Traced()
    model(tf.zeros([1, *IMAGE]))
    return model


@net()
def nested():
    image = keras.Input(IMAGE)
    inner = keras.Sequential([keras.Input([10, 8, 4]), layers.Conv2D(6, 3), layers.BatchNormalization()])
    return with_head(image, Block(5)(inner(layers.Conv2D(4, 3, activation="elu")(image))))


@net()
def shared():
    conv = layers.Conv2D(3, 3, padding="same", activation="relu")
    return chain(conv, conv, layers.AveragePooling2D(2), conv)


@net(IMAGE, (5,))
def two_inputs():
    image, metadata = keras.Input(IMAGE, name="image"), keras.Input([5], name="metadata")
    x = layers.Conv2D(4, 3, activation="relu")(image)
    scale = layers.Dense(4, activation="sigmoid")(metadata)
    x = x * layers.Reshape([1, 1, 4])(scale)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.Dense(3)(metadata)])
    return keras.Model([image, metadata], layers.Dense(4)(x))


@net()
def unused_head():
    image = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3)(image)
    aside = layers.Conv2D(6, 3, name="aside")(x)
    model = keras.Model(image, [layers.Dense(4, name="main")(layers.Flatten()(x)), aside])
    return keras.Model(image, model.outputs[0])


@net()
def frozen():
    model = chain(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU())
    model.trainable = False
    return model


@net((3, 8, 6, 3))
def time_distributed():
    return chain(
        layers.TimeDistributed(layers.Conv2D(4, 3, activation="tanh")),
        layers.TimeDistributed(layers.BatchNormalization()),
        shape=(3, 8, 6, 3),
    )


@net()
def custom_layer():
    return chain(Affine())


@net()
def bias_of_another_kind():
    return chain(Powers(), layers.Conv2D(4, 3))


@net((20, 3))
def series():
    return chain(
        layers.Conv1D(4, 3, activation="relu"),
        layers.SeparableConv1D(5, 3, activation="relu"),
        layers.DepthwiseConv1D(3),
        layers.Conv1DTranspose(4, 3),
        shape=(20, 3),
    )


@net((6, 7, 5, 2))
def volumes():
    return chain(
        layers.Conv3D(4, 3, activation="relu"),
        layers.MaxPooling3D((2, 2, 1)),
        layers.Conv3DTranspose(3, 3),
        layers.BatchNormalization(),
        shape=(6, 7, 5, 2),
    )


@net()
def convolutions():
    return chain(
        layers.SeparableConv2D(6, 3, activation="relu"),
        layers.DepthwiseConv2D(3, activation="relu"),
        layers.Conv2DTranspose(4, 3, strides=2, activation="relu"),
        layers.Conv2D(8, 3, groups=2, activation="relu"),
        layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
    )


@net()
def batch_norms():
    return chain(
        layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization(scale=False),
        layers.ReLU(),
        layers.BatchNormalization(center=False, epsilon=0.5),
        layers.ReLU(),
        layers.BatchNormalization(scale=False, center=False),
    )


@net()
def normalizations():
    return chain(
        layers.Conv2D(4, 3),
        layers.GroupNormalization(2),
        layers.LayerNormalization(),
        layers.LayerNormalization(axis=[1, 2, 3]),
        layers.LayerNormalization(center=False),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
    )


@net()
def preprocessing():
    return chain(
        layers.Rescaling(1 / 127.5, offset=-1),
        layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1, 2, 3]),
        layers.ZeroPadding2D(),
        layers.Resizing(9, 11),
        layers.CenterCrop(8, 8),
        layers.Conv2D(4, 3),
    )


@net()
def layer_scale():
    image = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3)(image)
    return with_head(image, x + LayerScale()(layers.Dense(4, activation="gelu")(x)))


@net()
def dense_head():
    image = keras.Input(IMAGE)
    x = layers.MaxPooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    x = layers.Dropout(0.5)(layers.Dense(8, activation="relu")(layers.Flatten()(x)))
    return keras.Model(image, layers.Softmax()(layers.Dense(4)(x)))


@net()
def constant_branch():
    return chain(layers.Conv2D(4, 3, activation="relu"), Coordinates(), layers.ReLU(), layers.Conv2D(3, 3))


@net()
def squeeze_and_excite():
    image = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3, activation="swish")(image)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(4, 1, activation="hard_sigmoid")(layers.Conv2D(2, 1, activation="relu")(gate))
    return with_head(image, layers.Multiply()([x, gate]))


@net()
def attention():
    image = keras.Input(IMAGE)
    x = layers.Reshape([30, 6])(layers.Conv2D(6, 2, strides=2)(image))
    positions = ops.expand_dims(ops.arange(0, 1, 1 / 30, dtype="float32"), -1)
    x = layers.LayerNormalization()(x + ops.reshape(positions, [1, 30, 1]))
    x = x + layers.MultiHeadAttention(2, 3)(x, x)
    return with_head(image, layers.Reshape([6, 5, 6])(x))


@net((5, 3))
def recurrent(unroll=False):
    return chain(
        layers.Conv1D(4, 3),
        layers.Bidirectional(layers.GRU(3, return_sequences=True, unroll=unroll)),
        layers.LSTM(1, return_sequences=True, unroll=unroll),
        shape=(5, 3),
    )


@net((5, 3))
def recurrent_unrolled():
    return recurrent(unroll=True)


@net()
def upsampling():
    return chain(
        layers.Conv2D(4, 3),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.UpSampling2D(2),
        layers.Conv2D(3, 3),
        layers.Cropping2D(1),
    )


@net()
def activations():
    return chain(
        layers.Conv2D(4, 3),
        layers.LeakyReLU(),
        layers.PReLU(alpha_initializer="random_uniform"),
        layers.ELU(),
        layers.Activation("mish"),
        layers.ReLU(max_value=6, threshold=0.1),
        layers.GaussianNoise(0.1),
        layers.SpatialDropout2D(0.2),
    )


@net()
def sigmoid_output():
    return chain(layers.Conv2D(4, 3, activation="relu"), classes=1, activation="sigmoid")


@net((3, 12, 10))
def channels_first():
    return chain(
        layers.Conv2D(4, 3, data_format="channels_first", activation="relu"),
        layers.BatchNormalization(axis=1),
        layers.DepthwiseConv2D(3, data_format="channels_first"),
        layers.LayerNormalization(axis=1),
        shape=(3, 12, 10),
        pool=layers.GlobalAveragePooling2D(data_format="channels_first"),
    )


@net(dtype="float64")
def double():
    return _of_type("float64")


@net(dtype="float16")
def mixed_float16():
    return _of_type("mixed_float16")


@net(dtype="bfloat16")
def mixed_bfloat16():
    return _of_type("mixed_bfloat16")


def _of_type(policy):
    image = keras.Input(IMAGE, dtype="float64" if policy == "float64" else "float32")
    options = {"dtype": policy}
    x = layers.Conv2D(4, 3, activation="relu", **options)(image)
    x = layers.Activation("gelu", **options)(layers.BatchNormalization(**options)(x))
    x = layers.GlobalAveragePooling2D(**options)(x)
    return keras.Model(image, layers.Dense(4, **options)(x))


@net()
def precise_in_part():
    """Layers of two types, at signals of two sizes."""
    return chain(layers.Conv2D(4, 3), layers.ReLU(), layers.Conv2D(5, 3, dtype="float64"))


@net()
def compiled_by_xla():
    model = functional()
    model.compile(jit_compile=True)
    return model


@net()
def run_eagerly():
    model = nested()
    model.compile(run_eagerly=True)
    return model


@net()
def saved_model():
    """What Keras can read of a SavedModel: one layer that it knows nothing of."""
    with tempfile.TemporaryDirectory() as folder:
        functional().export(folder, verbose=False)
        layer = layers.TFSMLayer(folder, call_endpoint="serve")
    return keras.Sequential([keras.Input(IMAGE), layer])


def make(name, seed=0):
    """A net with drawn weights, and three inputs for it, as NumPy arrays of float32."""
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    model = NETS[name]()
    inputs = [random.normal(size=(3, *shape)).astype("float32") for shape in SHAPES[name]]
    if not model.built:
        model(inputs[0])
    draw_weights(model, random)
    return model, inputs if len(inputs) > 1 else inputs[0]


def draw_weights(model, random):
    """Draws what a fresh net has as 0 or 1."""
    for weight in model.weights:
        kind = weight.path.split("/")[-1]
        if kind in ("bias", "beta", "moving_mean"):
            weight.assign(random.normal(0, 0.5, weight.shape))
        elif kind in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
