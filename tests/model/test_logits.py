"""What is explained of a model: the logit before a softmax, one number of each image."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_fullgrad as ke
import zoo
from slow import slow_but

ENDS = {
    "keras.ops": lambda x: ops.softmax(x),
    "tf.nn": lambda x: layers.Lambda(tf.nn.softmax)(x),
    "layer": lambda x: layers.Softmax()(x),
    "activation": lambda x: layers.Activation("softmax")(x),
    "sigmoid": lambda x: ops.sigmoid(x),
    "log_softmax": lambda x: ops.log_softmax(x),
    "then reshaped": lambda x: layers.Reshape([3, 1])(ops.softmax(x))[:, :, 0],
    "then squeezed": lambda x: ops.squeeze(ops.softmax(layers.Reshape([1, 3])(x)), 1),
    "then cast": lambda x: ops.cast(ops.cast(ops.softmax(x), "float16"), "float32"),
    "of a nested model": lambda x: keras.Sequential([keras.Input([3]), layers.Lambda(tf.nn.softmax)])(x),
}


def net(end, activation=None):
    keras.utils.set_random_seed(0)
    image = keras.Input([16, 12, 3])
    x = layers.Conv2D(4, 3, activation="relu", bias_initializer="normal")(image)
    return keras.Model(image, end(layers.Dense(3, activation=activation)(layers.GlobalAveragePooling2D()(x))))


@pytest.mark.parametrize("name", slow_but("tf.nn", [name for name in ENDS if name != "then reshaped"]))
def test_logits_before_any_softmax(images, name):
    expected = ke.full_gradients(net(lambda x: x), images, 1, verbose=0)
    found = ke.full_gradients(net(ENDS[name]), images, 1, verbose=0)
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-5)
    np.testing.assert_allclose(ke.decompose(net(ENDS[name]), images, 1).logits, expected.logits, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "activation", [tf.nn.softmax, ops.softmax, lambda x: tf.nn.softmax(x), "log_softmax"]
)
def test_logits_before_any_activation(images, activation):
    expected = ke.full_gradients(net(lambda x: x), images, 1, verbose=0)
    found = ke.full_gradients(net(lambda x: x, activation), images, 1, verbose=0)
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "end", [lambda x: (ops.softmax(x) + ops.softmax(2 * x)) / 2, ENDS["then reshaped"]], ids=["mean", "slice"]
)
def test_probabilities_are_told(images, end):
    with pytest.warns(UserWarning, match="probabilities are explained"):
        ke.full_gradients(net(end), images, 1, implicit_biases=False, verbose=0)


@pytest.mark.slow
def test_one_number_of_each_image(images):
    one, flat = net(lambda x: x[:, :1]), net(lambda x: x[:, 0])
    for options in ({}, {"y": 0}, {"implicit_biases": True}):
        expected, found = (ke.full_gradients(model, images, verbose=0, **options) for model in (one, flat))
        np.testing.assert_array_equal(found.maps, expected.maps)
        assert found.logits.shape == found.outputs.shape == (5, 1)
    assert ke.decompose(flat, images).relative_error < 1e-5
    assert ke.gradients(flat, images, verbose=0).maps.shape == (5, 16, 12, 1)


@pytest.mark.parametrize("explain", [ke.full_gradients, ke.gradients, ke.decompose])
def test_outputs_of_more_axes(images, explain):
    image = keras.Input([16, 12, 3])
    model = keras.Model(image, layers.Conv2D(3, 1)(layers.Conv2D(4, 3, padding="same")(image)))
    with pytest.raises(
        ValueError, match=r"got outputs of shape \(None, 16, 12, 3\).*target=ke.targets.Region\(1\)"
    ):
        explain(model, images, 1)
    scalar = keras.Model(model.input, keras.ops.mean(model.output[..., 1], (1, 2)))
    assert ke.decompose(scalar, images).relative_error < 1e-5


def test_integer_inputs(images):
    pixels = (np.abs(images) * 100).astype("uint8")

    def rescaling(dtype):
        keras.utils.set_random_seed(0)
        image = keras.Input([16, 12, 3], dtype=dtype)
        x = layers.Conv2D(4, 3, bias_initializer="normal")(layers.Rescaling(1 / 255, 0.1)(image))
        return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))

    expected = ke.full_gradients(rescaling("float32"), pixels, 1, verbose=0)
    model = rescaling("uint8")
    found = ke.full_gradients(model, pixels, 1, verbose=0)
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-5)
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-5)
    assert ke.decompose(model, pixels, 1).relative_error < 1e-5
    assert "_convert_inputs_to_tensors" not in vars(model)


class Reading(keras.Model):
    """A net whose call does something to pixels first."""

    def __init__(self, read):
        super().__init__()
        self.read = read
        self.conv, self.head = layers.Conv2D(4, 3), layers.Dense(2)

    def call(self, x):
        return self.head(tf.reduce_mean(self.conv(self.read(x)), [1, 2]))


def test_a_model_that_treats_integers_otherwise():
    model = Reading(lambda x: tf.image.convert_image_dtype(x, tf.float32))
    pixels = np.arange(5 * 16 * 12 * 3).reshape(5, 16, 12, 3).astype("uint8")
    # At each call, and whatever it was given before.
    for explain in (ke.full_gradients, ke.full_gradients, ke.decompose):
        with pytest.raises(ValueError, match="to say the same of uint8 and of floats"):
            explain(model, pixels, 1)
        ke.full_gradients(model, pixels / 255, 1, implicit_biases=False, verbose=0)


class ReadingOfTwo(Reading):
    """The same of a dictionary of inputs, or of two arguments."""

    def call(self, image, age=None):
        image, age = (image["image"], image["age"]) if age is None else (image, age)
        return super().call(image) + 0 * age


def test_a_model_that_treats_integers_among_its_inputs_otherwise():
    pixels = np.arange(5 * 16 * 12 * 3).reshape(5, 16, 12, 3).astype("uint8")
    inputs = {"image": pixels, "age": np.ones([5, 1], "float32")}
    model = ReadingOfTwo(lambda x: tf.image.convert_image_dtype(x, tf.float32))
    model(inputs)
    with pytest.raises(ValueError, match="to say the same of uint8 and of floats"):
        ke.full_gradients(model, inputs, 1, verbose=0)


@pytest.mark.parametrize("kind", [list, dict])
def test_integer_images_beside_another_input(kind):
    def rescaling(dtype):
        keras.utils.set_random_seed(0)
        image, age = keras.Input([16, 12, 3], dtype=dtype, name="image"), keras.Input([1], name="age")
        x = layers.Conv2D(4, 3, bias_initializer="normal")(layers.Rescaling(1 / 255, 0.1)(image))
        x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), age])
        inputs = [image, age] if kind is list else {"image": image, "age": age}
        return keras.Model(inputs, layers.Dense(3)(x))

    pixels = np.arange(2 * 16 * 12 * 3).reshape(2, 16, 12, 3).astype("uint8")
    age = np.ones([2, 1], "float32")
    inputs = [pixels, age] if kind is list else {"image": pixels, "age": age}
    expected = ke.full_gradients(rescaling("float32"), inputs, 1, verbose=0)
    found = ke.full_gradients(rescaling("uint8"), inputs, 1, verbose=0)
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-5)
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-5)
    parts = ke.decompose(rescaling("uint8"), inputs, 1)
    assert parts.relative_error < 1e-5
    names = ["input 0", "input 1"] if kind is list else ["input age", "input image"]
    assert [part.name for part in parts.inputs] == names


def test_a_softmax_over_positions_that_is_not_the_last_word(images):
    class Cautious(layers.Conv2D):
        def call(self, x):
            return 0.9 * super().call(x) + 0.01

    image = keras.Input([16, 12, 3])
    model = keras.Model(image, Cautious(4, 1, activation="softmax")(image))
    for _ in range(2):
        with pytest.raises(ValueError, match="to be the softmax of what came before it"):
            ke.full_gradients(model, images, target=ke.targets.Region(1), verbose=0)


def test_a_model_that_says_something_else_when_traced(images):
    model = Reading(lambda x: x / 255 if tf.executing_eagerly() else x)
    with pytest.raises(ValueError, match="to say the same whether it is traced or not"):
        ke.full_gradients(model, images, 1, verbose=0)


def test_a_model_that_was_built_in_a_function_of_its_own_is_explained_by_its_weights():
    # Its trace of one image holds the weights that it was built with; that of several images reads them.
    model, x = zoo.make("subclassed_in_function")
    assert not np.allclose(model(x[:1]), model(x)[:1], rtol=0.05)
    found = ke.full_gradients(model, x, 1, implicit_biases=False, verbose=0)
    np.testing.assert_allclose(keras.ops.softmax(found.outputs), model(x), rtol=1e-4)


def test_a_softmax_that_is_not_the_last_word(images):
    class Cautious(layers.Dense):
        def call(self, x):
            return 0.9 * super().call(x) + 0.01

    model = keras.Sequential(
        [keras.Input([16, 12, 3]), layers.Conv2D(4, 3), layers.Flatten(), Cautious(10, activation="softmax")]
    )
    with pytest.raises(ValueError, match="to be the softmax of what came before"):
        ke.full_gradients(model, images, 1, verbose=0)


def test_a_model_that_draws_random_numbers_says_what_it_says(images):
    class Noisy(layers.Layer):
        def call(self, x):
            return x + tf.random.normal(tf.shape(x))

    model = keras.Sequential(
        [keras.Input([16, 12, 3]), Noisy(), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    )
    logits, maps = ke.full_gradients(model, images, 1, implicit_biases=False, verbose=0)
    assert np.isfinite(logits).all()
    assert np.isfinite(maps).all()
