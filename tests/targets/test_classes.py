"""Labels as people have them."""

import numpy as np
import pytest

from keras_fullgrad.targets.classes import as_classes

ONE_HOT = np.eye(4, dtype=int)[[3, 0, 2]]


@pytest.mark.parametrize("dtype", [int, float, bool, np.uint8, np.float16])
def test_one_hot_labels_of_any_type(dtype):
    assert as_classes(ONE_HOT.astype(dtype), 3).tolist() == [[3], [0], [2]]


@pytest.mark.parametrize("dtype", [int, float, bool])
def test_one_hot_labels_of_two_classes(dtype):
    assert as_classes(np.array([[0, 1], [1, 0]], dtype), 2).tolist() == [[1], [0]]


def test_both_classes_of_two():
    assert as_classes([[0, 1]] * 3, 3).tolist() == [[0, 1]] * 3
    assert as_classes([[1, 0]] * 3, 3).tolist() == [[1, 0]] * 3


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
