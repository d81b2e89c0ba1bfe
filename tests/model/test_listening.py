"""Models that other threads use while they are listened to."""

import os
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.model.layers import flatten_layers
from keras_fullgrad.model.listening import listening

ROUNDS = int(os.environ.get("FULLGRAD_ROUNDS", "8"))


def net():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input([12, 12, 3])
    x = layers.Conv2D(4, 3, activation="relu", bias_initializer="normal")(image)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="gelu")(x))
    x = layers.TimeDistributed(layers.Dense(4, "tanh"))(layers.Reshape([8, 32])(x))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Of TensorFlow's, that functions of threads are traced anew.
@pytest.mark.parametrize("explain", [ke.full_gradients, ke.decompose], ids=["maps", "decompose"])
def test_first_explanations_while_another_thread_uses_the_model(tmp_path, explain):
    x = np.random.default_rng(0).uniform(-1, 1, [2, 12, 12, 3]).astype(np.float32)
    options = {} if explain is ke.decompose else {"verbose": 0}

    def numbers(result):
        return result.sum if explain is ke.decompose else result.maps

    for _ in range(ROUNDS):
        model = net()
        expected, errors, stop = np.asarray(model(x)), [], threading.Event()

        def use(model=model, expected=expected, errors=errors, stop=stop):
            frozen = keras.models.clone_model(model)
            frozen.set_weights(model.get_weights())
            try:
                while not stop.is_set():
                    np.testing.assert_allclose(model(x), expected, rtol=1e-5)
                    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5)
                    model.save(tmp_path / "model.keras")
                    frozen.compile("sgd", "sparse_categorical_crossentropy")
                    frozen.fit(x, np.zeros(2), verbose=0)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=use)
        thread.start()
        first = explain(model, x, 1, **options)
        stop.set()
        thread.join()
        assert not errors
        again = explain(model, x, 1, **options)
        alone = net()
        alone.set_weights(model.get_weights())
        for found in (first, again):
            np.testing.assert_allclose(
                numbers(found), numbers(explain(alone, x, 1, **options)), rtol=1e-4, atol=1e-5
            )
        assert not any("call" in vars(layer) for layer in flatten_layers(model))


def test_listeners_of_two_threads_hear_their_own_calls():
    dense = keras.layers.Dense(2, activation="relu", kernel_initializer="ones")
    dense.build([None, 3])
    both_listen, done = threading.Barrier(2, timeout=60), []

    def listen(value):
        heard = []
        with listening([dense], heard.append):
            both_listen.wait()
            dense(tf.fill([1, 3], value))
            both_listen.wait()
        done.append((value, [float(each.preactivation[0, 0]) for each in heard]))

    threads = [threading.Thread(target=listen, args=[value]) for value in (1.0, -2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [(-2.0, [-6.0]), (1.0, [3.0])]
    assert "call" not in vars(dense)
    assert dense.activation is keras.activations.relu


def test_a_layer_whose_call_fails_is_as_it_was():
    class Failing(keras.layers.Layer):
        def call(self, x):
            raise KeyError("the user's own")

    layer = Failing()
    with pytest.raises(KeyError, match="the user's own"), listening([layer], lambda _: None):
        layer.call(tf.ones([1]))
    assert "call" not in vars(layer)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method", "ignore:__array__")
def test_layers_that_were_quantized():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input([8, 8, 3]),
            layers.Dense(8, "relu", name="first", bias_initializer="normal"),
            layers.Dense(8, name="second", bias_initializer="normal"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    x = np.random.default_rng(0).uniform(-1, 1, [2, 8, 8, 3]).astype(np.float32)
    whole = ke.full_gradients(model, x, 1, return_terms=True, verbose=0).terms
    model.quantize("int8")
    quantized = ke.full_gradients(model, x, 1, return_terms=True, verbose=0).terms
    assert list(quantized) == list(whole) == ["input", "first", "second"]
    for name, term in whole.items():
        assert np.corrcoef(term.ravel(), quantized[name].ravel())[0, 1] > 0.95
    assert not any("quantized_call" in vars(layer) for layer in flatten_layers(model))
