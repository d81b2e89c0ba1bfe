"""Batches of data of every kind: how large they are, and read ahead."""

import threading

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.methods import gradient
from keras_fullgrad.running import batches, memory


@pytest.mark.parametrize(("shape", "size"), [((9, 224, 224, 3), 20), ((9, 512, 512, 3), 4), ((9, 8, 3), 32)])
def test_a_size_follows_from_the_shape(shape, size):
    assert batches.default_size(shape) == size


@pytest.mark.parametrize(("gigabytes", "size"), [(64, 20), (8, 10), (1, 1)])
def test_a_size_follows_from_the_memory(monkeypatch, gigabytes, size):
    monkeypatch.setattr(memory, "total_memory", lambda: gigabytes * 2**30)
    assert batches.default_size((9, 224, 224, 3)) == size


def test_a_model_is_built_in_the_thread_that_asks(images):
    threads = []

    class Noting(keras.layers.Layer):
        def build(self, shape):
            threads.append(threading.current_thread())

        def call(self, x):
            return x

    model = keras.Sequential([Noting(), keras.layers.Flatten(), keras.layers.Dense(2)])
    ke.full_gradients(model, images, verbose=0)
    assert threads == [threading.current_thread()]


def test_the_next_batch_is_read_while_one_is_computed():
    read = threading.Event()

    def stream():
        yield "first"
        read.set()
        yield "second"

    ahead = batches.ahead(stream())
    assert next(ahead) == "first"
    assert read.wait(timeout=60)
    assert list(ahead) == ["second"]


def test_an_error_in_reading_comes_when_its_batch_is_due():
    def stream():
        yield np.ones([1, 16, 12, 3])
        raise OSError("the disk is gone")

    net = keras.Sequential([keras.Input([16, 12, 3]), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    results = ke.explain_iter(gradient.full_gradients, net, stream(), preset="paper", simple=True)
    assert len(next(results)) == 2
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)


def test_a_reader_that_is_left_stops():
    before = set(threading.enumerate())
    endless = batches.ahead(iter(lambda: np.ones(1), None))
    next(endless)
    (reader,) = set(threading.enumerate()) - before
    endless.close()
    reader.join(timeout=60)
    assert not reader.is_alive()
