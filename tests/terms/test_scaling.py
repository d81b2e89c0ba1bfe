"""Nets in float16, whose gradients are smaller than its numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.terms.scaling import differentiate

layers = keras.layers


def net(policy, factor, size=16):
    """Residual blocks of squeeze-and-excite; each multiplies gradients by the factor, and shifts signals."""
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(0)
        image = keras.Input([size, size, 3])
        x = layers.Rescaling(1.0, -0.5, name="shifted")(image)
        x = layers.Conv2D(8, 3, padding="same", name="stem", bias_initializer="normal")(x)
        for block in range(4):
            y = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
            y = layers.ReLU()(layers.BatchNormalization(name=f"norm{block}", beta_initializer="normal")(y))
            gate = layers.Dense(8, "sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(y))
            x = layers.Rescaling(factor)(layers.Add()([x, layers.Multiply()([y, gate])]))
            x = layers.BatchNormalization(name=f"shift{block}", beta_initializer="random_normal")(x)
        logits = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
        return keras.Model(image, logits)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.slow
# Of all blocks 2^-32, which float16 cannot tell from 0.
@pytest.mark.parametrize(("factor", "preset"), [(2.0**-8, "default"), (2.0**-8, "paper"), (2.0, "paper")])
@pytest.mark.filterwarnings("ignore:implicit biases")
def test_no_term_vanishes(factor, preset):
    images = np.random.default_rng(0).normal(size=[2, 16, 16, 3]).astype("float32") / 64
    options = {"preset": preset, "return_terms": True, "verbose": 0}
    half, whole = (
        ke.full_gradients(net(policy, factor), images, 1, **options)
        for policy in ("mixed_float16", "float32")
    )
    assert list(half.terms) == list(whole.terms)
    for name, term in whole.terms.items():
        if name != "shift3":  # The pooling's gradient is the same everywhere.
            assert np.corrcoef(half.terms[name].ravel(), term.ravel())[0, 1] > 0.99, name
        if preset == "paper":
            np.testing.assert_allclose(half.terms[name].max(), term.max(), rtol=0.1, err_msg=name)
    np.testing.assert_allclose(half.left_out, whole.left_out, atol=0.02)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:implicit biases")
def test_gradients_and_parts():
    images = np.random.default_rng(0).normal(size=[1, 16, 16, 3]).astype("float32") / 64
    half, whole = (
        ke.gradients(net(policy, 2.0**-8), images, 1, verbose=0, postprocessing=None).maps
        for policy in ("mixed_float16", "float32")
    )
    np.testing.assert_allclose(half.max(), whole.max(), rtol=0.05)
    half, whole = (
        ke.decompose(net(policy, 2.0**-8), images, 1).shares for policy in ("mixed_float16", "float32")
    )
    for name in ("input", "stem", "norm0", "norm3"):
        np.testing.assert_allclose(half[name], whole[name], rtol=0.1, atol=1e-3, err_msg=name)


def test_where_paths_part_and_meet():
    """Signals on either side of what all goes through, one that leads nowhere, and two inputs."""

    @tf.function(autograph=False)
    def both(x, y):
        half = tf.cast(x, tf.float16)
        signals = [half * 2 + tf.cast(y, tf.float16) * 0.5]
        for _ in range(20):
            left, right = signals[-1] * 0.01, tf.sin(signals[-1]) * 0.02
            signals += [left, right, left + right]
        target = tf.reduce_sum(signals[-1])
        signals.append(signals[-1] * 3)
        found = differentiate(target, [x, y, *signals], [x, y], tf.ones_like(target))
        return [
            each if each is None else tf.cast(each.tensor, tf.float64) / tf.cast(each.scale, tf.float64)
            for each in found
        ]

    def wide(x, y):
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            signals = [x * 2 + y * 0.5]
            for _ in range(20):
                left, right = signals[-1] * 0.01, tf.sin(signals[-1]) * 0.02
                signals += [left, right, left + right]
            target = tf.reduce_sum(signals[-1])
        return [*tape.gradient(target, [x, y, *signals]), None]

    x, y = tf.constant([0.3, -0.2]), tf.constant([0.1, 0.5])
    for half, exact in zip(both(x, y), wide(tf.cast(x, tf.float64), tf.cast(y, tf.float64)), strict=True):
        assert (half is None) == (exact is None)
        if exact is not None:
            np.testing.assert_allclose(half, exact, rtol=0.05)
