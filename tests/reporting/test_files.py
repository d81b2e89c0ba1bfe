"""Files are written whole or not at all."""

import pytest

from keras_fullgrad.reporting.files import write_whole


def test_a_file_takes_its_place_once_it_is_written(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with write_whole(path) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_nothing_is_left_of_a_file_that_is_not_finished(tmp_path, error):
    def write(file):
        file.write(b"after")
        raise error

    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(error), write_whole(path) as file:
        write(file)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_in_the_way(tmp_path):
    with pytest.raises(IsADirectoryError), write_whole(tmp_path):
        pytest.fail("opened")
    with pytest.raises(FileNotFoundError), write_whole(tmp_path / "missing" / "file"):
        pytest.fail("opened")
    assert not list(tmp_path.iterdir())
