"""Where signals lie: a bright patch lights its own place in each, whatever way positions took."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
import places_zoo
from keras_fullgrad.maps import op
from keras_fullgrad.model.exposing import expose
from keras_fullgrad.terms import collect
from slow import slow_but

pytestmark = pytest.mark.filterwarnings("ignore:implicit biases")


NETS = slow_but("permuted", places_zoo.NETS)


def placed_signals(model, x):
    """Each term's signal as grids over the image, or the reason why it has no place: (name, pieces)."""
    names = []

    @tf.function(autograph=False)
    def run(x):
        computed = collect.forward(expose(model), x)
        names.clear()
        found = []
        for term in computed.terms:
            placement = computed.positions.of(term.signal)
            if isinstance(placement, str):
                names.append((term.name, placement))
            else:
                pieces = list(placement.pieces(term.signal))
                names.append((term.name, [(piece.layout, piece.area) for piece in pieces]))
                found += [piece.tensor for piece in pieces]
        names.append(computed.positions.space)
        return found

    tensors = iter([tensor.numpy() for tensor in run(tf.constant(x))])
    *terms, space = names
    for name, how in terms:
        if isinstance(how, str):
            yield name, how
        else:
            pieces = []
            for layout, area in how:
                tensor = next(tensors)
                pieces.append((np.moveaxis(tensor, 1, -1) if layout == "channels_first" else tensor, area))
            yield name, pieces
    assert list(space)


def energy_inside(before, after, area, box):
    """The share of what a patch changed that lies over it: (images,), and whether it changed anything."""
    change = np.square(after - before).sum((0, -1))
    inside = np.ones(change.shape, bool)
    for axis, size in enumerate(change.shape):
        start, end = area.start[axis], area.end[axis]
        edges = start + (end - start) * np.arange(size + 1) / size
        covered = (edges[:-1] < box[axis][1] - 1e-6) & (edges[1:] > box[axis][0] + 1e-6)
        inside &= covered.reshape([-1 if i == axis else 1 for i in range(change.ndim)])
    return change[inside].sum(), change.sum()


@pytest.mark.parametrize("name", NETS)
def test_a_bright_patch_lights_its_own_place(name):
    model, x = places_zoo.make(name)
    channels_first = x.shape[1] == 3 and x.ndim == 4
    space = x.shape[2:] if channels_first else x.shape[1:-1]
    # Half of the first axis in, a quarter of the others: no symmetry hides a wrong place.
    corner = [n // 2 if axis == 0 else n // 4 for axis, n in enumerate(space)]
    lengths = [max(1, n // 8) for n in space]
    slices = [slice(c, c + n) for c, n in zip(corner, lengths, strict=True)]
    bright = x.copy()
    bright[(slice(None), *((slice(None), *slices) if channels_first else slices))] += 3
    box = [(s.start / n, s.stop / n) for s, n in zip(slices, space, strict=True)]
    nowhere = places_zoo.NOWHERE.get(name, set()) | {"head"}
    seen = {}
    for (term, before), (_, after) in zip(
        placed_signals(model, x), placed_signals(model, bright), strict=True
    ):
        if isinstance(before, str):
            assert term in nowhere, (term, before)
            continue
        assert term not in nowhere, term
        inside, total = np.sum(
            [energy_inside(b, a, area, box) for (b, area), (a, _) in zip(before, after, strict=True)], axis=0
        )
        if term.endswith("attention_output"):
            assert total == 0  # Its mixing is switched off.
            continue
        assert total > 0, term
        seen[term] = inside / total
    assert seen
    assert min(seen.values()) > 0.95, seen


@pytest.mark.parametrize("name", NETS)
def test_native_and_tensorflow_agree_and_a_map_depends_on_its_image_alone(name):
    model, x = places_zoo.make(name)
    options = {"verbose": 0, "postprocessing": None, "preset": "paper"}
    native = ke.full_gradients(model, x, 1, **options).maps
    channels_first = x.ndim == 4 and x.shape[1] == 3
    assert native.shape == (2, *(x.shape[2:] if channels_first else x.shape[1:-1]), 1)
    plain = ke.full_gradients(model, x, 1, backend="tensorflow", **options).maps
    np.testing.assert_allclose(native, plain, rtol=1e-4, atol=1e-4 * np.abs(plain).max())
    alone = ke.full_gradients(model, x[1:], 1, **options).maps
    np.testing.assert_allclose(native[1:], alone, rtol=1e-3, atol=1e-3 * np.abs(plain).max())


@pytest.mark.parametrize("name", NETS)
def test_a_function_of_one_image_draws_what_one_of_any_number_does(name):
    """A graph whose batch is known to be of one image has no images to tell apart."""
    model, x = places_zoo.make(name)
    options = {"preset": "paper", "return_terms": True}

    def draw(shape):
        traced = tf.function(
            lambda x: ke.methods.gradient.full_gradients(model, x, tf.ones([1, 1], tf.int64), **options).terms
        )
        return traced.get_concrete_function(tf.TensorSpec(shape))(tf.constant(x[:1]))

    one, any_number = draw(x[:1].shape), draw([None, *x.shape[1:]])
    assert list(one) == list(any_number)
    for term in one:
        largest = np.abs(any_number[term]).max()
        np.testing.assert_allclose(one[term], any_number[term], rtol=1e-4, atol=1e-4 * largest, err_msg=term)


def spread(gradients, weights, size, *, layout, **_):
    """In place of the op: the sum of terms, all over their area, since a resize does not keep it."""
    total = 0.0
    for gradient, weight in zip(gradients, weights, strict=True):
        if layout == "channels_first" and weight.shape.rank == 1:
            weight = tf.reshape(weight, [-1] + [1] * (gradient.shape.rank - 2))
        product = tf.cast(gradient, tf.float64) * tf.cast(weight, tf.float64)
        total += tf.reduce_sum(product, range(1, gradient.shape.rank))
    pixels = tf.ones(tf.concat([tf.shape(total), size], 0), tf.float64)
    return tf.einsum("b,b...->b...", total, pixels / tf.cast(tf.reduce_prod(size), tf.float64))


@pytest.mark.parametrize("name", NETS)
def test_terms_add_up_and_what_is_not_drawn_is_left_out(monkeypatch, name):
    model, x = places_zoo.make(name)
    parts = ke.decompose(model, x, 1)
    assert parts.relative_error < 1e-4
    for part in parts.parts:
        assert part.explicit.shape == (2, 1)
    alone = ke.decompose(model, x[1:], 1)
    for part, other in zip(parts.parts, alone.parts, strict=True):
        np.testing.assert_allclose(
            part.total[1:], other.total, rtol=1e-3, atol=1e-4 * np.abs(parts.logits).max()
        )
    monkeypatch.setattr(op, "saliency_map", spread)
    options = {"implicit_biases": True, "return_terms": True, "postprocessing": None, "resizing": False}
    maps = ke.full_gradients(model, x, 1, psi=ke.filters.identity, verbose=0, **options).terms
    for part in parts.parts:
        drawn = maps[part.name].sum(axis=tuple(range(1, x.ndim - 1))) if part.name in maps else 0.0
        np.testing.assert_allclose(drawn + part.left_out, part.total, atol=1e-4 * np.abs(parts.logits).max())
        assert part.reason is not None or not part.left_out.any()


@pytest.mark.slow
def test_of_tokens_the_class_token_is_left_out():
    model, x = places_zoo.make("class_token")
    parts = {part.name: part for part in ke.decompose(model, x, 1).parts}
    norm = parts["block1_norm"]
    assert "class token" in norm.reason
    assert (np.abs(norm.left_out) > 0).all()
    assert (norm.left_out != norm.total).all()


def test_convolutions_that_disagree_are_named():
    image = keras.Input([6, 6, 6])
    first = keras.layers.Conv2D(2, 3, data_format="channels_first")(image)
    last = keras.layers.Conv2D(2, 3)(image)
    x = keras.layers.Concatenate()([keras.layers.Flatten()(first), keras.layers.Flatten()(last)])
    model = keras.Model(image, keras.layers.Dense(2)(x))
    with pytest.raises(ValueError, match="convolutions that add up one axis of the input"):
        ke.full_gradients(model, np.ones([1, 6, 6, 6]), verbose=0)


def test_an_operation_that_is_not_known_leaves_its_layer_out(images):
    class Sorted(keras.layers.Layer):
        def call(self, x):
            return tf.sort(x, axis=1)

    image = keras.Input([16, 12, 3])
    x = keras.layers.Conv2D(4, 3, name="before", bias_initializer="ones")(image)
    x = keras.layers.Conv2D(4, 3, name="after", bias_initializer="ones")(Sorted()(x))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    with pytest.warns(UserWarning, match=r"place in the image is not known.*: after\. positions="):
        explained = ke.full_gradients(model, images, 1, return_terms=True, verbose=0)
    assert list(explained.terms) == ["input", "before"]
    assert "after *" in str(ke.decompose(model, images, 1))


class Unknown(keras.layers.Layer):
    """Changes nothing, by an operation that nobody follows."""

    def call(self, x):
        return tf.sort(x[..., tf.newaxis])[..., 0]


def unknown_net(layer):
    keras.utils.set_random_seed(0)
    image = keras.Input([16, 12, 3])
    x = keras.layers.Conv2D(4, 3, name="before", bias_initializer="normal")(image)
    x = keras.layers.Conv2D(4, 3, 2, name="after", bias_initializer="normal", activation="relu")(layer(x))
    x = keras.layers.Dense(4, "gelu", name="pooled", bias_initializer="normal")(
        keras.layers.GlobalAveragePooling2D()(x)
    )
    return keras.Model(image, keras.layers.Dense(2)(x))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"y": 1},
        {"y": 1, "preset": "paper", "simple": True},
        {"y": 1, "implicit_biases": True},
        {"y": 1, "preset": "paper"},
        {"target": ke.targets.Contrast(0, 1)},
    ],
    ids=str,
)
def test_positions_tell_where_a_term_lies(images, options):
    asked = []

    def positions(name, term):
        asked.append(name)
        return term if term.shape.rank == 4 else None

    options = {**options, "return_terms": True, "verbose": 0}
    told = ke.full_gradients(unknown_net(Unknown()), images, positions=positions, **options)
    known = ke.full_gradients(unknown_net(keras.layers.Identity()), images, **options)
    assert {"after", "pooled"} <= set(asked)
    assert "implicit_biases" in options or "before" not in asked
    assert {"input", "before", "after"} <= set(told.terms)
    np.testing.assert_allclose(told.maps, known.maps, rtol=1e-4, atol=1e-4 * known.maps.max())
    if "simple" not in options:
        np.testing.assert_allclose(told.left_out, known.left_out, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (
            lambda name, term: tf.reduce_mean(term, -1),
            r"term of layer 'after'.*into a grid over the image, 4 axes",
        ),
        (
            lambda name, term: tf.concat([term, term], 0) if name == "after" else None,
            "keep the number of images",
        ),
    ],
)
def test_wrong_positions(images, positions, message):
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=message):
        ke.full_gradients(unknown_net(Unknown()), images, 1, positions=positions, verbose=0)


def two_images(stacked):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    first, second = keras.Input([16, 16, 3]), keras.Input([16, 16, 3])
    shared = layers.Conv2D(4, 3, activation="relu", bias_initializer="normal", name="shared")
    pool = layers.GlobalAveragePooling2D()
    if stacked:
        both = pool(shared(keras.ops.concatenate([first, second], axis=0)))
        halves = keras.ops.split(both, 2, axis=0)
    else:
        alone = layers.Conv2D(4, 3, bias_initializer="normal", name="alone")
        halves = [pool(shared(first)), pool(alone(shared(second)))]
    return keras.Model([first, second], layers.Dense(2)(layers.Concatenate()(halves)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:implicit biases")
@pytest.mark.parametrize("stacked", [False, True])
def test_of_two_images_each_map_holds_its_own_terms(stacked):
    model = two_images(stacked)
    first, second = np.random.default_rng(0).uniform(size=[2, 2, 16, 16, 3]).astype("float32")
    bright = second.copy()
    bright[:, 3:6, 3:6] = 9
    options = {"return_terms": True, "verbose": 0}
    of_first, unchanged = (
        ke.full_gradients(model, [first, x], 1, source=0, **options) for x in (second, bright)
    )
    assert list(of_first.terms) == ["input", "shared"]
    np.testing.assert_array_equal(of_first.maps, unchanged.maps)
    of_second = ke.full_gradients(model, [first, second], 1, source=1, **options)
    assert list(of_second.terms) == ["input", "shared"] + ([] if stacked else ["alone"])
    assert ke.decompose(model, [first, second], 1).relative_error < 1e-5


class Flat(keras.layers.Layer):
    """Tokens, whose number TensorFlow does not know while it traces, or does."""

    def __init__(self, known):
        super().__init__()
        self.known = known

    def call(self, x):
        shape = x.shape if self.known else tf.shape(x)
        return tf.reshape(x, tf.stack([tf.shape(x)[0], shape[1] * shape[2], x.shape[3]]))


def token_net(size, known=False):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input([size, size, 3])
    x = Flat(known)(layers.Conv2D(4, 2, 2, name="patches", bias_initializer="normal")(image))
    x = layers.Dense(4, "gelu", name="tokens", bias_initializer="normal")(x)
    return keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))


@pytest.mark.slow
def test_tokens_whose_number_is_not_known_while_tracing():
    x = np.random.default_rng(0).uniform(-1, 1, [2, 8, 8, 3]).astype("float32")
    options = {"implicit_biases": True, "return_terms": True, "verbose": 0}
    found, expected = (ke.full_gradients(token_net(8, known), x, 1, **options) for known in (False, True))
    assert {"patches", "tokens"} <= set(found.terms)
    np.testing.assert_allclose(found.maps, expected.maps, rtol=1e-5, atol=1e-5)
