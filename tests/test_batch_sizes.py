"""How batches are cut by what memory and time allow, and read ahead."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad import batch_sizes, batches
from keras_fullgrad.methods import gradient


class Machine:
    """Runs pieces by a clock and a memory of its own."""

    def __init__(self, monkeypatch, seconds_of, fits=10**9):
        self.now, self.sizes, self.seconds_of, self.fits = 0.0, [], seconds_of, fits
        monkeypatch.setattr(batch_sizes.time, "perf_counter", lambda: self.now)

    def run(self, rows):
        size = rows.stop - rows.start
        if size > self.fits:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        self.sizes.append(size)
        self.now += self.seconds_of(size)
        return list(range(rows.start, rows.stop))


def rows_of(batch_size, machine, images, most=None, trying=True):
    return [row for piece in batch_size.pieces(machine.run, images, most, trying) for row in piece]


def test_batches_of_a_size_that_was_asked_for_stay_whole(monkeypatch):
    machine, batch_size = Machine(monkeypatch, lambda size: size**2), batch_sizes.BatchSize()
    for _ in range(9):
        assert rows_of(batch_size, machine, 8) == list(range(8))
    assert machine.sizes == [8] * 9


@pytest.mark.parametrize("fastest", [1, 4, 16, 32])
def test_the_fastest_size_is_found_and_remembered(monkeypatch, fastest):
    machine = Machine(monkeypatch, lambda size: size * (1 + abs(np.log2(size / fastest))))
    batch_size = batch_sizes.BatchSize()
    for _ in range(12):
        assert rows_of(batch_size, machine, 32, most=32) == list(range(32))
    assert machine.sizes[:2] == [32, 32]
    assert machine.sizes[-32 // fastest :] == [fastest] * (32 // fastest)


def test_a_trial_that_was_cut_short_decides_nothing(monkeypatch):
    machine, batch_size = Machine(monkeypatch, lambda size: size**2), batch_sizes.BatchSize()
    for trying in (True, True, True, False, False):
        rows_of(batch_size, machine, 8, most=8, trying=trying)
    assert machine.sizes == [8, 8, 4, 4, 8, 8]


def test_sizes_that_do_not_halve_evenly(monkeypatch):
    machine, batch_size = Machine(monkeypatch, lambda size: size * (1 + size)), batch_sizes.BatchSize()
    for _ in range(9):
        assert rows_of(batch_size, machine, 7, most=7) == list(range(7))
    assert machine.sizes[-7:] == [1] * 7


def test_few_images_are_not_tried_on(monkeypatch):
    machine, batch_size = Machine(monkeypatch, lambda size: size**2), batch_sizes.BatchSize()
    for _ in range(9):
        rows_of(batch_size, machine, 32, most=32, trying=False)
    assert machine.sizes == [32] * 9


def test_a_long_run_tries_smaller_batches_and_a_short_one_does_not(monkeypatch, small_net):
    seen = []
    pieces = batch_sizes.BatchSize.pieces
    monkeypatch.setattr(
        batch_sizes.BatchSize,
        "pieces",
        lambda *args, trying: seen.append(trying) or pieces(*args, trying=trying),
    )
    monkeypatch.setattr(batches, "POSITIONS", 2 * 16 * 12)
    for images in (6, 40):
        ke.full_gradients(small_net, np.ones([images, 16, 12, 3]), 1, verbose=0)
    assert seen == [False] * 3 + [True] * 20


def test_out_of_memory_halves_for_good_and_loses_nothing(monkeypatch):
    machine, batch_size = Machine(monkeypatch, float, fits=3), batch_sizes.BatchSize()
    with pytest.warns(UserWarning, match="images at a time") as warned:
        assert rows_of(batch_size, machine, 16) == list(range(16))
    assert [str(warning.message) for warning in warned] == [
        f"memory did not do for {size} images at a time; going on with {size // 2}" for size in (16, 8, 4)
    ]
    assert machine.sizes == [2] * 8
    assert rows_of(batch_size, machine, 5) == list(range(5))
    assert machine.sizes[8:] == [2, 2, 1]


def test_out_of_memory_for_one_image_is_an_error(monkeypatch):
    machine = Machine(monkeypatch, float, fits=0)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        rows_of(batch_sizes.BatchSize(), machine, 1)


def test_explain_goes_on_where_memory_runs_out(small_net, images):
    """With an operation that asks for more than there is, for more than two images."""

    def refusing(model, inputs, indices=None, **params):
        beyond_memory = tf.where(tf.shape(inputs)[0] > 2, tf.constant(2**50, tf.int64), 1)
        nothing = tf.reduce_min(tf.fill([beyond_memory], 0.0))
        return gradient.full_gradients(model, inputs + nothing, indices, **params)

    expected = ke.explain(gradient.full_gradients, small_net, images, 1, verbose=0)
    with pytest.warns(UserWarning, match="going on with 2"):
        found = ke.explain(refusing, small_net, images, 1, batch_size=5, verbose=0)
    for part, whole in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, whole, rtol=1e-4, atol=1e-6)
    pieces = ke.explain_iter(refusing, small_net, images, 1, batch_size=5)
    assert [len(maps) for _, maps in pieces] == [2, 2, 1]


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
    results = ke.explain_iter(gradient.full_gradients, net, stream(), simple=True)
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
