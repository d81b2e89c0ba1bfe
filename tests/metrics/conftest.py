"""What the tests of measures share: maps, the shipped net and its scenes, and nets that add up."""

import keras
import numpy as np
import pytest

from keras_fullgrad.demo import Scenes
from keras_fullgrad.demo.show import NET, SCENES


@pytest.fixture
def maps(images):
    return np.random.default_rng(2).random([len(images), 16, 12, 1])


@pytest.fixture(scope="session")
def demo():
    return keras.models.load_model(NET, compile=False), Scenes.load(SCENES)


@pytest.fixture
def linear():
    """Makes a net of one dense layer without biases, whose weights are all but random."""

    def net(shape, classes=1):
        model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)])
        kernel = np.linspace(0.5, 2, int(np.prod(shape)) * classes).reshape(-1, classes)
        model.set_weights([kernel, np.zeros(classes)])
        return model

    return net
