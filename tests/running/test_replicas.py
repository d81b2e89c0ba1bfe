"""Explaining on several devices, and in several threads: the maps are those of one."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
import zoo
from keras_fullgrad.methods.meta import smooth
from keras_fullgrad.running import batches, traces

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mirrored():
    """A net on two devices, and its twin on one."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = zoo.make("functional")[0]
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    return model, twin


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=[11, *zoo.IMAGE])


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 4, 11])
def test_maps_and_their_order_are_those_of_one_device(mirrored, x, batch_size):
    model, twin = mirrored
    logits, maps = ke.full_gradients(model, x, batch_size=batch_size, verbose=0)
    expected_logits, expected = ke.full_gradients(twin, x, verbose=0)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_inside_the_scope_too(mirrored, x):
    model, twin = mirrored
    with model.distribute_strategy.scope():
        _, maps = ke.full_gradients(model, x, y=[[0, 2]] * 11, verbose=0)
    _, expected = ke.full_gradients(twin, x, y=[[0, 2]] * 11, verbose=0)
    np.testing.assert_allclose(maps, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (ke.methods.gradient.gradients, {}),
        (ke.methods.gradient.full_gradients, {"implicit_biases": True, "return_terms": True}),
        (smooth(ke.methods.gradient.full_gradients, 3), {}),
    ],
)
def test_every_method(mirrored, x, method, params):
    results = [ke.explain(method, model, x, batch_size=3, verbose=0, **params) for model in mirrored]
    tf.nest.map_structure(lambda *each: np.testing.assert_allclose(*each, rtol=1e-4, atol=1e-5), *results)


def test_weights_are_read_when_called(mirrored, x):
    model, twin = mirrored
    before = ke.full_gradients(model, x, verbose=0)[1]
    for each in mirrored:
        each.set_weights([-0.5 * weight for weight in each.get_weights()])
    after = ke.full_gradients(model, x, verbose=0)[1]
    np.testing.assert_allclose(after, ke.full_gradients(twin, x, verbose=0)[1], atol=1e-5)
    assert np.abs(after - before).max() > 0.01


def test_each_device_gets_a_batch_of_its_own(mirrored):
    model, twin = mirrored
    data = np.zeros([100, *zoo.IMAGE])
    sizes = [len(next(batches.for_model(each, data)[1].batches)[0]) for each in (model, twin)]
    assert sizes == [64, 32]


def in_threads(count, work):
    """Runs work(0), work(1), ... at once, and returns what each returned."""
    results, errors = [None] * count, []

    def run(index):
        try:
            results[index] = work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[index]) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return results


def test_threads_share_a_model(x):
    model = zoo.make("functional")[0]
    results = in_threads(8, lambda i: ke.full_gradients(model, x, y=i % 4, verbose=0)[1])
    assert len(traces._KEPT[model].traces) == 2  # The maps, and once what they leave out.
    for i, maps in enumerate(results):
        np.testing.assert_array_equal(maps, ke.full_gradients(model, x, y=i % 4, verbose=0)[1])


def test_threads_with_models_of_their_own(x):
    models = [zoo.make("functional")[0] for _ in range(6)]
    expected = [ke.full_gradients(model, x, verbose=0)[1] for model in models]
    fresh = [keras.models.clone_model(model) for model in models]
    for model, twin in zip(models, fresh, strict=True):
        twin.set_weights(model.get_weights())
    results = in_threads(6, lambda i: ke.full_gradients(fresh[i], x, verbose=0)[1])
    for maps, right in zip(results, expected, strict=True):
        np.testing.assert_array_equal(maps, right)
