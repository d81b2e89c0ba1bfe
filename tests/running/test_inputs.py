"""Inputs as people have them: of other libraries, several of one model; and what is refused."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_fullgrad as ke


class Foreign:
    """An array of another library: NumPy reads it by slices."""

    def __init__(self, array):
        self._array = array
        self.shape = array.shape

    def __array__(self, dtype=None, copy=None):
        return np.array(self._array, dtype)

    def __getitem__(self, rows):
        return Foreign(self._array[rows])

    def __iter__(self):
        raise AssertionError("taken for batches")


def spots(size=(2, 12, 10, 1)):
    return np.random.default_rng(0).uniform(0.2, 1, size).astype("float32")


def encoder():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input([12, 10, 1]),
        keras.layers.Conv2D(6, 3, activation="relu", padding="same", bias_initializer="normal"),
        keras.layers.Conv2D(4, 3, activation="relu", padding="same", bias_initializer="normal"),
        keras.layers.GlobalAveragePooling2D(),
    ]
    return keras.Sequential(layers)


def siamese():
    shared = encoder()
    left, right = keras.Input([12, 10, 1], name="left"), keras.Input([12, 10, 1], name="right")
    return keras.Model([left, right], keras.layers.Dense(1)(keras.ops.abs(shared(left) - shared(right))))


OPTIONS = {"implicit_biases": False, "postprocessing": None, "verbose": 0}


def test_arrays_of_other_libraries(small_net, images):
    expected = ke.full_gradients(small_net, images, batch_size=2, **OPTIONS)
    found = ke.full_gradients(small_net, Foreign(images), batch_size=2, **OPTIONS)
    np.testing.assert_array_equal(found.maps, expected.maps)


@pytest.mark.parametrize(
    "x",
    ["photo.png", b"photo.png", ["a.png", "b.png"], np.array(["a.png"]), Image.new("RGB", (12, 16))],
    ids=["path", "bytes", "list", "array", "PIL"],
)
def test_files_and_pictures_are_refused(small_net, x):
    with pytest.raises(TypeError, match=r"expected x to hold images as arrays.*load_img\(path"):
        ke.full_gradients(small_net, x, verbose=0)


class OfTwo(keras.Model):
    """A model whose call takes its inputs one by one."""

    def __init__(self):
        super().__init__()
        self.body = encoder()
        self.head = keras.layers.Dense(2)

    def call(self, image, age, training=None):
        return self.head(keras.ops.concatenate([self.body(image), age], -1))


@pytest.mark.parametrize("structure", [tuple, list, lambda x: dict(zip(("image", "age"), x, strict=True))])
def test_a_call_of_several_arguments(structure):
    keras.utils.set_random_seed(1)
    model, image, age = OfTwo(), spots(), np.ones([2, 1], "float32")
    inputs = structure([image, age])
    found = ke.full_gradients(model, inputs, **OPTIONS)
    np.testing.assert_allclose(found.outputs, np.asarray(model(image, age)), rtol=1e-5)
    assert found.maps.shape == (2, 12, 10, 1)
    parts = ke.decompose(model, inputs)
    assert parts.relative_error < 1e-5
    assert len(parts.inputs) == 2


def test_a_map_over_each_input():
    model, x = siamese(), [spots(), 1 - spots()]
    both = ke.full_gradients(model, x, source="all", return_terms=True, **OPTIONS)
    assert both.logits.shape == (2, 1)
    for index, name in enumerate(("left", "right")):
        one = ke.full_gradients(model, x, source=index, return_terms=True, **OPTIONS)
        np.testing.assert_array_equal(both.maps[index], one.maps)
        np.testing.assert_array_equal(both.left_out[index], one.left_out)
        assert both.terms[index].keys() == one.terms.keys()
        named = ke.full_gradients(model, x, source=name, **OPTIONS)
        np.testing.assert_allclose(named.maps, one.maps, atol=1e-7)
    assert "maps: 2 of inputs" in repr(both)


def test_a_spot_in_one_image_changes_nothing_in_the_others_map():
    keras.utils.set_random_seed(0)
    shared = encoder()
    left, right = keras.Input([12, 10, 1], name="left"), keras.Input([12, 10, 1], name="right")
    joined = keras.layers.Concatenate()([shared(left), shared(right)])
    model = keras.Model({"left": left, "right": right}, keras.layers.Dense(2)(joined))
    x = {"left": spots(), "right": spots() / 2}
    before = ke.full_gradients(model, x, 0, source="all", **OPTIONS).maps
    x["right"][:, 3:6, 4:8] += 5
    after = ke.full_gradients(model, x, 0, source="all", **OPTIONS).maps
    np.testing.assert_array_equal(after["left"], before["left"])
    assert np.abs(after["right"] - before["right"]).max() > 0.1


def test_inputs_without_positions_have_no_map():
    image, age = keras.Input([12, 10, 1], name="image"), keras.Input([1], name="age")
    head = keras.layers.Dense(2)(keras.layers.Concatenate()([encoder()(image), age]))
    model = keras.Model({"image": image, "age": age}, head)
    x = {"image": spots(), "age": np.ones([2, 1])}
    found = ke.full_gradients(model, x, source="all", **OPTIONS)
    assert list(found.maps) == ["image"]
    np.testing.assert_array_equal(found.maps["image"], ke.full_gradients(model, x, **OPTIONS).maps)
    with pytest.raises(ValueError, match="expected several inputs for source='all', got one"):
        ke.full_gradients(encoder(), spots(), target=lambda o: o[:, 0], source="all", **OPTIONS)
    in_list = keras.Model([image, age], head)
    with pytest.raises(ValueError, match="expected inputs with positions for source='all', or inputs"):
        ke.full_gradients(in_list, [spots(), np.ones([2, 1])], source="all", **OPTIONS)


def test_a_preprocessor_that_was_not_run_is_told(small_net, images):
    small_net.preprocessor = keras.layers.Rescaling(1 / 255)
    with pytest.warns(UserWarning, match="the preprocessor of model .*, Rescaling, was not run"):
        ke.full_gradients(small_net, images, **OPTIONS)
