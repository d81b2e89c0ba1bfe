"""What published implementations get wrong: each defect with a test that would have caught it.

docs/exactness.md lists them with the tests here and elsewhere.
"""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
import zoo
from conftest import relative_error

pytestmark = pytest.mark.filterwarnings("ignore:implicit biases make up")

ROOT = Path(__file__).parent.parent


def test_normalizations_without_a_bias_vector_do_not_crash():
    model, x = zoo.make("normalizations")
    assert ke.full_gradients(model, x, verbose=0)[1].max() == 1


def test_hidden_dense_layers_do_not_crash():
    # As VGG16 has them: layers with a bias but without positions.
    model, x = zoo.make("dense_head")
    assert ke.full_gradients(model, x, verbose=0)[1].max() == 1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_the_map_of_full_precision(policy):
    model, x = zoo.make(policy)
    # Of batch norm and GELU at half precision, some noise is left.
    full = keras.models.clone_model(
        model, clone_function=lambda layer: type(layer).from_config(layer.get_config() | {"dtype": "float32"})
    )
    full.set_weights(model.get_weights())
    maps, expected = (ke.full_gradients(m, x, 0, preset="paper", verbose=0)[1] for m in (model, full))
    assert maps.dtype == np.float32
    assert relative_error(maps, expected) < {"mixed_float16": 0.01, "mixed_bfloat16": 0.08}[policy]


def test_gradients_stay_in_the_graph():
    model, x = zoo.make("convolutions")

    @tf.function
    def explain(x):
        return ke.methods.gradient.full_gradients(model, x, backend="native")[1]

    operations = {op.type for op in explain.get_concrete_function(tf.constant(x)).graph.get_operations()}
    assert "KerasFullgrad>SaliencyMap" in operations
    assert not operations & {"PyFunc", "EagerPyFunc", "NumpyFunction"}


def test_every_listed_test_exists():
    listed = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "exactness.md").read_text())
    assert len(listed) > 10
    for file, name in listed:
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"
