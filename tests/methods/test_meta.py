"""Averages over noise and views, against loops written out."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
import zoo
from keras_fullgrad.methods import gradient, meta

pytestmark = pytest.mark.slow


@pytest.fixture
def any_size_net():
    keras.utils.set_random_seed(2)
    image = keras.Input([None, None, 3])
    x = keras.layers.Conv2D(4, 3, activation="relu", bias_initializer="normal")(image)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def test_smooth_is_the_mean_over_noisy_inputs(small_net, images):
    x, y = tf.constant(images, tf.float32), tf.constant([[1]] * 5)
    logits, maps = meta.smooth(gradient.full_gradients, repetitions=4, noise=0.3, seed=7)(small_net, x, y)
    expected = []
    for step in range(4):
        draw = tf.random.stateless_normal(x.shape[1:], [7, step], stddev=0.3) if step else 0.0
        expected.append(gradient.full_gradients(small_net, x + draw, y))
    np.testing.assert_allclose(logits, np.mean([one for one, _ in expected], 0), rtol=1e-5)
    np.testing.assert_allclose(maps, np.mean([one for _, one in expected], 0), rtol=1e-4, atol=1e-6)


def test_smooth_explains_the_top_class_of_the_clean_image(small_net, images):
    method = meta.smooth(gradient.full_gradients, repetitions=3, noise=5.0)
    explained = ke.explain(method, small_net, images, verbose=0)
    maps = explained.maps
    np.testing.assert_array_equal(explained.classes[:, 0], small_net.predict(images, verbose=0).argmax(-1))
    given = ke.explain(method, small_net, images, explained.classes, verbose=0)[1]
    np.testing.assert_allclose(maps, given, atol=1e-5)


@pytest.mark.parametrize("average", [functools.partial(meta.smooth, repetitions=2), meta.tta])
def test_top_classes_are_those_of_the_clean_image(any_size_net, images, average):
    method = average(gradient.full_gradients)
    maps = ke.explain(method, any_size_net, images, top=2, verbose=0).maps
    clean = any_size_net.predict(images, verbose=0)
    given = ke.explain(method, any_size_net, images, np.argsort(-clean)[:, :2], verbose=0)[1]
    np.testing.assert_allclose(maps, given, atol=1e-5)


def test_smooth_does_not_depend_on_the_batch(small_net, images):
    method = meta.smooth(gradient.full_gradients, repetitions=3)
    together = ke.explain(method, small_net, images, 1, verbose=0)[1]
    np.testing.assert_allclose(
        ke.explain(method, small_net, images, 1, batch_size=2, verbose=0)[1], together, atol=1e-5
    )


def test_smooth_has_a_seed(small_net, images):
    def maps(seed):
        method = meta.smooth(gradient.gradients, repetitions=3, seed=seed)
        return ke.explain(method, small_net, images, 1, verbose=0)[1]

    np.testing.assert_array_equal(maps(1), maps(1))
    assert not np.array_equal(maps(1), maps(2))


def test_one_repetition_is_the_method_itself(small_net, images):
    method = meta.smooth(gradient.gradients, repetitions=1)
    np.testing.assert_array_equal(
        ke.explain(method, small_net, images, 1, verbose=0)[1],
        ke.explain(gradient.gradients, small_net, images, 1, verbose=0)[1],
    )


@pytest.mark.parametrize("hflip", [True, False])
@pytest.mark.parametrize("scales", [[], [0.5, 2.0]])
def test_tta_is_the_mean_over_views(any_size_net, hflip, scales):
    x = tf.random.stateless_normal([2, 12, 10, 3], [0, 0])
    y = tf.constant([[0], [2]])
    logits, maps = meta.tta(gradient.full_gradients, scales, hflip)(any_size_net, x, y)
    expected = []
    for scale in [1.0, *scales]:
        for flip in [False, True][: 1 + hflip]:
            view = tf.image.resize(x, [int(12 * scale), int(10 * scale)])
            view = tf.image.flip_left_right(view) if flip else view
            view_logits, view_maps = gradient.full_gradients(any_size_net, view, y)
            view_maps = tf.image.flip_left_right(view_maps) if flip else view_maps
            expected.append((view_logits, tf.image.resize(view_maps, [12, 10])))
    np.testing.assert_allclose(logits, np.mean([one for one, _ in expected], 0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(maps, np.mean([one for _, one in expected], 0), rtol=1e-4, atol=1e-5)


def test_tta_of_the_top_class(any_size_net, images):
    method = meta.tta(gradient.full_gradients, scales=[1.5])
    logits, maps = explained = ke.explain(method, any_size_net, images, verbose=0)
    given = ke.explain(method, any_size_net, images, explained.classes, verbose=0)[1]
    assert logits.shape == (5, 1)
    np.testing.assert_allclose(maps, given, atol=1e-5)


def test_tta_does_not_depend_on_the_batch(any_size_net, images):
    method = meta.tta(gradient.full_gradients, scales=[1.5])
    together = ke.explain(method, any_size_net, images, 1, verbose=0)[1]
    alone = ke.explain(method, any_size_net, images, 1, batch_size=1, verbose=0)[1]
    np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("average", [functools.partial(meta.smooth, repetitions=2), meta.tta])
def test_terms_are_averaged_with_the_maps(any_size_net, images, average):
    method = average(gradient.full_gradients)
    _, maps = explained = ke.explain(method, any_size_net, images, 1, verbose=0, return_terms=True)
    terms = explained.terms
    assert len(terms) > 1
    np.testing.assert_allclose(sum(terms.values()), maps, rtol=1e-5, atol=1e-6)


def test_smooth_draws_noise_for_each_input():
    model, x = zoo.make("two_inputs")
    seen = []

    def method(model, inputs, indices=None):
        seen.append([tensor.numpy() for tensor in inputs])
        return gradient.gradients(model, inputs, indices)

    tensors = [tf.constant(array) for array in x]
    with_noise = meta.smooth(method, repetitions=2, noise=0.5)(model, tensors, tf.constant([[0]] * 3))[1]
    assert with_noise.shape == (3, 12, 10, 1)
    (image, metadata), (noisy_image, noisy_metadata) = seen
    np.testing.assert_array_equal(image, x[0])
    for clean, noisy in ((image, noisy_image), (metadata, noisy_metadata)):
        draw = noisy - clean
        assert 0.1 < draw.std() < 1
        np.testing.assert_allclose(draw[0], draw[1], atol=1e-5)


def test_names_tell_what_is_averaged():
    assert meta.smooth(gradient.gradients).__name__ == "gradients_smooth"
    assert meta.tta(gradient.gradients).__name__ == "gradients_tta"


def test_errors(small_net):
    with pytest.raises(ValueError, match="at least 1 repetition, got 0"):
        meta.smooth(gradient.gradients, repetitions=0)
    with pytest.raises(ValueError, match="positive scales, got"):
        meta.tta(gradient.gradients, scales=[0.0])
    with pytest.raises(ValueError, match="expected a batch of images"):
        meta.tta(gradient.gradients)(small_net, tf.zeros([1, 4, 3]))


def test_smooth_makes_one_pass_after_the_other(small_net, images):
    """Else TensorFlow runs ten at once, and holds the activations of all."""
    method = meta.smooth(gradient.full_gradients, repetitions=4)
    traced = tf.function(lambda x: method(small_net, x), autograph=False)
    graph = traced.get_concrete_function(tf.TensorSpec([None, *images.shape[1:]])).graph
    loops = [op for op in graph.get_operations() if op.type in ("While", "StatelessWhile")]
    assert [op.get_attr("parallel_iterations") for op in loops] == [1]
    step = loops[0].inputs[2].op
    while not step.control_inputs:  # The first step waits for the clean pass.
        step = step.inputs[0].op


@pytest.mark.parametrize("classes", [None, [[0, 2]] * 5, ke.targets.Contrast(1, "runner-up")])
@pytest.mark.parametrize("method", [gradient.full_gradients, gradient.gradients])
def test_focus_is_the_product_with_grad_cam(small_net, images, method, classes):
    options = {"target": classes} if callable(classes) else {"y": classes}
    found = ke.explain(meta.focus(method), small_net, images, verbose=0, **options)
    own = ke.explain(method, small_net, images, verbose=0, **options)
    weights = ke.gradcam(small_net, images, verbose=0, **options)
    np.testing.assert_allclose(found.maps, own.maps * weights.maps, atol=1e-6 * np.abs(own.maps).max())
    np.testing.assert_array_equal(found.logits, own.logits)


def test_focus_weighs_terms_as_maps(small_net, images):
    method = meta.focus(gradient.full_gradients, layer="c2")
    found = ke.explain(method, small_net, images, verbose=0, return_terms=True)
    np.testing.assert_allclose(sum(found.terms.values()), found.maps, atol=1e-5)
    weights = ke.gradcam(small_net, images, verbose=0, layer="c2").maps
    own = ke.explain(gradient.full_gradients, small_net, images, verbose=0).maps
    np.testing.assert_allclose(found.maps, own * weights, atol=1e-6 * np.abs(own).max())


def test_focus_of_series():
    net, x = zoo.make("series")
    assert ke.explain(meta.focus(gradient.gradients), net, x, verbose=0).maps.shape == (*x.shape[:2], 1)
