"""Traced functions: kept, made anew where they must be, and let go."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.running import traces
from slow import slow_but


def count_traces(monkeypatch):
    traces = []
    original = ke.methods.gradient.full_gradients

    def counting(*args, **kwargs):
        traces.append(args[1].shape)
        return original(*args, **kwargs)

    monkeypatch.setattr(ke.methods.gradient, "full_gradients", counting)
    return traces


def test_no_retrace(monkeypatch, small_net, images):
    traces = count_traces(monkeypatch)
    layers, biases = ke.inspection.layers_with_biases(small_net)
    exposed = ke.inspection.expose(small_net, layers, "head")
    for _ in range(3):
        ke.full_gradients(small_net, images, 1, batch_size=2, verbose=0)  # 2, 2 and 1 images
        ke.full_gradients(exposed, images, 1, batch_size=2, biases=biases, verbose=0)
    assert len(traces) == 2
    ke.full_gradients(small_net, images[:, :10], 1, verbose=0)
    assert len(traces) == 3


def test_terms_have_the_names_that_layers_have_now(images):
    image = keras.Input([16, 12, 3])
    x = keras.layers.Conv2D(2, 3, name="before", bias_initializer="ones")(image)
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    for name in ("before", "after"):
        model.layers[1].name = name
        assert list(ke.full_gradients(model, images, 0, return_terms=True, verbose=0).terms) == [
            "input",
            name,
        ]


def test_weights_are_read_when_called(small_net, images):
    before = ke.full_gradients(small_net, images, 1, postprocessing=None, verbose=0)[1]
    small_net.get_layer("c1").bias.assign_add(np.ones(5))
    after = ke.full_gradients(small_net, images, 1, postprocessing=None, verbose=0)[1]
    exposed = ke.inspection.expose(small_net)
    fresh = ke.full_gradients(exposed, images, 1, postprocessing=None, verbose=0)[1]
    assert not np.allclose(before, after)
    np.testing.assert_array_equal(after, fresh)


def test_a_deleted_model_is_freed(images):
    image = keras.Input([16, 12, 3])
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(image)))
    layer = weakref.ref(model.layers[1])
    ke.full_gradients(model, images, verbose=0)
    exposed = ke.inspection.expose(model)
    ke.full_gradients(exposed, images, verbose=0)
    references = [weakref.ref(model), weakref.ref(exposed), layer]
    del model, exposed, image
    keras.backend.clear_session()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"jit_compile": True}])
def test_a_compiled_model(small_net, images, options):
    expected = ke.full_gradients(small_net, images, 1, verbose=0)[1]
    small_net.compile("sgd", "mse", **options)
    np.testing.assert_array_equal(ke.full_gradients(small_net, images, 1, verbose=0)[1], expected)


def test_another_lambda_at_each_call_does_not_fill_the_memory(monkeypatch, small_net, images):
    monkeypatch.setattr(traces, "_MOST_KEPT", 3)

    def explain(factor):
        ke.gradients(small_net, images[:1], gradient_filter=lambda t: factor * t, verbose=0)

    for factor in range(3):
        explain(factor)
        explain(factor)  # The same function anew.
    assert len(traces._KEPT[small_net].traces) == 3
    with pytest.warns(UserWarning, match="traced for more than 3 sizes of images"):
        explain(3)
    explain(4)  # Told once.
    assert len(traces._KEPT[small_net].traces) == 3


@pytest.mark.slow
def test_images_of_forty_sizes_are_traced_once_each():
    model = keras.Sequential([keras.Input([None, None, 3]), keras.layers.Conv2D(2, 3)])
    model.add(keras.layers.GlobalAveragePooling2D())
    for size in range(8, 48):
        ke.gradients(model, np.ones([1, size, 9, 3]), verbose=0)
    kept = list(traces._KEPT[model].traces.values())
    for size in range(8, 48):
        ke.gradients(model, np.ones([1, size, 9, 3]), verbose=0)
    assert len(kept) == 40
    assert all(trace in kept for trace in traces._KEPT[model].traces.values())


@pytest.mark.parametrize("change", slow_but("activation", ["activation", "lora", "attribute"]))
def test_a_model_whose_configuration_changed_is_traced_anew(small_net, images, change):
    layer, head = small_net.get_layer("c1"), small_net.get_layer("head")
    before = ke.full_gradients(small_net, images, 1, verbose=0).logits
    if change == "activation":
        layer.activation = keras.activations.tanh
    elif change == "lora":
        head.enable_lora(2)
        head.lora_kernel_b.assign(np.ones(head.lora_kernel_b.shape))
    else:
        small_net.get_layer("b1").epsilon = 1.0
    after = ke.full_gradients(small_net, images, 1, verbose=0).logits
    assert np.abs(after - before).max() > 1e-4
    explained = ke.full_gradients(small_net, images, verbose=0).outputs
    np.testing.assert_allclose(tf.nn.softmax(explained), small_net(images), rtol=1e-4)


@pytest.mark.filterwarnings("ignore:__array__")  # Keras's, of h5py.
def test_calls_training_and_saving_keep_a_trace(small_net, images, tmp_path):
    def kept():
        ke.gradients(small_net, images, 1, verbose=0)
        return len(traces._KEPT[small_net].traces)

    assert kept() == 1
    small_net(images)
    small_net.predict(images, verbose=0)
    small_net.save(tmp_path / "net.keras")
    assert kept() == 1


def test_traces_are_forgotten_when_asked(small_net, images):
    ke.gradients(small_net, images, 1, verbose=0)
    ke.clear_cache(small_net)
    assert small_net not in traces._KEPT
    ke.gradients(small_net, images, 1, verbose=0)
    ke.clear_cache()
    assert not traces._KEPT
