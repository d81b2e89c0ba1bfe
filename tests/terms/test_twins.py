"""Nets that compute the same by other operations have the same map, however they cut, pad, join or turn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_fullgrad as ke
from slow import slow_but

pytestmark = pytest.mark.filterwarnings("ignore:implicit biases")

OPTIONS = {"preset": "paper", "postprocessing": None, "implicit_biases": False, "verbose": 0}


def drawn(seed):
    return keras.initializers.RandomNormal(0, 1, seed)


def conv(filters, size, strides=1, seed=1, **options):
    options = {"kernel_initializer": drawn(seed), "bias_initializer": drawn(seed + 10)} | options
    return layers.Conv2D(filters, size, strides, **options)


def dense(units, seed=2, **options):
    return layers.Dense(units, kernel_initializer=drawn(seed), bias_initializer=drawn(seed + 10), **options)


def ended(image, x):
    return keras.Model(image, dense(3, 3)(layers.Flatten()(ops.relu(x))))


def padded(twin):
    """One side of the image padded far beyond what a convolution sees, and cut off again."""
    image = keras.Input([16, 16, 3])
    x = image if twin else layers.ZeroPadding2D(((0, 16), (0, 0)))(image)
    return ended(image, conv(6, 2, 2, name="c")(x)[:, :8])


def merged(twin):
    """Four neighbours put into the channels, as Swin merges patches."""
    image = keras.Input([16, 16, 3])
    x = conv(6, 4, 4, name="c")(image)
    if twin:
        return ended(image, conv(5, 2, 2, 2, name="m")(x))
    x = ops.concatenate([x[:, a::2, b::2] for a in (0, 1) for b in (0, 1)], -1)
    return ended(image, dense(5, name="m")(x))


def views(twin, cut):
    image = keras.Input([16, 16, 3])
    x = conv(6, 8 if cut is flipped else 4, 8 if cut is flipped else 4, name="c")(image)
    head, both = dense(6, activation="relu", name="d"), cut(x)
    both = [head(x) for x in both] if twin else ops.split(head(ops.concatenate(both, 0)), 2, axis=0)
    return keras.Model(image, dense(3, 3)(layers.Concatenate()([layers.Flatten()(x) for x in both])))


def flipped(x):
    return [x, ops.flip(x, 2)]


def crops(x):
    return [x[:, :3], x[:, 1:]]


def sliced(twin):
    """Row by row through one layer, and put together again."""
    image = keras.Input([16, 2])
    head = dense(6, activation="relu", name="d")
    x = head(image) if twin else ops.stack([head(image[:, row]) for row in range(16)], 1)
    return keras.Model(image, dense(3, 3)(layers.Flatten()(dense(6, 4, activation="relu", name="e")(x))))


def along_rows(twin, channels):
    """A batch norm along rows, of which there are as many as channels, or not."""
    image = keras.Input([8, 8, 3])
    x = conv(channels, 1, name="c")(image)
    drawn_norm = {"beta_initializer": drawn(5), "gamma_initializer": drawn(6)}
    if twin:
        x = layers.Permute([2, 3, 1])(x)
        x = layers.Permute([3, 1, 2])(layers.BatchNormalization(name="n", **drawn_norm)(x))
    else:
        x = layers.BatchNormalization(axis=1, name="n", **drawn_norm)(x)
    return ended(image, x)


NETS = {
    "padded": padded,
    "merged": merged,
    "flipped": lambda twin: views(twin, flipped),
    "crops": lambda twin: views(twin, crops),
    "sliced": sliced,
    "as many rows as channels": lambda twin: along_rows(twin, 8),
    "other rows than channels": lambda twin: along_rows(twin, 5),
}


@pytest.mark.parametrize("name", slow_but("merged", NETS))
def test_twins_have_the_same_map(name):
    net, twin = NETS[name](False), NETS[name](True)
    if name == "merged":
        weights = net.get_weights()
        weights[2] = weights[2].reshape(2, 2, 6, 5)
        twin.set_weights(weights)
    x = np.random.default_rng(0).uniform(-1, 1, [2, *net.input_shape[1:]]).astype("float32")
    np.testing.assert_allclose(net(x), twin(x), rtol=1e-3, atol=1e-4)
    found, expected = (ke.full_gradients(each, x, 1, return_terms=True, **OPTIONS) for each in (net, twin))
    for term in found.terms.keys() & expected.terms.keys():
        np.testing.assert_allclose(found.terms[term], expected.terms[term], atol=1e-4, err_msg=term)
    if name != "sliced":  # Slices are of one part each: told, not drawn.
        assert found.terms.keys() == expected.terms.keys()
        np.testing.assert_allclose(found.maps, expected.maps, atol=1e-4)


def test_slices_of_one_part_are_told():
    x = np.random.default_rng(0).uniform(-1, 1, [1, 16, 2]).astype("float32")
    net = sliced(False)
    with pytest.warns(UserWarning, match="whose place in the image is not known.*: d"):
        ke.full_gradients(net, x, 1, verbose=0)
    part = next(part for part in ke.decompose(net, x, 1).parts if part.name == "d")
    assert "of one part of the image" in part.reason
    np.testing.assert_allclose(part.left_out, part.total)


@pytest.mark.parametrize("joined", ["stacked", "in time", "one after the other"])
def test_two_images_through_one_net(joined):
    """The map over each holds what came from that image alone, however both were handed on."""
    image = keras.Input([12, 8, 3])
    x = conv(4, 3, 1, 2, padding="same", activation="relu")(
        conv(6, 3, padding="same", activation="relu")(image)
    )
    tower = keras.Model(image, dense(5, 3)(layers.GlobalAveragePooling2D()(x)))
    left, right = keras.Input([12, 8, 3]), keras.Input([12, 8, 3])
    twin = keras.Model([left, right], ops.add(tower(left), 2 * tower(right)))
    if joined == "stacked":
        both = ops.reshape(tower(ops.reshape(ops.stack([left, right], 1), (-1, 12, 8, 3))), (-1, 2, 5))
    elif joined == "in time":
        both = layers.TimeDistributed(tower)(ops.stack([left, right], 1))
    else:
        both = ops.stack(ops.split(tower(ops.concatenate([left, right], 0)), 2, axis=0), 1)
    net = keras.Model([left, right], both[:, 0] + 2 * both[:, 1])
    rng = np.random.default_rng(0)
    images = [rng.normal(size=[3, 12, 8, 3]).astype("float32") for _ in range(2)]
    np.testing.assert_allclose(net(images), twin(images), atol=1e-4)
    found, expected = (
        ke.full_gradients(each, images, 1, source="all", **OPTIONS).maps for each in (net, twin)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert ke.decompose(net, images, 1).relative_error < 1e-5


def test_a_layer_within_a_vectorized_map_is_told():
    class Mapped(layers.Layer):
        def __init__(self):
            super().__init__(name="mapped")
            self.conv = conv(6, 2, 2, name="c")
            self.conv.build([None, 16, 16, 3])

        def call(self, x):
            return tf.vectorized_map(lambda image: self.conv(image[tf.newaxis])[0], x)

        def compute_output_shape(self, shape):
            return (shape[0], 8, 8, 6)

    image = keras.Input([16, 16, 3])
    net = ended(image, Mapped()(image))
    x = np.random.default_rng(0).normal(size=[2, 16, 16, 3]).astype("float32")
    parts = ke.decompose(net, x, 1)
    assert parts.relative_error < 1e-5
    assert "mapped" in {part.name for part in parts.layers}
    with pytest.warns(UserWarning, match="the biases of mapped/c .* are not in the map"):
        ke.full_gradients(net, x, 1, verbose=0)


def test_columns_that_a_convolution_adds_up_are_no_channels():
    """Rows as a sequence, of one channel or of several: rows are found, and columns are not."""
    for channels in (1, 3):
        image = keras.Input([16, 12, channels])
        x = layers.Permute([1, 3, 2])(image)
        x = layers.Reshape([16 * channels, 12])(x)
        x = layers.Conv1D(4, 3, padding="same", bias_initializer="normal", activation="relu")(x)
        net = keras.Model(image, dense(3, 3)(layers.Flatten()(x)))
        x = np.random.default_rng(0).normal(size=[2, 16, 12, channels]).astype("float32")
        assert ke.full_gradients(net, x, 1, verbose=0).maps.shape == (2, 16, 12, 1)
        assert ke.decompose(net, x, 1).relative_error < 1e-5


def test_a_model_of_batches_of_one_size():
    image = keras.Input(batch_shape=(1, 8, 8, 3))
    net = keras.Model(image, dense(3, 3)(ops.reshape(conv(4, 3, activation="relu")(image), [1, -1])))
    x = np.random.default_rng(0).normal(size=[2, 8, 8, 3]).astype("float32")
    for explain in (ke.full_gradients, ke.decompose):
        with pytest.raises(
            ValueError, match=r"expected batches of 1 images, .*got 2: batch_size=1 cuts them so"
        ):
            explain(net, x, 1)
        assert len(explain(net, x, 1, batch_size=1).logits) == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_first_of_an_input_that_a_model_permutes(channels):
    keras.utils.set_random_seed(0)
    image = keras.Input([12, 10, channels])
    last = ended(image, conv(4, 3, activation="relu")(image))
    image = keras.Input([channels, 12, 10])
    first = keras.Model(image, last(layers.Permute([2, 3, 1])(image)))
    x = np.random.default_rng(0).normal(size=[2, 12, 10, channels]).astype("float32")
    expected = ke.full_gradients(last, x, 1, verbose=0).maps
    found = ke.full_gradients(first, np.moveaxis(x, -1, 1), 1, verbose=0).maps
    np.testing.assert_allclose(found, expected, atol=1e-5)
