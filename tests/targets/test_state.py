"""What a user's function computes by: a kept trace must not outlive it, and one that is the same is kept."""

import dataclasses
import functools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.running import traces
from keras_fullgrad.targets.state import state

FACTOR = 1
HELPERS = types.ModuleType("helpers_of_a_user")
OPTIONS = {"verbose": 0, "implicit_biases": False, "postprocessing": None}


def of_a_global(outputs):
    return FACTOR * outputs[:, 0]


def through_another(outputs):
    return of_a_global(outputs)


def of_a_module(outputs):
    return HELPERS.factor * outputs[:, 0]


class Scorer:
    """What is called, and what has a method; either reads an attribute."""

    def __init__(self, factor):
        self.factor = factor

    def score(self, outputs):
        return self.factor * outputs[:, 0]

    __call__ = score


class Slotted:
    __slots__ = ("factor",)

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, outputs):
        return self.factor * outputs[:, 0]


@dataclasses.dataclass
class Dataclass:
    factor: float

    def __call__(self, outputs):
        return self.factor * outputs[:, 0]


class Own(ke.targets.Target):
    """A target of the user's own with an attribute that is not told as a number."""

    def __init__(self, factor):
        object.__setattr__(self, "factor", factor)

    def __call__(self, outputs):
        return self.factor * outputs[:, 0]


SCORER = Scorer(1)


def with_global(factor):
    global FACTOR
    FACTOR = factor
    return of_a_global


def with_scorer(factor, wanted=lambda scorer: scorer):
    SCORER.factor = factor
    return wanted(SCORER)


def with_module(factor):
    HELPERS.factor = factor
    return of_a_module


def with_array(factor, array=np.ones(4, np.float32)):  # noqa: B008
    array[:] = factor
    return lambda outputs: tf.reduce_sum(outputs * array * [1.0, 0, 0, 0], axis=-1)


def with_default(factor):
    return lambda outputs, factor=factor: factor * outputs[:, 0]


TARGETS = {
    "closure": lambda factor: lambda outputs: factor * outputs[:, 0],
    "default": with_default,
    "global": with_global,
    "global of a helper": lambda factor: with_global(factor) and through_another,
    "attribute of a module": with_module,
    "partial": lambda factor: functools.partial(lambda f, outputs: f * outputs[:, 0], factor),
    "object": with_scorer,
    "method": functools.partial(with_scorer, wanted=lambda scorer: scorer.score),
    "slots": Slotted,
    "dataclass": Dataclass,
    "target": Own,
    "array": with_array,
    "list": lambda factor: lambda outputs, held=[factor]: held[0] * outputs[:, 0],
    "tf.function": lambda factor: tf.function(lambda outputs: factor * outputs[:, 0]),
}


@pytest.fixture(scope="module")
def net():
    """One that is traced in no time."""
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input([4, 4, 1]), keras.layers.Flatten(), keras.layers.Dense(4)])


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=[3, 4, 4, 1]).astype("float32")


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_explained_is_what_the_function_computes_now(net, images, name):
    first = ke.full_gradients(net, images[:2], 0, **OPTIONS)
    for factor in (1.0, 3.0, 1.0):
        found = ke.full_gradients(net, images[:2], target=TARGETS[name](factor), **OPTIONS)
        np.testing.assert_allclose(found.logits, factor * first.logits, rtol=1e-4)


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_function_is_traced_once(net, images, name):
    ke.clear_cache(net)
    for _ in range(2):
        ke.gradients(net, images[:2], target=TARGETS[name](2.0), verbose=0)
    assert len(traces._KEPT[net].traces) == 1


def test_filters_are_read_too(net, images):
    maps = []
    for factor in (1.0, 3.0):
        psi = with_filter(factor)
        maps.append(ke.full_gradients(net, images[:2], 0, psi=psi, **OPTIONS).maps)
    np.testing.assert_allclose(maps[1], 3 * maps[0], rtol=1e-5)


def with_filter(factor):
    with_global(factor)
    return filter_of_a_global


def filter_of_a_global(terms, *_):
    return FACTOR * tf.abs(terms)


def test_weights_are_read_when_called(net, images):
    probe = keras.Sequential([keras.Input([4]), keras.layers.Dense(1, use_bias=False)])
    ke.clear_cache(net)
    found = []
    for factor in (1.0, 3.0):
        probe.set_weights([factor * np.eye(4, 1)])
        found.append(ke.full_gradients(net, images[:2], target=probe, **OPTIONS).logits)
    np.testing.assert_allclose(found[1], 3 * found[0], rtol=1e-5)


def test_a_model_that_computes_otherwise_is_another_target(net, images):
    probe = keras.Sequential([keras.Input([4]), keras.layers.Dense(1, bias_initializer="ones")])
    before = ke.full_gradients(net, images[:2], target=probe, **OPTIONS).logits
    probe.layers[0].activation = keras.activations.gelu
    after = ke.full_gradients(net, images[:2], target=probe, **OPTIONS).logits
    np.testing.assert_allclose(after, keras.activations.gelu(before), rtol=1e-4, atol=1e-6)


def test_a_function_that_notes_what_it_is_called_with_is_traced_once(net, images):
    seen = []

    def noting(outputs):
        seen.append(outputs)
        return outputs[:, 0]

    ke.gradients(net, images, target=noting, verbose=0)
    calls = len(seen)
    for _ in range(2):
        ke.gradients(net, images, target=noting, batch_size=3, verbose=0)
    assert len(seen) == calls


def test_states_compare_values_and_hold_none():
    array = np.arange(3)
    assert state(array) == state(array.copy())
    assert state(array) != state(array + 1)
    assert state([1, {"a": {2, 3}}]) == state([1, {"a": {3, 2}}])
    assert state(1) != state(1.0)
    assert state(object()) != state(object())
    loop = []
    loop.append(loop)
    assert state(loop) == state(loop)
    hash(state(lambda: array))


def test_functions_that_are_read_one_after_the_other_do_not_stand_for_each_other():
    def pair(one, other):
        return state([lambda x: one * x, lambda x: other * x])

    assert len({pair(1, 2), pair(1, 3), pair(1, 1), pair(2, 1)}) == 4
    assert pair(1, 2) == pair(1, 2)
    assert state({"a": 1, "b": 2}) == state({"b": 2, "a": 1})
