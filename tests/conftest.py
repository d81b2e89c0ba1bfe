"""What every test shares: nets of the fixtures, quiet TensorFlow, and several logical devices."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On processors that TensorFlow leaves oneDNN off for, it has no gradient of convolutions with channels first.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from fixtures import models

FIXTURES = Path(__file__).parent / "fixtures"

# Two CPUs for the tests of tf.distribute; this must come before TensorFlow starts.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_runtest_setup():
    """Weights are the same at every run: a drawn one may put a unit at its kink, where rounding decides."""
    keras.utils.set_random_seed(0)


@pytest.fixture(params=["bn_cnn", "bias_cnn", "mixed_cnn"])
def published(request):
    """A net, its inputs, and what published implementations gave for it."""
    with np.load(FIXTURES / f"{request.param}.npz") as file:
        arrays = dict(file)
    model = getattr(models, request.param)(keras)
    models.load_weights(model, arrays)
    return SimpleNamespace(model=model, **{k: v for k, v in arrays.items() if "/" not in k})


@pytest.fixture
def small_net():
    """Convolutions with and without activation, batch norms of three kinds, and a softmax."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input([16, 12, 3])
    x = layers.Conv2D(5, 3, activation="relu", bias_initializer="normal", name="c1")(image)
    x = layers.BatchNormalization(epsilon=0.1, name="b1")(x)
    x = layers.SeparableConv2D(6, 3, use_bias=False, name="c2")(x)
    x = layers.BatchNormalization(scale=False, name="b2")(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(7, 3, use_bias=False, name="c3")(x)
    x = layers.BatchNormalization(center=False, name="b3")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, layers.Dense(4, activation="softmax", name="head")(x))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


@pytest.fixture
def images():
    return np.random.default_rng(1).uniform(-1, 1, [5, 16, 12, 3])


def relative_error(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)
