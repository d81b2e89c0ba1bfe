"""Exported explainers, in this process and in one without this package."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
import zoo
from keras_fullgrad.integrations import saved_model

pytestmark = pytest.mark.slow

CLASSES = [[0, 3], [1, 2], [2, 1], [3, 0], [0, 0]]

ALONE = """
import sys
import numpy as np, tensorflow as tf

folder, library = sys.argv[1:]
if library != "None":
    tf.load_op_library(library)
explainer = tf.saved_model.load(folder)
data = {name: tf.constant(array) for name, array in np.load(f"{folder}/data.npz").items()}
highest = explainer.explain(data["images"])
given = explainer.signatures["explain_classes"](**data)
np.savez(f"{folder}/found.npz", highest=highest["maps"], given=given["maps"], logits=given["logits"])
assert "keras_fullgrad" not in sys.modules
"""


def load(folder):
    return tf.saved_model.load(str(folder))


def alone(folder, library, images):
    """What the export gives in a process that has TensorFlow and the library."""
    np.savez(folder / "data.npz", images=images.astype(np.float32), classes=np.array(CLASSES))
    ran = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(folder), str(library)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return np.load(folder / "found.npz")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["native", "tensorflow"])
def test_a_process_with_tensorflow_and_the_library_alone(tmp_path, small_net, images, backend):
    library = saved_model.export(small_net, tmp_path, top=2, preset="paper", backend=backend)
    assert (library is None) == (backend == "tensorflow")
    assert library is None or library.parent == tmp_path / "assets.extra"
    found = alone(tmp_path, library, images)
    logits, maps = ke.full_gradients(small_net, images, CLASSES, preset="paper", backend=backend, verbose=0)
    np.testing.assert_allclose(found["given"], maps, atol=1e-6)
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-6)
    _, maps = ke.full_gradients(small_net, images, top=2, preset="paper", backend=backend, verbose=0)
    np.testing.assert_allclose(found["highest"], maps, atol=1e-6)


def test_same_bits_in_batches_of_any_size(tmp_path, small_net, images):
    saved_model.export(small_net, tmp_path)
    explainer = load(tmp_path)
    for x in (images.astype(np.float32), images[:1].astype(np.float32)):
        explained = ke.full_gradients(small_net, x, verbose=0)
        maps, logits = explained.maps, explained.outputs
        found = explainer.signatures["serving_default"](images=tf.constant(x))
        np.testing.assert_array_equal(found["maps"], maps)
        np.testing.assert_array_equal(found["logits"], logits)
        np.testing.assert_array_equal(explainer.explain(x)["maps"], maps)


def test_later_weights_are_not_those_of_the_export(tmp_path, small_net, images):
    before = ke.full_gradients(small_net, images, 1, verbose=0)[1]
    saved_model.export(small_net, tmp_path)
    small_net.set_weights([weight + 1 for weight in small_net.get_weights()])
    explainer = load(tmp_path)
    found = explainer.explain_classes(images.astype(np.float32), [[1]] * 5)
    np.testing.assert_array_equal(found["maps"], before)


@pytest.mark.parametrize("open_size", ["in the model", "in the export"])
def test_images_of_any_size(tmp_path, open_size):
    shape = [None, None, 3] if open_size == "in the model" else [8, 8, 3]
    image = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3, activation="relu")(image))
    model = keras.Model(image, x)
    inputs = None if open_size == "in the model" else tf.TensorSpec([None, None, None, 3])
    saved_model.export(model, tmp_path, inputs=inputs)
    explainer = load(tmp_path)
    for size in ([8, 8], [13, 7]):
        x = np.random.default_rng(0).random([2, *size, 3], np.float32)
        np.testing.assert_array_equal(explainer.explain(x)["maps"], ke.full_gradients(model, x, verbose=0)[1])


def test_several_inputs(tmp_path):
    image, number = keras.Input([8, 8, 3], name="image"), keras.Input([2], name="number")
    x = keras.layers.Flatten()(keras.layers.Conv2D(3, 3)(image))
    model = keras.Model([image, number], keras.layers.Dense(2)(keras.layers.Concatenate()([x, number])))
    saved_model.export(model, tmp_path, source=0)
    explainer = load(tmp_path)
    data = [np.random.default_rng(0).random([2, *size], np.float32) for size in ([8, 8, 3], [2])]
    expected = ke.full_gradients(model, data, source=0, verbose=0)[1]
    np.testing.assert_array_equal(explainer.explain(data)["maps"], expected)
    by_name = dict(zip(["image", "number"], map(tf.constant, data), strict=True))
    np.testing.assert_array_equal(explainer.signatures["explain"](**by_name)["maps"], expected)


@pytest.mark.filterwarnings("ignore:implicit biases")
@pytest.mark.parametrize("name", ["series", "mixed_float16", "channels_first"])
def test_kinds_of_models(tmp_path, name):
    model, x = zoo.make(name)
    saved_model.export(model, tmp_path)
    explainer = load(tmp_path)
    np.testing.assert_array_equal(explainer.explain(x)["maps"], ke.full_gradients(model, x, verbose=0)[1])


@pytest.mark.filterwarnings("ignore:implicit biases")
def test_a_model_that_does_not_tell_its_inputs(tmp_path):
    model, x = zoo.make("subclassed")
    with pytest.raises(ValueError, match=rf"expected inputs, a tf\.TensorSpec, for model '{model.name}'"):
        saved_model.export(model, tmp_path)
    saved_model.export(model, tmp_path, inputs=tf.TensorSpec([None, *zoo.IMAGE]))
    explainer = load(tmp_path)
    np.testing.assert_array_equal(explainer.explain(x)["maps"], ke.full_gradients(model, x, verbose=0)[1])


def test_methods_and_postprocessing(tmp_path, small_net, images):
    x = images.astype(np.float32)
    smooth = ke.methods.meta.smooth(ke.methods.gradient.full_gradients, repetitions=3)
    library = saved_model.export(small_net, tmp_path, method=smooth, postprocessing=None)
    assert library is not None
    expected = ke.explain(smooth, small_net, x, verbose=0)[1]
    explainer = load(tmp_path)
    np.testing.assert_array_equal(explainer.explain(x)["maps"], expected)
    assert saved_model.export(small_net, tmp_path, method=ke.methods.gradient.gradients) is None


def test_prints_nothing(tmp_path, small_net, capsys):
    saved_model.export(small_net, tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "best"}, "one of default, paper, got 'best'"),
        ({"top": 5}, "expected top from 1 to the 4 classes of the model, got 5"),
        ({"top": 0}, "expected top from 1 to the 4 classes of the model, got 0"),
        ({"return_terms": True}, "expected a method of logits and maps, got terms too"),
    ],
)
def test_wrong_options_leave_nothing_behind(tmp_path, small_net, options, message):
    with pytest.raises(ValueError, match=message):
        saved_model.export(small_net, tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()
