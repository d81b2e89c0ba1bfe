"""Labels as people have them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.targets.classes import as_classes

ONE_HOT = np.eye(4, dtype=int)[[3, 0, 2]]


@pytest.mark.parametrize("dtype", [int, float, bool, np.uint8, np.float16])
def test_one_hot_labels_of_any_type(dtype):
    assert as_classes(ONE_HOT.astype(dtype), 3).tolist() == [[3], [0], [2]]


@pytest.mark.parametrize("dtype", [float, bool])
def test_one_hot_labels_of_two_classes(dtype):
    for rows in ([[0, 1], [1, 0]], [[0, 1], [0, 1]]):
        assert as_classes(np.array(rows, dtype), 2, count=lambda: 2).tolist() == [
            [np.argmax(r)] for r in rows
        ]


def test_lists_of_both_classes_of_two():
    for rows in ([[0, 1]] * 3, [[1, 0]] * 3, [[0, 1], [1, 0], [0, 1]]):
        for count in (1, 2, 5, None):
            assert as_classes(rows, 3, count=lambda count=count: count).tolist() == rows


def test_arrays_that_may_be_either():
    either = np.array([[0, 1], [1, 0]])
    for rows in (either, either[:1]):  # Whichever they hold.
        for count in (1, 2, None):
            with pytest.raises(ValueError, match="which may be one-hot labels or list both classes"):
                as_classes(rows, len(rows), count=lambda count=count: count)
        assert as_classes(rows, len(rows), count=lambda: 5).tolist() == rows.tolist()


def test_one_hot_labels_of_another_width():
    for labels in (ONE_HOT, ONE_HOT.astype(float), ONE_HOT.astype(bool)):
        with pytest.raises(ValueError, match=r"labels of the 5 classes .* zeros and ones of shape \(3, 4\)"):
            as_classes(labels, 3, count=lambda: 5)
        assert as_classes(labels, 3, count=lambda: 4).tolist() == [[3], [0], [2]]


def test_names_of_classes():
    assert as_classes(["b", b"a"], 2, ["a", "b"]).tolist() == [[1], [0]]
    assert as_classes(["e", "a"], 2, {"a": 0, "c": 1, "e": 4}).tolist() == [[4], [0]]
    assert as_classes(["c"], 1, ["crane", "c", "crane"]).tolist() == [[1]]
    with pytest.raises(
        ValueError, match=r"names of one class in y, got 'crane' of \[0, 2\]: give its number"
    ):
        as_classes(["crane"], 1, ["crane", "c", "crane"])


class Undeclared(keras.Model):
    """Does not tell how many classes it has."""

    def __init__(self, classes):
        super().__init__()
        self.flatten, self.head = keras.layers.Flatten(), keras.layers.Dense(classes)

    def call(self, x):
        return self.head(self.flatten(x))


def declared(classes):
    return keras.Sequential([keras.Input([4, 4, 1]), keras.layers.Flatten(), keras.layers.Dense(classes)])


@pytest.mark.parametrize("net", [declared, Undeclared])
def test_labels_are_read_by_the_classes_of_the_model(net):
    x, pairs = np.ones([3, 4, 4, 1], "float32"), np.array([[0, 1], [1, 0], [0, 1]])

    def classes(model, x, y=None, **options):
        return ke.gradients(model, x, y, verbose=0, **options).classes.tolist()

    assert classes(net(5), x, pairs) == pairs.tolist()
    assert classes(net(5), x, target=ke.targets.Class(pairs)) == pairs.tolist()
    assert classes(net(2), x, target=ke.targets.Class(pairs)) == pairs.tolist()
    assert classes(net(2), x, pairs.tolist()) == pairs.tolist()
    assert classes(net(2), x, pairs.astype(float)) == [[1], [0], [1]]
    with pytest.raises(ValueError, match="which may be one-hot labels or list both"):
        classes(net(2), x, pairs)
    with pytest.raises(ValueError, match="labels of the 5 classes"):
        classes(net(5), x, pairs.astype(float))
    # Batch by batch as all at once, whatever a batch holds.
    for labels, expected in (
        (pairs.astype("float32"), [[1], [0], [1]]),
        (np.eye(4)[[3, 3, 0]], [[3], [3], [0]]),
    ):
        data = tf.data.Dataset.from_tensor_slices((x, labels)).batch(1)
        assert classes(net(labels.shape[1]), data) == expected


@pytest.mark.parametrize("labels", [np.array([0.3, 0.7, 0.2]), np.array([[1.0, 1, 0]] * 3), ["cat"] * 3])
def test_labels_of_a_dataset_that_are_no_classes(labels):
    data = tf.data.Dataset.from_tensor_slices((np.ones([3, 4, 4, 1], "float32"), labels)).batch(2)
    with pytest.raises(
        (TypeError, ValueError), match="labels=False leaves the labels of the data out of account"
    ):
        ke.gradients(declared(3), data, verbose=0)
    assert len(ke.gradients(declared(3), data, labels=False, verbose=0).maps) == 3


def test_whole_numbers():
    assert as_classes(np.array([3.0, 5.0]), 2).tolist() == [[3], [5]]
    assert as_classes([[3.0, 5.0]], 1).tolist() == [[3, 5]]
    assert as_classes(np.array([[1.0], [0.0]]), 2).tolist() == [[1], [0]]
    assert as_classes(2.0, 2).tolist() == [[2], [2]]


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([[1, 0, 1, 0]], ValueError, "got 2 classes of image 0 as zeros and ones.*top="),
        ([[0.0, 0.0, 0.0]], ValueError, "got 0 classes of image 0"),
        ([[0.3, 0.7]], TypeError, "float64 that are not whole"),
        ([np.nan], TypeError, "float64 that are not whole"),
        (["cat"], TypeError, "expected y to hold classes as integers"),
    ],
)
def test_what_is_no_class(y, error, message):
    with pytest.raises(error, match=message):
        as_classes(y, 1)


def test_what_lies_beyond_the_outputs_is_said_in_words():
    data = tf.data.Dataset.from_tensor_slices(np.ones([3, 4, 4, 1], "float32")).batch(2)
    dense = keras.Sequential([keras.Input([4, 4, 1]), keras.layers.Conv2D(3, 1)])
    boxes = keras.Sequential(
        [keras.Input([4, 4, 1]), keras.layers.Conv2D(3, 1), keras.layers.Reshape([16, 3])]
    )
    for model, target, message in (
        (declared(3), ke.targets.Class(9), "expected classes within the logits, from 0 to 2, got 9"),
        (
            declared(3),
            ke.targets.Contrast(0, [1, 2, 7, 0]),
            "expected b of target Contrast|from 0 to 2, got 7",
        ),
        (dense, ke.targets.Region(9), "expected a class_ within the output, from 0 to 2, got 9"),
        (boxes, ke.targets.Box(100, 1), "expected boxes within the output, from 0 to 15, got 100"),
    ):
        for explain in (ke.gradients, ke.decompose):
            with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=f"^{message}"):
                explain(model, data, target=target)
