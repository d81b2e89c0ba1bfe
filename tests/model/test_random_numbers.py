"""Layers that draw random numbers at inference."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from slow import slow_but

layers = keras.layers


class Sampling(layers.Layer):
    """Draws around what it takes in, as variational autoencoders do."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def call(self, x):
        return x * (1 + self.draw(x)) + self.draw(x)


def net(draw):
    image = keras.Input([8, 8, 3])
    x = Sampling(draw)(layers.Conv2D(4, 3, activation="gelu", bias_initializer="normal")(image))
    x = layers.Dropout(0.5)(layers.Conv2D(4, 3, activation="relu")(x))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


SEED = keras.random.SeedGenerator(7)
DRAWN = {
    "generator": lambda x: keras.random.normal(x.shape[1:], seed=SEED),
    "none": lambda x: keras.random.normal(x.shape[1:]),
    "fixed": lambda x: keras.random.normal(x.shape[1:], seed=3),
}


@pytest.mark.parametrize("draw", slow_but("generator", DRAWN))
def test_each_pass_draws_the_same_and_the_generators_stay(draw, images):
    images = images[:2, :8, :8]
    model, state = net(DRAWN[draw]), SEED.state.numpy()
    parts = ke.decompose(model, images, 0)
    assert parts.relative_error < 1e-5
    assert np.array_equal(parts.sum, ke.decompose(model, images, 0).sum)
    maps = [ke.full_gradients(model, images, 0, implicit_biases=True, verbose=0).maps for _ in range(2)]
    np.testing.assert_array_equal(*maps)
    np.testing.assert_array_equal(SEED.state.numpy(), state)


def test_others_draw_as_ever(images):
    model = net(DRAWN["generator"])
    ke.full_gradients(model, images[:1, :8, :8], 0, implicit_biases=True, verbose=0)
    first, second = model(images[:1, :8, :8]), model(images[:1, :8, :8])
    assert not np.array_equal(first, second)
    assert keras.random.SeedGenerator.next.__module__.startswith("keras.")


def test_numbers_of_tensorflow_itself_are_told(images):
    model = net(lambda x: tf.random.normal(x.shape[1:]))
    told = pytest.warns(UserWarning, match="RandomStandardNormal: each pass draws others")
    with told, pytest.warns(UserWarning, match="expected the terms .* computes otherwise at each pass"):
        ke.decompose(model, images[:1, :8, :8], 0)
