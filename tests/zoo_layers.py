"""Layers and models of the zoo that are subclasses."""

import keras
import tensorflow as tf
from keras import layers, ops


class Block(keras.Model):
    """A model whose graph nobody can read, with operations between its layers."""

    def __init__(self, filters, **options):
        super().__init__(**options)
        self.first = layers.Conv2D(filters, 3, padding="same")
        self.norm = layers.BatchNormalization()
        self.gate = layers.Conv2D(filters, 1, activation="sigmoid")

    def call(self, x, training=False):
        x = self.norm(self.first(x), training=training)
        return tf.nn.silu(x) * self.gate(x) + 0.25


class Classifier(keras.Model):
    """A subclassed model with a call that takes only the inputs."""

    def __init__(self):
        super().__init__()
        self.blocks = [Block(4), keras.Sequential([layers.Conv2D(3, 1), Block(5)])]
        self.head = layers.Dense(4, activation="softmax")

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(tf.reduce_mean(x, [1, 2]))


class Affine(keras.Layer):
    """A layer of a user's own, with a weight named bias."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 5), name="kernel")
        self.bias = self.add_weight(shape=(5,), name="bias")

    def call(self, x):
        return ops.gelu(ops.matmul(x, self.kernel) + self.bias)


class Powers(keras.Layer):
    """A layer whose bias is no bias: it is multiplied, and fits no signal."""

    def build(self, shape):
        self.bias = self.add_weight(shape=(7, 2), name="bias")

    def call(self, x):
        return x * ops.sum(self.bias)


class LayerScale(keras.Layer):
    """As ConvNeXt has it."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="random_uniform", name="gamma")

    def call(self, x):
        return x * self.gamma


class Coordinates(keras.Layer):
    """Adds what a convolution makes of the positions: the same for every image, with a batch of 1."""

    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(4, 1, activation="relu")

    def build(self, shape):
        self.conv.build((1, *shape[1:3], 2))

    def call(self, x):
        rows, columns = ops.linspace(-1.0, 1.0, x.shape[1]), ops.linspace(-1.0, 1.0, x.shape[2])
        grid = ops.stack(ops.meshgrid(rows, columns, indexing="ij"), axis=-1)
        return x + self.conv(grid[None])
