"""The callback for TensorBoard, by the event files that it leaves."""

import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad import pictures
from keras_fullgrad.integrations.tensorboard import FullGradTensorBoard

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorBoard's own.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

PICTURES = np.random.default_rng(0).integers(0, 256, [3, 16, 12, 3], np.uint8)


def preprocess(images):
    images = images.astype(np.float32)
    images /= 127.5
    images -= 1
    return images


def fit(model, log, epochs=3, **options):
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    x = np.random.default_rng(1).uniform(-1, 1, [8, 16, 12, 3])
    model.fit(x, np.arange(8) % 4, epochs=epochs, verbose=0, callbacks=[log], **options)


def logged(folder, tag="FullGrad"):
    """The pictures by their epoch."""
    events = EventAccumulator(str(folder / "fullgrad"), size_guidance={"tensors": 0})
    events.Reload()
    assert events.SummaryMetadata(tag).plugin_data.plugin_name == "images"
    found = {}
    for event in events.Tensors(tag):
        width, height, *encoded = event.tensor_proto.string_val
        found[event.step] = np.stack([tf.io.decode_png(each) for each in encoded])
        assert found[event.step].shape[1:3] == (int(height), int(width))
    return found


def test_pictures_of_every_epoch_by_the_weights_of_then(tmp_path, small_net):
    log = FullGradTensorBoard(tmp_path, PICTURES, y=[0, 1, 2], preprocess=preprocess, preset="paper")
    fit(small_net, log)
    found = logged(tmp_path)
    assert list(found) == [0, 1, 2]
    assert not np.array_equal(found[0], found[2])
    _, maps = ke.full_gradients(small_net, preprocess(PICTURES), [0, 1, 2], preset="paper", verbose=0)
    for shown, image, of_image in zip(found[2], PICTURES, maps, strict=True):
        expected = pictures.side_by_side([image, ke.overlay(image, of_image)])
        np.testing.assert_array_equal(shown, expected)


def test_a_picture_shows_each_class(tmp_path, small_net):
    fit(small_net, FullGradTensorBoard(tmp_path, PICTURES / 255, y=[[0, 1]] * 3), epochs=1)
    image, first, second = np.split(logged(tmp_path)[0][0], [14, 30], axis=1)
    np.testing.assert_array_equal(image[:, :12], PICTURES[0])
    assert not np.array_equal(first[:, 2:14], second[:, 2:14])


def test_every_few_epochs_from_the_first_on(tmp_path, small_net):
    fit(small_net, FullGradTensorBoard(tmp_path, PICTURES / 255, every=2, tag="maps"), epochs=4)
    assert list(logged(tmp_path, "maps")) == [0, 2]


def test_a_fit_that_goes_on_goes_on_in_the_log(tmp_path, small_net):
    log = FullGradTensorBoard(tmp_path, PICTURES / 255)
    fit(small_net, log, epochs=1)
    fit(small_net, log, epochs=2, initial_epoch=1)
    assert list(logged(tmp_path)) == [0, 1]


def test_one_trace_for_all_epochs(tmp_path, small_net):
    terms = []

    def psi(term, axis):
        terms.append(term)
        return tf.abs(term)

    fit(small_net, FullGradTensorBoard(tmp_path, PICTURES / 255, 1, psi=psi), epochs=4)
    assert len(terms) == 5  # The input's and four layers'.


def test_what_does_not_fit_the_model_is_found_before_the_first_epoch(tmp_path, small_net):
    weights = small_net.get_weights()
    with pytest.raises(ValueError, match="classes from 0 to 3 in y, got 4"):
        fit(small_net, FullGradTensorBoard(tmp_path, PICTURES / 255, 4))
    for before, now in zip(weights, small_net.get_weights(), strict=True):
        np.testing.assert_array_equal(before, now)


@pytest.mark.parametrize(
    ("images", "y", "options", "message"),
    [
        (PICTURES, None, {"every": 0}, "expected every to be at least 1, got 0"),
        (
            PICTURES[0],
            None,
            {},
            r"images of shape \(images, height, width, 1 or 3\), got shape \(16, 12, 3\)",
        ),
        (PICTURES[:0], None, {}, r"got shape \(0, 16, 12, 3\)"),
        (PICTURES.astype(float), None, {}, "float64 with values from 0 to 1, got 0 to 255"),
        (PICTURES, [0, 1], {}, r"y of shape \(3, K\) for 3 images, got \(2, 1\)"),
    ],
)
def test_wrong_input(tmp_path, images, y, options, message):
    with pytest.raises(ValueError, match=message):
        FullGradTensorBoard(tmp_path, images, y, **options)


def test_where_tensorboard_is_not_installed_nothing_is_trained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        FullGradTensorBoard(tmp_path, PICTURES)
