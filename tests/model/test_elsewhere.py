"""Nets that were trained on other backends, and files of other versions of Keras."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_fullgrad as ke

FILES = Path(__file__).parents[1] / "fixtures" / "elsewhere"
NAMES = ["jax.keras", "torch.keras", "keras2.h5", "keras3.h5"]


@pytest.fixture
def digits():
    return np.float32(load_digits().data[:4] / 16).reshape(-1, 8, 8, 1)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_trained_elsewhere_is_explained_here(name, digits):
    model = keras.models.load_model(FILES / name, compile=False)
    said = np.load(FILES / f"{name}.npy")
    np.testing.assert_allclose(model.predict(digits, verbose=0), said, atol=1e-5)
    explained = ke.full_gradients(model, digits, verbose=0, return_terms=True)
    np.testing.assert_array_equal(explained.classes[:, 0], said.argmax(axis=-1))
    assert len(explained.terms) == 3
    assert ke.decompose(model, digits).relative_error < 1e-5


def test_a_saved_model_of_fused_batch_norms(tmp_path, digits):
    """What Keras 2 exports. It is one layer, all of which is implicit, and it adds up."""
    random = np.random.default_rng(0)
    kernel, scale, shift, mean = (random.normal(size=s).astype("float32") for s in ([3, 3, 1, 4], 4, 4, 4))
    head = random.normal(size=[4, 3]).astype("float32")

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1])], autograph=False)
        def serve(self, x):
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
            normed = tf.raw_ops.FusedBatchNormV3(
                x=x, scale=scale, offset=shift, mean=mean, variance=scale**2, is_training=False
            )
            return tf.reduce_mean(tf.nn.relu(normed[0]), (1, 2)) @ head

    tf.saved_model.save(Module(), tmp_path)
    layer = keras.layers.TFSMLayer(tmp_path, call_endpoint="serve")
    parts = ke.decompose(keras.Sequential([keras.Input([8, 8, 1]), layer]), digits)
    assert parts.relative_error < 1e-5
    assert abs(parts.layers[0].implicit).max() > 0.1
