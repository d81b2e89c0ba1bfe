"""Cascades: what is compared and in which order, that the model comes back, and every wrong input."""

import keras
import numpy as np
import pytest

import keras_fullgrad as ke
from keras_fullgrad.methods.gradient import full_gradients, gradients

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)


def weights(model):
    return [weight.tobytes() for weight in model.get_weights()]


def image_itself(model, inputs, indices=None):
    """A method that does not look at the model's weights."""
    logits, maps = gradients(model, inputs, indices)
    return logits, 0 * maps + keras.ops.abs(inputs[..., :1])


def test_a_map_of_the_image_survives_every_layer(small_net, images):
    cascade = ke.metrics.cascading_randomisation(image_itself, small_net, images)
    np.testing.assert_allclose(cascade.values, 1)
    assert cascade.values.shape == (5, len(cascade.layers))


@pytest.mark.parametrize("params", [{}, {"preset": "paper", "backend": "tensorflow"}])
def test_similarities_are_those_of_clones(small_net, images, params):
    y = np.array([0, 3, 1, 2, 2])
    cascade = ke.metrics.cascading_randomisation(full_gradients, small_net, images, y, seed=3, **params)
    assert cascade.layers == ("head", "b3", "c3", "b2", "c2", "b1", "c1")

    clone = keras.models.clone_model(small_net)
    clone.set_weights(small_net.get_weights())
    before = ke.explain(full_gradients, clone, images, y, verbose=0, **params)[1]
    rng = np.random.default_rng(3)
    for step, name in enumerate(cascade.layers):
        layer = clone.get_layer(name)
        layer.set_weights([w.ravel()[rng.permutation(w.size)].reshape(w.shape) for w in layer.get_weights()])
        after = ke.explain(full_gradients, clone, images, y, verbose=0, **params)[1]
        for image in range(5):
            first, second = (maps[image].ravel().argsort().argsort() for maps in (before, after))
            expected = np.corrcoef(first, second)[0, 1]
            # Ranks without a care for equal values, and maps by another trace.
            assert cascade.values[image, step] == pytest.approx(expected, abs=1e-3)


def test_random_weights_end_a_trained_nets_maps(demo):
    model, scenes = demo
    cascade = ke.metrics.cascading_randomisation(gradients, model, scenes.images[:8])
    assert cascade.layers[0] == "dense"
    assert cascade.layers[-1] == "conv2d"
    assert cascade.mean[-1] < 0.3 < cascade.mean[0]


def test_the_model_comes_back_bit_for_bit(small_net, images):
    before = weights(small_net)
    maps = ke.gradients(small_net, images, verbose=0)[1]
    cascade = ke.metrics.cascading_randomisation(gradients, small_net, images, seed=1)
    assert weights(small_net) == before
    np.testing.assert_array_equal(ke.gradients(small_net, images, verbose=0)[1], maps)
    again = ke.metrics.cascading_randomisation(gradients, small_net, images, seed=1)
    np.testing.assert_array_equal(again.values, cascade.values)
    other = ke.metrics.cascading_randomisation(gradients, small_net, images, seed=2)
    assert (other.values != cascade.values).any()


@pytest.mark.parametrize(("error", "comparisons"), [(RuntimeError, 3), (KeyboardInterrupt, 0)])
def test_the_model_comes_back_after_an_interruption(small_net, images, monkeypatch, error, comparisons):
    before = weights(small_net)
    seen = []

    def interrupt(first, _):
        seen.append(weights(small_net))
        if len(seen) > comparisons:
            raise error
        return np.zeros(len(first))

    monkeypatch.setitem(ke.metrics.similarities._SIMILARITIES, "spearman", interrupt)
    with pytest.raises(error):
        ke.metrics.cascading_randomisation(gradients, small_net, images)
    assert seen[-1] != before
    assert weights(small_net) == before


def test_weights_of_every_type_come_back():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(2, 3, dtype=dtype) for dtype in ("bfloat16", "float64", "mixed_float16")]
    model = keras.Sequential([keras.Input([9, 9, 1]), *layers, keras.layers.GlobalAveragePooling2D()])
    before = weights(model)
    ke.metrics.cascading_randomisation(gradients, model, RNG.random([2, 9, 9, 1]))
    assert weights(model) == before


class OutOfOrder(keras.Model):
    """Holds its layers in another order than it applies them, and a weight of its own."""

    def __init__(self):
        super().__init__(name="net")
        self.head = keras.layers.Dense(2, name="head")
        self.unused = keras.layers.Dense(2, name="unused")
        self.body = keras.Sequential([keras.layers.Conv2D(2, 3, name="a"), keras.layers.ReLU()], name="body")
        self.pool = keras.layers.GlobalAveragePooling2D()

    def build(self, _):
        self.shift = self.add_weight(shape=[3], initializer="normal", name="shift")
        self.unused.build([None, 2])

    def call(self, inputs):
        x = self.body(inputs + self.shift)
        return self.head(self.pool(x))


def test_layers_come_in_the_order_in_which_they_are_applied(images):
    cascade = ke.metrics.cascading_randomisation(gradients, OutOfOrder(), images)
    assert cascade.layers == ("head", "body/a", "net")


def test_a_shared_layer_is_one_step(images):
    keras.utils.set_random_seed(0)
    shared = keras.layers.Conv2D(3, 3, padding="same", name="shared")
    image = keras.Input([16, 12, 3])
    x = shared(keras.layers.Conv2D(3, 1, name="first")(shared(image)))
    model = keras.Model(image, keras.layers.Dense(2, name="head")(keras.layers.Flatten()(x)))
    cascade = ke.metrics.cascading_randomisation(gradients, model, images)
    assert cascade.layers == ("head", "shared", "first")


def test_comparisons_after_every_few_layers(small_net, images):
    full = ke.metrics.cascading_randomisation(gradients, small_net, images)
    few = ke.metrics.cascading_randomisation(gradients, small_net, images, every=3)
    assert few.layers == (*full.layers[2::3], full.layers[-1])
    np.testing.assert_array_equal(few.values, full.values[:, [2, 5, 6]])
    np.testing.assert_allclose(few.mean, few.values.mean(0))


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_cascade_does_not_depend_on_the_batch(small_net, images, batch_size):
    expected = ke.metrics.cascading_randomisation(gradients, small_net, images).values
    values = ke.metrics.cascading_randomisation(gradients, small_net, images, batch_size=batch_size).values
    np.testing.assert_allclose(values, expected, atol=1e-3)


@pytest.mark.parametrize("similarity", ["spearman", "ssim"])
def test_any_method_and_either_similarity(small_net, images, similarity):
    smooth = ke.methods.meta.smooth(full_gradients, repetitions=2)
    for model in (small_net, ke.inspection.expose(small_net)):
        cascade = ke.metrics.cascading_randomisation(
            smooth, model, images[:2], similarity=similarity, every=9, preset="paper", simple=True
        )
        assert cascade.values.shape == (2, 1)
        assert (abs(cascade.values) < 0.999).all()
    same = ke.metrics.cascading_randomisation(image_itself, small_net, images, similarity=similarity, every=9)
    np.testing.assert_allclose(same.values, 1, rtol=1e-6)


def test_ssim_of_maps_smaller_than_its_window(linear):
    model = linear([5, 7, 1], classes=2)
    x = RNG.random([2, 5, 7, 1])
    cascade = ke.metrics.cascading_randomisation(gradients, model, x, similarity="ssim")
    assert (abs(cascade.values) < 0.999).all()


def test_an_even_map_is_similar_to_none(linear):
    model = linear([5, 7, 1], classes=2)

    def even_or_image(model, inputs, indices=None):
        logits, maps = gradients(model, inputs, indices)
        return logits, keras.ops.ones_like(maps) + inputs

    x = RNG.random([3, 5, 7, 1])
    x[[0, 2]] = 0
    cascade = ke.metrics.cascading_randomisation(even_or_image, model, x)
    np.testing.assert_allclose(cascade.values, [[0], [1], [0]])


CASCADE_ERRORS = [
    ({"similarity": "hog"}, "similarity to be one of pearson, spearman, ssim, got 'hog'"),
    ({"every": 0}, "every to be at least 1, got 0"),
    ({"x": np.zeros([5, 3])}, r"images of shape \(images, space, channels\), got \(5, 3\)"),
    (
        {"x": np.zeros([5, 9, 3]), "similarity": "ssim"},
        r"pictures, of two axes of positions, for ssim, got images of \(5, 9, 3\)",
    ),
    ({"y": [[0, 1]] * 5}, r"one class for each image in y, got shape \(5, 2\)"),
    ({"y": 9}, "classes from 0 to 3 in y, got 9"),
]


@pytest.mark.parametrize(("wrong", "message"), CASCADE_ERRORS)
def test_wrong_inputs_of_cascades(small_net, images, wrong, message):
    before = weights(small_net)
    with pytest.raises(ValueError, match=message):
        ke.metrics.cascading_randomisation(gradients, small_net, **({"x": images} | wrong))
    assert weights(small_net) == before


def test_a_model_without_weights():
    model = keras.Sequential([keras.Input([4, 4, 3]), keras.layers.GlobalAveragePooling2D()], name="bare")
    with pytest.raises(ValueError, match="expected a model with weights, got 'bare' without"):
        ke.metrics.cascading_randomisation(gradients, model, np.ones([1, 4, 4, 3]))
