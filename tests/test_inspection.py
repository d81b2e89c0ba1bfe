"""Finding layers and biases, and exposing every kind of model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad import inspection

layers = keras.layers


class Subclassed(keras.Model):
    """A model whose graph nobody can read."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.head = layers.Dense(3, activation="softmax")

    def call(self, x):
        return self.head(self.inner(x))


def body():
    return [
        layers.Conv2D(4, 3, activation="relu", name="c"),
        layers.BatchNormalization(name="b"),
        layers.GlobalAveragePooling2D(name="pool"),
    ]


def functional():
    image = x = keras.Input([8, 8, 3])
    for layer in body():
        x = layer(x)
    return keras.Model(image, layers.Dense(3, activation="softmax", name="head")(x))


def nested():
    return keras.Sequential(
        [
            keras.Input([8, 8, 3]),
            keras.Sequential(body(), name="body"),
            layers.Dense(3, name="head"),
        ]
    )


def sequential():
    return keras.Sequential([keras.Input([8, 8, 3]), *body(), layers.Dense(3, name="head")])


def subclassed():
    model = Subclassed(keras.Sequential(body()))
    model(np.zeros([1, 8, 8, 3]))
    return model


MODELS = [functional, nested, sequential, subclassed]


@pytest.mark.parametrize("make", MODELS)
def test_exposes_every_kind_of_model(make):
    model = make()
    x = np.random.default_rng(0).normal(size=[2, 8, 8, 3]).astype(np.float32)
    before, weights = model(x).numpy(), model.get_weights()
    calls = {layer: layer.call for layer in inspection.flatten_layers(model)}

    exposed = inspection.expose(model)
    logits, *signals = exposed(x)
    assert [signal.shape[1:].as_list() for signal in signals] == [[6, 6, 4], [6, 6, 4], [3]]
    if make in (functional, subclassed):
        np.testing.assert_allclose(tf.nn.softmax(logits), before, rtol=1e-5)
    else:
        np.testing.assert_array_equal(logits, before)

    assert {layer: layer.call for layer in calls} == calls
    np.testing.assert_array_equal(model(x), before)
    for after, was in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(after, was)


@pytest.mark.parametrize("make", MODELS)
def test_every_kind_of_model_gives_the_same_maps(make):
    model, twin = make(), functional()
    twin.set_weights(model.get_weights())
    x = np.random.default_rng(1).normal(size=[2, 8, 8, 3])
    np.testing.assert_allclose(
        ke.full_gradients(model, x, [1, 2], verbose=0)[1],
        ke.full_gradients(twin, x, [1, 2], verbose=0)[1],
        atol=1e-6,
    )


def test_a_bias_is_taken_before_the_activation():
    """A fused activation gives the map of its twin with the activation as a layer."""
    fused = functional()
    image = keras.Input([8, 8, 3])
    x = layers.ReLU()(layers.Conv2D(4, 3)(image))
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    twin = keras.Model(image, layers.Dense(3)(x))
    twin.set_weights(fused.get_weights())
    x = np.random.default_rng(2).normal(size=[2, 8, 8, 3])
    for link, equal in (("bias", True), ("output", False)):
        options = {"postprocessing": None, "verbose": 0}
        fused.layers[1].bias.assign([0.5, -1.0, 2.0, 0.1])
        twin.layers[1].bias.assign([0.5, -1.0, 2.0, 0.1])
        maps = ke.full_gradients(inspection.expose(fused, link=link), x, 0, **options)[1]
        expected = ke.full_gradients(inspection.expose(twin, link=link), x, 0, **options)[1]
        assert np.allclose(maps, expected, atol=1e-6) == equal


def test_a_shared_layer_counts_each_time():
    image = keras.Input([8, 8, 3])
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    model = keras.Model(image, layers.GlobalAveragePooling2D()(shared(shared(image))))
    exposed = inspection.expose(model, ["shared"])
    assert len(exposed(np.zeros([1, 8, 8, 3]))) == 3
    assert len(inspection.expose(model, [{"name": "shared", "node": 0}])(np.zeros([1, 8, 8, 3]))) == 2


def test_a_head_without_use_is_left_out():
    image = keras.Input([8, 8, 3])
    x = layers.Conv2D(4, 3, name="c")(image)
    unused = layers.Conv2D(2, 3, name="unused")(x)
    head = layers.Dense(3, name="head")(layers.GlobalAveragePooling2D()(x))
    both = keras.Model(image, [unused, head])
    alone = keras.Model(image, head)
    x = np.random.default_rng(3).normal(size=[2, 8, 8, 3])
    exposed = inspection.expose(both, ["c", "unused"], "head")
    np.testing.assert_array_equal(
        ke.full_gradients(exposed, x, 1, verbose=0)[1], ke.full_gradients(alone, x, 1, verbose=0)[1]
    )


def test_an_activation_given_by_its_name_does_not_break_the_model():
    model = functional()
    model.layers[-1].activation = "linear"
    logits, _ = ke.full_gradients(model, np.zeros([1, 8, 8, 3]), 0, verbose=0)
    assert model.layers[-1].activation == "linear"
    np.testing.assert_allclose(logits, [[model.layers[-1].bias.numpy()[0]]], atol=1e-6)


def test_a_model_takes_other_sizes_than_it_was_built_for():
    model = functional()
    assert ke.full_gradients(model, np.zeros([1, 11, 13, 3]), verbose=0)[1].shape == (1, 11, 13, 1)
    with pytest.raises(ValueError, match="expected shape"):
        model(np.zeros([1, 11, 13, 3]))


def test_everything_is_put_back_after_an_exception():
    model = functional()
    calls = [layer.call for layer in model.layers]
    with pytest.raises(ValueError, match="incompatible"):
        inspection.expose(model)(np.zeros([1, 8, 8, 5]))
    assert [layer.call for layer in model.layers] == calls
    assert model.layers[1].activation is keras.activations.relu


@pytest.mark.parametrize("end", ["softmax", "sigmoid"])
def test_logits_come_before_a_softmax_or_sigmoid(end):
    image = keras.Input([8, 8, 3])
    x = layers.Dense(3, name="head")(layers.Flatten()(image))
    plain = keras.Model(image, x)
    for ended in (
        keras.Model(image, layers.Activation(end)(x)),
        keras.Sequential([keras.Input([8, 8, 3]), plain, layers.Activation(end)]),
    ):
        array = np.random.default_rng(4).normal(size=[2, 8, 8, 3]).astype(np.float32)
        np.testing.assert_array_equal(inspection.expose(ended, [])(array)[0], plain(array))
    softmax = keras.Model(image, layers.Softmax()(x))
    np.testing.assert_array_equal(inspection.expose(softmax, [])(array)[0], plain(array))


def test_finds_layers():
    model = nested()
    assert inspection.get_logits_layer(model).name == "head"
    assert inspection.get_logits_layer(model, "head").name == "head"
    assert inspection.get_global_pooling_layer(model).name == "pool"
    assert inspection.get_nested_layer(model, ["body", "c"]).name == "c"
    assert inspection.find_layer_with(model, klass=layers.Conv2D).name == "c"
    assert inspection.find_layer_with(model, properties=["kernel"], search_reversed=False).name == "c"
    assert [layer.name for layer in inspection.layers_with_biases(model, return_biases=False)] == [
        "c",
        "b",
        "head",
    ]


def test_the_last_kernel_of_a_nested_model_is_its_last():
    inner = keras.Sequential([keras.Input([8]), layers.Dense(4, name="a"), layers.Dense(2, name="z")])
    assert inspection.get_logits_layer(keras.Sequential([keras.Input([8]), inner])).name == "z"


@pytest.mark.parametrize(("scale", "center"), [(True, True), (False, True), (True, False)])
def test_batch_norm_bias_is_what_it_adds(scale, center):
    norm = layers.BatchNormalization(scale=scale, center=center, epsilon=0.3)
    norm.build([None, 4])
    rng = np.random.default_rng(5)
    norm.set_weights([rng.uniform(0.5, 2, w.shape) for w in norm.get_weights()])
    np.testing.assert_allclose(inspection.biases([norm])[0], norm(np.zeros([1, 4]))[0], rtol=1e-5)


def test_layer_and_group_norm_add_their_beta():
    for norm in (layers.LayerNormalization(), layers.GroupNormalization(2)):
        norm.build([None, 3, 3, 4])
        norm.beta.assign([1, 2, 3, 4])
        np.testing.assert_array_equal(inspection.biases([norm])[0], [1, 2, 3, 4])
    for norm in (
        layers.LayerNormalization(center=False),
        layers.LayerNormalization(center=False, scale=False),
    ):
        norm.build([None, 3, 3, 4])
        assert not np.any(inspection.biases([norm])[0])


def test_endpoints_are_symbolic_tensors():
    model = functional()
    output, by_name, by_index = inspection.endpoints(model, [model.layers[1], "c", 1])
    assert output is by_name is by_index is model.layers[1].output
    (taken_in,) = inspection.endpoints(model, [{"name": "head", "link": "input"}])
    assert taken_in is model.get_layer("pool").output


def test_gather_units():
    logits = tf.constant([[1, 2, 3], [4, 5, 6]])
    assert inspection.gather_units(logits, None) is logits
    np.testing.assert_array_equal(
        inspection.gather_units(logits, tf.constant([[2, 0], [1, 1]])), [[3, 1], [5, 5]]
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: inspection.find_layer_with(m), "expected a name, properties or a klass"),
        (lambda m: inspection.find_layer_with(m, klass=layers.LSTM), "found none among its"),
        (lambda m: inspection.get_nested_layer(m, "nothing"), "No such layer"),
        (lambda m: inspection.endpoints(m, [1.5]), "expected an endpoint to be a layer"),
        (lambda m: inspection.expose(m, [{"node": 0}]), "expected an endpoint to be a layer"),
        (lambda m: inspection.expose(m, [{"name": "c", "link": "middle"}]), "got 'middle'"),
        (lambda m: inspection.expose(m, outputs=["head", "c"]), "one endpoint as outputs, got 2"),
        (lambda m: inspection.expose(inspection.expose(m)), "not exposed yet"),
        (
            lambda m: inspection.biases([m.get_layer("pool")]),
            "expected layer 'pool' to have a bias",
        ),
        (lambda m: inspection.biases([layers.Dense(2)]), "to be built"),
        (lambda m: inspection.expose(keras.Sequential([layers.Dense(2)])), "to be built"),
        (
            lambda m: inspection.expose(m, [], layers.Dense(2, name="z"))(np.zeros([1, 8, 8, 3])),
            "to call layer 'z' often enough for node -1, it did 0 times",
        ),
        (
            lambda m: inspection.expose(keras.Model(m.inputs, [m.output, m.layers[1].output]))(
                np.zeros([1, 8, 8, 3])
            ),
            "one output, got 2",
        ),
    ],
)
def test_errors_say_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call(functional())
