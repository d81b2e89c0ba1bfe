"""What a model computes by the rules of `model.rewriting`, against what it computes without them."""

import numpy as np
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.model.exposing import expose
from keras_fullgrad.model.rewriting import Rewriting


def assert_same(model, x, rtol=1e-5, **options):
    """Logits, maps and each term."""
    options = {"verbose": 0, "return_terms": True, "postprocessing": None} | options
    found = ke.full_gradients(model, x, **options)
    expected = ke.full_gradients(model, x, fold_batch_norms=False, **options)
    np.testing.assert_allclose(found.logits, expected.logits, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(found.maps, expected.maps, atol=rtol * np.abs(expected.maps).max())
    assert list(found.terms) == list(expected.terms)
    for name, term in expected.terms.items():
        np.testing.assert_allclose(found.terms[name], term, atol=rtol * np.abs(term).max(), err_msg=name)


def images(model, count=3, size=12):
    """Inputs for it; open sizes are of 12."""
    shape = [count, *(each or size for each in model.inputs[0].shape[1:])]
    return np.random.default_rng(5).normal(size=shape).astype(model.inputs[0].dtype)


def operations(model, **options):
    """The types of the operations that the outputs of a model depend on where it is traced."""
    x = tf.constant(images(model, 1))
    signals = tf.function(
        lambda x: expose(model).signals(x, rewriting=Rewriting(**options)).outputs, autograph=False
    )
    outputs = signals.get_concrete_function(x).outputs
    found, waiting = [], [output.op for output in outputs]
    seen = set(waiting)
    while waiting:
        op = waiting.pop()
        found.append(op.type)
        before = {tensor.op for tensor in op.inputs} - seen
        seen |= before
        waiting += before
    return found
