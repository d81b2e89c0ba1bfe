"""The private API of Keras and TensorFlow that is used: each thing, to tell what a new version broke."""

import ast
import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad import _keras, _tensorflow

PACKAGE = Path(ke.__file__).parent


def dense_net():
    inner = keras.Sequential([keras.Input([4]), keras.layers.Dense(3, name="a")], name="inner")
    return keras.Sequential([keras.Input([4]), inner, keras.layers.Dense(2, name="b")])


def test_layer_flatten_layers():
    model = dense_net()
    assert {layer.name for layer in _keras.sublayers(model)} >= {"inner", "b"}
    assert "a" not in {layer.name for layer in _keras.sublayers(model)}


def test_layer_inbound_nodes():
    dense = keras.layers.Dense(2)
    x = keras.Input([3])
    y = dense(x)
    assert _keras.symbolic_tensors(dense, -1, of_inputs=True)[0] is x
    assert _keras.symbolic_tensors(dense, -1, of_inputs=False)[0] is y


def test_layer_call_has_training_arg():
    assert _keras.takes_training(keras.layers.Dropout(0.5))
    assert not _keras.takes_training(keras.layers.ReLU())


def test_functional_manual_input_spec():
    image = keras.Input([8, 8, 3])
    model = keras.Model(image, keras.layers.Conv2D(2, 3)(image))
    with pytest.raises(ValueError, match="incompatible"):
        model(tf.ones([1, 5, 5, 3]))
    with _keras.any_size([model]):
        assert model(tf.ones([1, 5, 5, 3])).shape == (1, 3, 3, 2)
    with pytest.raises(ValueError, match="incompatible"):
        model(tf.ones([1, 5, 5, 3]))


def test_functional_convert_inputs_to_tensors():
    image = keras.Input([3], dtype="uint8")
    model = keras.Model(image, keras.layers.Rescaling(2.0)(image))
    with _keras.floats_kept([model]):
        assert float(model(tf.fill([1, 3], 1.5))[0, 0]) == 3
    assert float(model(tf.fill([1, 3], 1.5))[0, 0]) == 2


@pytest.mark.parametrize("name", ["call", "activation"])
def test_attributes_of_an_instance(name):
    """Keras calls what stands in the instance, and goes back to the class's or its own."""
    dense = keras.layers.Dense(2, activation="relu", kernel_initializer="ones")
    x = tf.ones([1, 3])
    before, attributes = dense(x), dict(vars(dense))
    with _keras.replaced(dense, name, lambda original: lambda *args: original(*args) + 1):
        np.testing.assert_array_equal(dense(x), before + 1)
        assert _keras.attributes(dense) == attributes
    np.testing.assert_array_equal(dense(x), before)
    assert vars(dense) == attributes


def test_what_somebody_else_assigned_meanwhile_stays():
    dense = keras.layers.Dense(2, activation="relu")
    with _keras.replaced(dense, "activation", lambda original: original):
        dense.activation = keras.activations.tanh
    assert dense.activation is keras.activations.tanh


def test_class_call_on_a_stand_in():
    dense = keras.layers.Dense(2, kernel_initializer="ones")
    dense.build([None, 3])

    class StandIn:
        def __getattr__(self, name):
            return 2 * dense.kernel if name == "kernel" else getattr(dense, name)

    np.testing.assert_allclose(_keras.call_as(dense, StandIn(), tf.ones([1, 3])), [[6, 6]])


def test_preprocess_input_beside_its_net():
    found = _keras.preprocessing_of(keras.applications.MobileNetV2)
    assert found is keras.applications.mobilenet_v2.preprocess_input


def test_gradient_registry():
    def twice(op, upstream):
        return 2 * upstream

    def slope():
        x = tf.constant([1.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.raw_ops.Softsign(features=x)
        return float(tape.gradient(y, x)[0])

    with _tensorflow.registered_gradients({"Softsign": twice}):
        with _tensorflow.registered_gradients({"Softsign": twice}):
            assert slope() == 2
        assert slope() == 2
    assert slope() == 0.25


def test_function_of_an_operation():
    inner = tf.function(lambda x: 2 * x)
    graph = tf.function(lambda x: inner(x)).get_concrete_function(tf.TensorSpec([3])).graph
    (call,) = (op for op in graph.get_operations() if "PartitionedCall" in op.type)
    found = _tensorflow.function_graph(call)
    assert [tensor.shape for tensor in found.inputs] == [tensor.shape for tensor in found.outputs] == [[3]]


def test_registered_kernels():
    assert "CPU" in _tensorflow.devices_with_kernel("MatMul")


def test_vectorizing():
    seen = []

    def body(x):
        seen.append(_tensorflow.is_vectorizing())
        with tf.name_scope("inner"):
            seen.append(_tensorflow.is_vectorizing())
        return 2 * x

    @tf.function(autograph=False)
    def run(x):
        seen.append(_tensorflow.is_vectorizing())
        with tf.name_scope("loop_body"):  # A user's own name.
            seen.append(_tensorflow.is_vectorizing())
        return tf.vectorized_map(body, x)

    run(tf.ones([3, 2]))
    assert seen == [False, False, True, True]
    assert not _tensorflow.is_vectorizing()


def test_saved_model_protobuf(tmp_path):
    module = tf.Module()
    module.function = tf.function(lambda x: tf.linalg.matmul(x, x), input_signature=[tf.TensorSpec([2, 2])])
    tf.saved_model.save(module, str(tmp_path))
    assert "MatMul" in _tensorflow.operations_of_saved_model(tmp_path)


def is_private(node):
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith(("keras.src", "tensorflow.python", "tensorflow.core"))
    return (
        isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in ("_asdict", "_replace")  # Of named tuples.
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "other"))
    )


def test_no_other_module_uses_private_api():
    """By what is imported, and by attributes of others whose names begin with an underscore."""
    own = {name for module in PACKAGE.rglob("*.py") for name in _defined(module)}
    found = {
        f"{module.relative_to(PACKAGE)}:{node.lineno}"
        for module in PACKAGE.rglob("*.py")
        if module.name not in ("_keras.py", "_tensorflow.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if is_private(node) and getattr(node, "attr", None) not in own
    }
    assert not found


def _defined(module):
    """The names that a module of this package defines itself, its private modules among them."""
    yield from ("_keras", "_tensorflow", "_native", "_cuda")
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def test_each_function_has_a_test_here():
    code = Path(__file__).read_text()
    for module in (_keras, _tensorflow):
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_":
                assert f".{name}(" in code, name
