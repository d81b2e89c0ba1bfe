"""Class activation maps and Grad-CAM, against their formulas, on nets of all kinds."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
import places_zoo
from conftest import relative_error
from keras_fullgrad.methods import cams, meta

AMBIGUOUS = {"perceiver"}
"""Nets whose signals over the image do not come together in one."""

Y = [[1, 3], [0, 2], [2, 2], [3, 0], [1, 0]]


def signal_of(net, images):
    """What the net pools, its head, and its answers before the softmax."""
    pool, head = net.get_layer("pool"), net.get_layer("head")
    signal = keras.Model(net.input, pool.input)(images)
    kernel, bias = head.get_weights()
    return signal.numpy(), kernel, bias


def ways(net):
    """Each way to say which signal is meant, with the arguments that go with it."""
    pool, head = net.get_layer("pool"), net.get_layer("head")
    logits = keras.layers.Dense(4, name="logits")
    own = keras.Model(net.input, [logits(pool.output), pool.input])
    logits.set_weights(head.get_weights())
    return {
        "nothing": (net, {}),
        "a name": (net, {"layer": "b3"}),
        "an exposed layer": (ke.inspection.expose(net, "b3", link="output"), {}),
        "the pooling's input": (ke.inspection.expose(net, {"name": "pool", "link": "input"}, "head"), {}),
        "outputs of the user's own": (own, {}),
        "a layer of an exposed model": (ke.inspection.expose(net), {"layer": ["b3"]}),
    }


@pytest.mark.parametrize("way", range(6))
def test_cam_is_the_signal_weighed_by_the_kernel(small_net, images, way):
    model, options = list(ways(small_net).values())[way]
    signal, kernel, bias = signal_of(small_net, images)
    logits, maps = ke.cam(model, images, Y, verbose=0, postprocessing=None, resizing=False, **options)
    expected = np.einsum("b...k,kc->b...c", signal, kernel)
    expected = np.stack([expected[i][..., classes] for i, classes in enumerate(Y)])
    assert relative_error(maps, expected) < 1e-5
    assert relative_error(maps.mean(axis=(1, 2)) + bias[np.array(Y)], logits) < 1e-5


@pytest.mark.parametrize("way", range(6))
def test_grad_cam_is_the_signal_weighed_by_its_mean_gradient(small_net, images, way):
    model, options = list(ways(small_net).values())[way]
    signal, kernel, _ = signal_of(small_net, images)
    found = ke.gradcam(model, images, Y, verbose=0, postprocessing=None, resizing=False, **options)
    expected = np.einsum("b...k,kc->b...c", signal, kernel) / np.prod(signal.shape[1:3])
    expected = np.stack([expected[i][..., classes] for i, classes in enumerate(Y)])
    assert relative_error(found.maps, expected) < 1e-5
    np.testing.assert_array_equal(found.classes, Y)


@pytest.mark.parametrize("layer", ["c1", "b1", "c2"])
def test_grad_cam_of_an_earlier_layer(small_net, images, layer):
    here = keras.Model(small_net.input, small_net.get_layer(layer).output)
    head = small_net.get_layer("head")
    head.activation = keras.activations.linear
    rest, x = keras.Input(here.output.shape[1:]), None
    names = [each.name for each in small_net.layers]
    x = rest
    for each in small_net.layers[names.index(layer) + 1 :]:
        x = each(x)
    rest = keras.Model(rest, x)
    signal = here(images)
    with tf.GradientTape() as tape:
        tape.watch(signal)
        answer = rest(signal)[:, 2]
    weights = tf.reduce_mean(tape.gradient(answer, signal), [1, 2])
    expected = np.einsum("bhwk,bk->bhw", signal, weights)[..., np.newaxis]
    found = ke.gradcam(small_net, images, 2, layer=layer, verbose=0, postprocessing=None, resizing=False)
    assert relative_error(found.maps, expected) < 1e-5


def test_maps_are_positive_and_of_the_size_of_the_images(small_net, images):
    small_net.get_layer("head").set_weights([np.random.default_rng(0).normal(size=[7, 4]), np.zeros(4)])
    y = [[0, 1, 2, 3]] * len(images)
    raw = ke.gradcam(small_net, images, y, verbose=0, postprocessing=None, resizing=False).maps
    assert raw.min() < 0 < raw.max()
    for method in (ke.gradcam, ke.cam):
        found = method(small_net, images, y, verbose=0)
        assert found.maps.shape == (len(images), 16, 12, 4)
        resized = tf.image.resize(ke.filters.positive_normalize(raw), [16, 12])
        np.testing.assert_allclose(found.maps, resized, atol=1e-5)


@pytest.mark.parametrize("method", cams.METHODS)
def test_a_difference_of_classes(small_net, images, method):
    def maps(**options):
        return ke.explain(method, small_net, images, verbose=0, **options).maps

    each = maps(y=[[1, 2]] * len(images))
    found = maps(target=ke.targets.Contrast(1, 2))
    np.testing.assert_allclose(found[..., 0], each[..., 0] - each[..., 1], atol=1e-5)


@pytest.mark.parametrize("method", cams.METHODS)
def test_methods_take_tensors(small_net, images, method):
    logits, maps = method(small_net, tf.constant(images, tf.float32), tf.constant(Y))
    found = ke.explain(method, small_net, images, Y, verbose=0, resizing=False)
    np.testing.assert_allclose(maps, found.maps, atol=1e-6)
    np.testing.assert_allclose(logits, found.logits, atol=1e-6)


@pytest.mark.parametrize("average", [meta.tta, meta.smooth])
@pytest.mark.parametrize("method", cams.METHODS)
def test_averages(images, method, average):
    image = keras.Input([None, None, 3])
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    net = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    found = ke.explain(average(method), net, images, verbose=0)
    assert found.maps.shape == (len(images), 16, 12, 1)
    assert np.isfinite(found.maps).all()


@pytest.mark.parametrize("name", sorted(set(places_zoo.NETS) - AMBIGUOUS))
def test_nets_of_all_kinds(name):
    model, x = places_zoo.make(name)
    found = ke.gradcam(model, x, verbose=0, postprocessing=None)
    space = x.shape[2:] if x.ndim == 4 and x.shape[1] == 3 else x.shape[1:-1]
    assert found.maps.shape == (2, *space, 1)
    assert np.abs(found.maps).max() > 0
    alone = [ke.gradcam(model, x[i : i + 1], verbose=0, postprocessing=None).maps for i in range(2)]
    np.testing.assert_allclose(np.concatenate(alone), found.maps, atol=1e-5 * np.abs(found.maps).max())


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16", "mixed_bfloat16"])
def test_types(images, dtype):
    net = _net(keras.layers.GlobalAveragePooling2D(), dtype=dtype)
    same = _net(keras.layers.GlobalAveragePooling2D())
    same.set_weights(net.get_weights())
    found, expected = (ke.gradcam(each, images, 1, verbose=0).maps for each in (net, same))
    np.testing.assert_allclose(found, expected, atol={"float64": 1e-5, "mixed_float16": 1e-2}.get(dtype, 0.1))


@pytest.mark.parametrize(
    "pool", [keras.layers.GlobalMaxPooling2D, lambda: keras.layers.MaxPooling2D([16, 12])]
)
def test_cam_of_maxima(images, pool):
    net = _net(pool(), keras.layers.Flatten())
    kernel = net.layers[-1].get_weights()[0]
    signal = keras.Model(net.input, net.get_layer("last").output)(images)
    found = ke.cam(net, images, 1, verbose=0, postprocessing=None, resizing=False)
    assert relative_error(found.maps[..., 0], np.array(signal) @ kernel[:, 1]) < 1e-5


def _net(*head, dtype="float32"):
    keras.utils.set_random_seed(0)
    image = keras.Input([16, 12, 3])
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", dtype=dtype, name="last")(image)
    for layer in head:
        x = layer(x)
    return keras.Model(image, keras.layers.Dense(3)(x))


def test_an_answer_that_takes_a_class_token_alone():
    image = keras.Input([16, 16, 3])
    x = keras.layers.Reshape([16, 8])(places_zoo.patches(image))
    x = places_zoo.block(places_zoo.Class()(x), "first")
    x = places_zoo.block(x, "second")
    net = keras.Model(image, keras.layers.Dense(3)(x[:, 0]))
    with pytest.raises(ValueError, match=r"takes what has none, as a class token: name a layer by layer="):
        ke.gradcam(net, np.ones([1, 16, 16, 3]), verbose=0)
    assert ke.gradcam(net, np.ones([1, 16, 16, 3]), layer="first_narrow", verbose=0).maps.shape[1:3] == (
        16,
        16,
    )


def test_an_answer_with_positions():
    image = keras.Input([16, 16, 3])
    hidden = keras.layers.Conv2D(4, 3, padding="same", name="hidden")(image)
    net = keras.Model(image, keras.layers.Conv2D(2, 1)(hidden))
    target = ke.targets.Region(1, np.ones([1, 16, 16]))
    x = np.random.default_rng(0).uniform(size=[1, 16, 16, 3])
    with pytest.raises(
        ValueError, match="expected an answer without positions, got one over the image: name"
    ):
        ke.gradcam(net, x, target=target, verbose=0)
    assert ke.gradcam(net, x, target=target, layer="hidden", verbose=0).maps.shape == (1, 16, 16, 1)


def test_signals_that_do_not_come_together():
    image = keras.Input([16, 16, 3])
    pools = [
        keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, size, name=f"conv_{size}")(image))
        for size in (3, 5)
    ]
    net = keras.Model(image, keras.layers.Dense(2)(keras.layers.Concatenate()(pools)))
    with pytest.raises(ValueError, match=r"got several, one of them .*conv_.*: name a layer by layer="):
        ke.gradcam(net, np.ones([1, 16, 16, 3]), verbose=0)
    assert ke.gradcam(net, np.ones([1, 16, 16, 3]), layer="conv_3", verbose=0).maps.shape == (1, 16, 16, 1)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("nope", "No such layer: nope"),
        ("pool", "expected a signal whose positions lie in the image, got .*: it has no positions"),
        ("head", "expected a signal whose positions lie in the image"),
    ],
)
def test_layers_that_put_out_no_such_signal(small_net, images, layer, message):
    with pytest.raises(ValueError, match=message):
        ke.gradcam(small_net, images, layer=layer, verbose=0)


def test_no_signal_over_the_image():
    net = keras.Sequential(
        [keras.Input([8, 8, 3]), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    )
    with pytest.raises(
        ValueError, match="expected a signal over the image between input and answer, found none"
    ):
        ke.gradcam(net, np.ones([1, 8, 8, 3]), verbose=0)


def _squared(x):
    return x * x


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ([keras.layers.Flatten()], "0 poolings"),
        ([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4, activation="relu")], "Relu"),
        ([keras.layers.GlobalAveragePooling2D(), keras.layers.Lambda(_squared)], "Mul"),
    ],
)
def test_heads_that_cam_does_not_explain(images, head, found):
    with pytest.raises(
        ValueError, match=f"expected one pooling over all positions and a dense layer after .* got {found}"
    ):
        ke.cam(_net(*head), images, verbose=0)
    assert np.isfinite(ke.gradcam(_net(*head), images, verbose=0).maps).all()


def test_a_model_with_an_answer_and_a_segmentation(images):
    image = keras.Input([16, 12, 3])
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="last")(image)
    answer = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))
    net = keras.Model(image, [answer, keras.layers.Conv2D(2, 1, name="segmentation")(x)])
    with pytest.raises(
        ValueError, match=r"expected what is explained to depend on .*segmentation.*, it does not"
    ):
        ke.gradcam(net, images, 1, verbose=0)
    found = ke.gradcam(net, images, target=ke.targets.Output(0, ke.targets.Class(1)), verbose=0)
    alone = ke.gradcam(keras.Model(image, answer), images, 1, verbose=0)
    np.testing.assert_allclose(found.maps, alone.maps, atol=1e-5)


@pytest.mark.slow
def test_views_of_a_residual_net_of_any_size():
    """Whose shortcut and main path pad by different ways, so that an open size would not do."""
    net = keras.applications.ResNet50V2(
        weights=None, input_tensor=keras.Input([None, None, 3]), classifier_activation=None
    )
    x = np.random.default_rng(0).random([1, 128, 128, 3])
    own = keras.Model(net.input, [net.output, net.get_layer("avg_pool").input])
    method = meta.tta(cams.cam, scales=[0.5], hflip=False)
    found, expected = (ke.explain(method, each, x, 1, verbose=0) for each in (net, own))
    assert found.maps.shape == (1, 128, 128, 1)
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-5 * np.abs(expected.maps).max())
