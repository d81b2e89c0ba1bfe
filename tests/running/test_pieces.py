"""Batches in pieces, where memory runs out."""

import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.methods import gradient
from keras_fullgrad.running.pieces import Pieces


class Machine:
    """Runs pieces by a memory of its own."""

    def __init__(self, fits=10**9, error=tf.errors.ResourceExhaustedError, message="out of memory"):
        self.sizes, self.fits, self.error = [], fits, error(None, None, message)

    def run(self, rows):
        size = rows.stop - rows.start
        if size > self.fits:
            raise self.error
        self.sizes.append(size)
        return list(range(rows.start, rows.stop))


def rows_of(pieces, machine, images):
    return [row for piece in pieces.run(machine.run, images) for row in piece]


def test_batches_that_fit_stay_whole():
    machine, pieces = Machine(), Pieces()
    for _ in range(9):
        assert rows_of(pieces, machine, 8) == list(range(8))
    assert machine.sizes == [8] * 9


def test_out_of_memory_halves_for_good_and_loses_nothing():
    machine, pieces = Machine(fits=3), Pieces()
    with pytest.warns(UserWarning, match="images at a time") as warned:
        assert rows_of(pieces, machine, 16) == list(range(16))
    assert [str(warning.message) for warning in warned] == [
        f"memory did not do for {size} images at a time; going on with {size // 2}" for size in (16, 8, 4)
    ]
    assert machine.sizes == [2] * 8
    assert rows_of(pieces, machine, 5) == list(range(5))
    assert machine.sizes[8:] == [2, 2, 1]


def test_out_of_memory_for_one_image_is_an_error():
    machine = Machine(fits=0)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        rows_of(Pieces(), machine, 1)


def test_onednn_out_of_memory_halves_too():
    said = "Operation received an exception:Status: 1, message: could not create a primitive, in file a.cc:1"
    machine = Machine(fits=2, error=tf.errors.AbortedError, message=said)
    with pytest.warns(UserWarning, match="going on with 2"):
        assert rows_of(Pieces(), machine, 4) == list(range(4))


def test_what_else_aborts_is_an_error():
    machine = Machine(fits=0, error=tf.errors.AbortedError, message="Status: 2, message: invalid arguments")
    with pytest.raises(tf.errors.AbortedError):
        rows_of(Pieces(), machine, 4)


@pytest.mark.slow
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
