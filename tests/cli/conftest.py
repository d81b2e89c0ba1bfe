"""What the tests of the command line share: a folder of photographs, and a net to explain them."""

import keras
import pytest

from cli.running import photograph, saved


@pytest.fixture
def photos(tmp_path):
    """A folder with five photographs, one of them in a folder of its own."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for seed, name in enumerate(["a.png", "b.jpg", "c.bmp", "d.webp", "more/a.png"]):
        photograph(seed).save(folder / name)
    return folder


@pytest.fixture(scope="session")
def colour_net(tmp_path_factory):
    """A net for images of 24x20 in three channels, that rescales them itself."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input([24, 20, 3]),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(6, 3, activation="relu", bias_initializer="normal"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(4),
    ]
    return saved(keras.Sequential(layers), tmp_path_factory.mktemp("nets") / "colour.keras")
