"""Every kind of model and layer: terms that add up, maps that agree, and models that stay as they were."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_fullgrad as ke
import zoo
from conftest import relative_error

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:implicit biases make up")]

# The error of a type's own arithmetic, far below what a missing term would leave.
COMPLETE = {"float32": 1e-5, "float64": 1e-12, "float16": 5e-3, "bfloat16": 3e-2}


@pytest.fixture(params=list(zoo.NETS))
def name(request):
    return request.param


def raw_maps(model, x, y=0, **options):
    return ke.full_gradients(model, x, y, verbose=0, postprocessing=None, **options)[1]


def rows(x, start, stop):
    return keras.tree.map_structure(lambda array: array[start:stop], x)


def test_terms_add_up_to_the_logits(name):
    model, x = zoo.make(name)
    parts = ke.decompose(model, x, batch_size=2)
    assert parts.logits.shape == (3, 1)
    assert parts.relative_error < COMPLETE[zoo.DTYPES[name]]
    np.testing.assert_allclose(parts.logits, ke.decompose(model, x).logits, rtol=1e-5)


def test_native_and_tensorflow_maps_agree_on_every_image_alone(name):
    model, x = zoo.make(name)
    maps = raw_maps(model, x)
    assert np.isfinite(maps).all()
    assert maps.any()
    # In 16 bits a native activation is rounded once, TensorFlow's often: see model/rewriting/test_folding.py.
    options = {"fold_batch_norms": False} if name.startswith("mixed") else {}
    native, plain = (raw_maps(model, x, backend=backend, **options) for backend in ("native", "tensorflow"))
    assert relative_error(native, plain) < 1e-5
    alone = np.concatenate([raw_maps(model, rows(x, i, i + 1)) for i in range(3)])
    assert relative_error(maps, alone) < 1e-5
    assert relative_error(maps, raw_maps(model, x, batch_size=2)) < 1e-5


def test_terms_of_maps_add_up(name):
    model, x = zoo.make(name)
    options = {"preset": "paper", "return_terms": True, "implicit_biases": True, "verbose": 0}
    if name == "recurrent":
        with pytest.raises(NotImplementedError, match="unroll=True"):
            ke.full_gradients(model, x, 0, **options)
        return
    _, maps = explained = ke.full_gradients(model, x, 0, **options)
    terms = explained.terms
    assert next(iter(terms)) == "input"
    np.testing.assert_allclose(sum(terms.values()), maps, rtol=1e-5, atol=1e-5 * maps.max())


def test_signed_maps_hold_what_each_layer_adds_to_the_logit():
    image = keras.Input(zoo.IMAGE)
    x = layers.Conv2D(4, 3, padding="same", activation="gelu")(image)
    x = layers.BatchNormalization()(x) * layers.Conv2D(4, 1, activation="sigmoid")(x)
    model = zoo.with_head(image, layers.LayerNormalization()(x))
    zoo.draw_weights(model, np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=[2, *zoo.IMAGE])
    _, maps = explained = ke.full_gradients(
        model,
        x,
        0,
        preset="paper",
        psi=ke.filters.identity,
        implicit_biases=True,
        return_terms=True,
        verbose=0,
    )
    terms = explained.terms
    parts = ke.decompose(model, x, 0).parts
    for part in parts:
        if part.name in terms:
            # A bias that only rounding left is not drawn.
            np.testing.assert_allclose(terms[part.name].sum(axis=(1, 2)), part.total, rtol=1e-4, atol=1e-6)
    (head,) = (part for part in parts if part.name == "head")
    logits = maps.sum(axis=(1, 2)) + head.total
    np.testing.assert_allclose(logits, ke.decompose(model, x, 0).logits, rtol=1e-4)


def config_of(layer):
    """A layer's configuration; None for a model of the user's own that has none."""
    try:
        return layer.get_config()
    except NotImplementedError:
        return None


def test_model_stays_as_it_was(name):
    model, x = zoo.make(name)
    before = model(x if isinstance(x, list) else tf.constant(x)).numpy()
    every = [model, *ke.inspection.flatten_layers(model)]
    weights, configs = model.get_weights(), [config_of(layer) for layer in every]
    attributes = [dict(vars(layer)) for layer in every]
    trainable = [weight.trainable for weight in model.weights]

    def fail(term, axis):
        raise RuntimeError("no such filter")

    raw_maps(model, x)
    ke.decompose(model, x)
    with pytest.raises(RuntimeError, match="no such filter"):
        raw_maps(model, x, psi=fail)

    for layer, then in zip(every, attributes, strict=True):
        assert vars(layer).keys() == then.keys(), layer.name
        assert vars(layer).get("call") is then.get("call")
        assert vars(layer).get("activation") is then.get("activation")
    assert [config_of(layer) for layer in every] == configs
    assert [weight.trainable for weight in model.weights] == trainable
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_array_equal(model(x if isinstance(x, list) else tf.constant(x)), before)


def split_activations():
    fused, split = [], []
    for make in (
        lambda **o: layers.Conv2D(4, 3, **o),
        lambda **o: layers.SeparableConv2D(5, 3, **o),
        lambda **o: layers.Conv2DTranspose(4, 3, **o),
        lambda **o: layers.DepthwiseConv2D(3, **o),
        lambda **o: layers.Dense(6, **o),
    ):
        fused.append(make(activation="tanh"))
        split += [make(), layers.Activation("tanh")]
    return zoo.chain(*fused, activation="softmax"), zoo.chain(*split)


def flat_and_nested():
    flat = zoo.chain(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(3, 3))
    inner = keras.Sequential([layers.BatchNormalization(), layers.ReLU()])
    return flat, zoo.chain(layers.Conv2D(4, 3), keras.Sequential([inner, layers.Conv2D(3, 3)]))


def read_and_unreadable():
    class Hidden(keras.Model):
        def __init__(self, parts):
            super().__init__()
            self.parts = parts

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    parts = [
        [
            layers.Conv2D(4, 3, activation="elu"),
            layers.GroupNormalization(2),
            layers.Flatten(),
            layers.Dense(4),
        ]
        for _ in range(2)
    ]
    hidden = Hidden(parts[1])
    hidden(np.zeros([1, *zoo.IMAGE], "float32"))
    return keras.Sequential([keras.Input(zoo.IMAGE), *parts[0]]), hidden


def shared_and_repeated():
    conv = layers.Conv2D(3, 3, padding="same", activation="relu")
    shared = zoo.chain(conv, conv)
    repeated = zoo.chain(*(layers.Conv2D(3, 3, padding="same", activation="relu") for _ in range(2)))
    kernel, bias, *head = shared.get_weights()
    repeated.set_weights([kernel, bias, kernel, bias, *head])
    return shared, repeated


def distributed_and_flat():
    shape = (4, 8, 6, 3)
    inner = layers.Conv2D(4, 3, activation="gelu")
    distributed = zoo.chain(layers.TimeDistributed(inner), shape=shape)
    flat = zoo.chain(layers.Conv3D(4, (1, 3, 3), activation="gelu"), shape=shape)
    kernel, *rest = distributed.get_weights()
    flat.set_weights([kernel[np.newaxis], *rest])
    return distributed, flat


def frozen_and_free():
    free, frozen = zoo.NETS["batch_norms"](), zoo.NETS["batch_norms"]()
    frozen.trainable = False
    return free, frozen


TWINS = [
    split_activations,
    flat_and_nested,
    read_and_unreadable,
    shared_and_repeated,
    distributed_and_flat,
    frozen_and_free,
]


@pytest.mark.parametrize("make", TWINS)
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_twins_give_the_same_map(make, preset):
    keras.utils.set_random_seed(0)
    model, twin = make()
    if make not in (shared_and_repeated, distributed_and_flat):
        zoo.draw_weights(model, np.random.default_rng(0))
        twin.set_weights(model.get_weights())
    x = np.random.default_rng(1).normal(size=(2, *model.input_shape[1:])).astype("float32")
    maps = raw_maps(model, x, [[0, 2]] * 2, preset=preset)
    assert maps.any()
    assert relative_error(raw_maps(twin, x, [[0, 2]] * 2, preset=preset), maps) < 1e-5


def test_channels_first_gives_the_map_of_channels_last():
    def make(data_format, shape):
        options = {"data_format": data_format}
        axis = 1 if data_format == "channels_first" else -1
        return zoo.chain(
            layers.Conv2D(4, 3, activation="relu", **options),
            layers.BatchNormalization(axis=axis),
            layers.Conv2D(5, 3, **options),
            shape=shape,
            pool=layers.GlobalAveragePooling2D(**options),
        )

    last, first = make("channels_last", (12, 10, 3)), make("channels_first", (3, 12, 10))
    zoo.draw_weights(last, np.random.default_rng(0))
    first.set_weights(last.get_weights())
    x = np.random.default_rng(1).normal(size=[2, 12, 10, 3]).astype("float32")
    for options in ({"preset": "default"}, {"preset": "paper", "implicit_biases": True}):
        maps = raw_maps(last, x, **options)
        assert relative_error(raw_maps(first, x.transpose(0, 3, 1, 2), **options), maps) < 1e-5


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_loaded_model_gives_the_same_map(tmp_path, suffix):
    model, x = zoo.make("convolutions")
    model.save(tmp_path / f"net{suffix}")
    loaded = keras.models.load_model(tmp_path / f"net{suffix}")
    np.testing.assert_array_equal(raw_maps(loaded, x), raw_maps(model, x))


@pytest.mark.parametrize("name", ["functional", "subclassed", "attention"])
def test_several_classes_are_as_many_single_ones(name):
    model, x = zoo.make(name)
    together = raw_maps(model, x, [[3, 0, 1]] * 3)
    for column, y in enumerate([3, 0, 1]):
        assert relative_error(together[..., column], raw_maps(model, x, y)[..., 0]) < 1e-6


def test_output_is_chosen_by_its_layer():
    image = keras.Input(zoo.IMAGE)
    x = layers.Conv2D(4, 3, activation="relu")(image)
    pooled = layers.GlobalAveragePooling2D()(x)
    heads = [
        layers.Dense(4, name="species", activation="softmax")(pooled),
        layers.Dense(2, name="age")(pooled),
    ]
    both = keras.Model(image, heads)
    x = np.random.default_rng(0).normal(size=[2, *zoo.IMAGE])
    for head in ("species", "age"):
        alone = keras.Model(image, both.get_layer(head).output)
        exposed = ke.inspection.expose(both, outputs=head)
        np.testing.assert_array_equal(raw_maps(exposed, x), raw_maps(alone, x))
    with pytest.raises(ValueError, match=r"one output, got 2.*outputs="):
        raw_maps(both, x)


def test_inputs_are_chosen_by_index_or_name():
    image, other = keras.Input((12, 10, 3), name="left"), keras.Input((8, 8, 3), name="right")
    conv = layers.Conv2D(4, 3, activation="relu")
    pool = layers.GlobalAveragePooling2D()
    pair = layers.Subtract()([pool(conv(image)), pool(conv(other))])
    model = keras.Model({"left": image, "right": other}, layers.Dense(2)(pair))
    random = np.random.default_rng(0)
    x = {"left": random.normal(size=[2, 12, 10, 3]), "right": random.normal(size=[2, 8, 8, 3])}
    assert raw_maps(model, x, source="left").shape == (2, 12, 10, 1)
    assert raw_maps(model, x, source="right").shape == (2, 8, 8, 1)
    assert ke.gradients(model, x, 0, source="right", verbose=0)[1].shape == (2, 8, 8, 1)
    assert ke.decompose(model, x).relative_error < 1e-5
    with pytest.raises(ValueError, match=r"source to name the input.*12, 10, 3"):
        raw_maps(model, x)
    with pytest.raises(ValueError, match=r"source to be one of \['left', 'right'\], got 'top'"):
        raw_maps(model, x, source="top")
    with pytest.raises(ValueError, match=r"as many images in each input"):
        raw_maps(model, {**x, "left": x["left"][:1]}, source="left")
