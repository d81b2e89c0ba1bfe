"""Explaining data of every kind, traces, and every wrong input."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fullgrad as ke
from keras_fullgrad.targets.classes import top_classes


def test_one_line_and_nothing_prepared(small_net, images):
    logits, maps = explained = ke.full_gradients(small_net, images, verbose=0)
    assert (logits.shape, maps.shape) == ((5, 1), (5, 16, 12, 1))
    assert isinstance(maps, np.ndarray)
    assert maps.dtype == np.float32
    np.testing.assert_allclose([maps.min((1, 2, 3)), maps.max((1, 2, 3))], [[0] * 5, [1] * 5])
    top = explained.classes[:, 0]
    np.testing.assert_array_equal(logits[:, 0], explained.outputs.max(-1))
    np.testing.assert_array_equal(maps, ke.full_gradients(small_net, images, top, verbose=0)[1])
    np.testing.assert_array_equal(top, small_net.predict(images, verbose=0).argmax(-1))


def test_k_classes_equal_k_calls(small_net, images):
    y = np.array([[0, 3], [1, 2], [2, 2], [3, 0], [1, 0]])
    logits, maps = ke.full_gradients(small_net, images, y, verbose=0)
    assert (logits.shape, maps.shape) == ((5, 2), (5, 16, 12, 2))
    for k in range(2):
        one_logit, one_map = ke.full_gradients(small_net, images, y[:, k], verbose=0)
        np.testing.assert_allclose(logits[:, k : k + 1], one_logit, atol=1e-6)
        np.testing.assert_allclose(maps[..., k : k + 1], one_map, atol=1e-5)


@pytest.mark.parametrize("explain", [ke.full_gradients, ke.gradients])
def test_top_classes_of_each_image(small_net, images, explain):
    logits, maps = explained = explain(small_net, images, top=3, verbose=0)
    assert (logits.shape, maps.shape) == ((5, 3), (5, 16, 12, 3))
    ranked = np.argsort(-explained.outputs, axis=-1)[:, :3]
    np.testing.assert_array_equal(explained.classes, ranked)
    given = explain(small_net, images, ranked, verbose=0)[1]
    np.testing.assert_allclose(maps, given, atol=1e-5)


def test_equal_logits_are_ranked_by_class():
    assert top_classes(tf.constant([[1.0, 2.0, 2.0]]), 2).numpy().tolist() == [[1, 2]]


@pytest.mark.parametrize("top", [0, 5])
def test_more_top_classes_than_there_are(small_net, images, top):
    with pytest.raises(ValueError, match=f"top from 1 to the 4 classes of the model, got {top}"):
        ke.full_gradients(small_net, images, top=top, verbose=0)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_a_map_does_not_depend_on_the_batch(small_net, images, batch_size):
    expected = ke.full_gradients(small_net, images, 1, verbose=0)
    logits, maps = ke.full_gradients(small_net, images, 1, batch_size=batch_size, verbose=0)
    np.testing.assert_allclose(logits, expected[0], atol=1e-6)
    np.testing.assert_allclose(maps, expected[1], atol=1e-5)


class Pairs(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self.x[2 * index : 2 * index + 2], self.y[2 * index : 2 * index + 2]


@pytest.mark.parametrize("batch_size", [None, 1])
def test_data_of_every_kind(small_net, images, batch_size):
    y = np.array([[0], [1], [2], [3], [0]])
    expected = ke.full_gradients(small_net, images, y, verbose=0)[1]
    float32 = images.astype(np.float32)
    for x, classes in [
        (tf.constant(float32), tf.constant(y)),
        (images.tolist(), y.tolist()),
        (tf.data.Dataset.from_tensor_slices((images, y)).batch(2), None),
        (((images[i : i + 2], y[i : i + 2]) for i in range(0, 5, 2)), None),
        (Pairs(images, y), None),
        (float32, y.astype(np.uint8)),
    ]:
        maps = ke.full_gradients(small_net, x, classes, batch_size=batch_size, verbose=0)[1]
        np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_data_without_classes_explains_the_top(small_net, images):
    expected = ke.full_gradients(small_net, images, verbose=0)[1]
    for x in (tf.data.Dataset.from_tensor_slices(images).batch(2), iter([images[:3], images[3:]])):
        np.testing.assert_allclose(ke.full_gradients(small_net, x, verbose=0)[1], expected, atol=1e-5)


def test_steps_end_an_endless_stream(small_net, images):
    def endless():
        while True:
            yield images[:2]

    assert ke.full_gradients(small_net, endless(), steps=3, verbose=0)[1].shape[0] == 6
    assert ke.full_gradients(small_net, images, batch_size=2, steps=2, verbose=0)[1].shape[0] == 4


def test_integers_are_taken_as_they_are(small_net):
    x = np.random.default_rng(0).integers(0, 255, [2, 16, 12, 3], np.uint8)
    np.testing.assert_array_equal(
        ke.full_gradients(small_net, x, 1, verbose=0)[1],
        ke.full_gradients(small_net, x.astype(float), 1, verbose=0)[1],
    )


def test_a_model_that_was_never_called(images):
    model = keras.Sequential(
        [keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    )
    assert ke.full_gradients(model, images, verbose=0)[1].shape == (5, 16, 12, 1)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_precisions(dtype, images):
    def net(policy):
        keras.utils.set_random_seed(1)
        image = keras.Input([16, 12, 3], dtype="float64" if policy == "float64" else "float32")
        x = keras.layers.Conv2D(8, 3, activation="relu", bias_initializer="normal", dtype=policy)(image)
        x = keras.layers.BatchNormalization(dtype=policy)(x)
        x = keras.layers.GlobalAveragePooling2D(dtype=policy)(x)
        return keras.Model(image, keras.layers.Dense(3, dtype=policy)(x))

    model, single = net(dtype), net("float32")
    single.set_weights(model.get_weights())
    _, maps = ke.full_gradients(model, images, 1, verbose=0)
    assert maps.dtype == (np.float64 if dtype == "float64" else np.float32)
    expected = ke.full_gradients(single, images, 1, verbose=0)[1]
    tolerance = {"mixed_float16": 0.01, "mixed_bfloat16": 0.05, "float64": 1e-5}[dtype]
    assert np.abs(maps - expected).mean() < tolerance


@pytest.mark.slow
def test_series_and_volumes():
    for rank, conv in ((1, keras.layers.Conv1D), (3, keras.layers.Conv3D)):
        size = [9, 7, 5][:rank]
        image = keras.Input([*size, 2])
        x = conv(4, 3, padding="same", activation="relu")(image)
        model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
        x = np.random.default_rng(2).normal(size=[2, *size, 2])
        maps = [
            ke.full_gradients(model, x, 0, backend=backend, verbose=0)[1]
            for backend in ("native", "tensorflow")
        ]
        assert maps[0].shape == (2, *size, 1)
        np.testing.assert_allclose(*maps, atol=1e-5)


@pytest.mark.slow
def test_presets_and_options_agree_between_backends(small_net, images):
    for options in [
        {"preset": "paper"},
        {"preset": "paper", "simple": True},
        {"simple": True, "psi": ke.filters.absolute},
        {"psi": ke.filters.positive_normalize},
        {"psi": tf.abs},
    ]:
        native, plain = (
            ke.full_gradients(small_net, images, 2, backend=b, verbose=0, **options)[1]
            for b in ("native", "tensorflow")
        )
        np.testing.assert_allclose(native, plain, atol=1e-5)


def test_a_psi_of_ones_own(small_net, images):
    own = ke.full_gradients(
        small_net, images, 1, psi=lambda t, axis: ke.filters.normalize(tf.abs(t), axis), verbose=0
    )
    np.testing.assert_allclose(own[1], ke.full_gradients(small_net, images, 1, verbose=0)[1], atol=1e-5)


def test_gradients_are_those_of_a_tape(small_net, images):
    x = tf.constant(images[:2], tf.float32)
    head = small_net.get_layer("head")
    logits_net = keras.Model(small_net.inputs, head.input)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logit = (logits_net(x) @ head.kernel + head.bias)[:, 1]
    expected = tf.reduce_mean(tf.abs(tape.gradient(logit, x)), -1, keepdims=True)
    maps = ke.gradients(small_net, images[:2], 1, postprocessing=None, verbose=0)[1]
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-7)


def test_resizing(small_net, images):
    def coarse(model, inputs, indices):
        logits, maps = ke.methods.gradient.gradients(model, inputs, indices)
        return logits, maps[:, ::2, ::2]

    for resizing, size in [(True, (16, 12)), ((5, 7), (5, 7)), (False, (8, 6)), (None, (8, 6))]:
        maps = ke.explain(coarse, small_net, images, 1, resizing=resizing, verbose=0)[1]
        assert maps.shape == (5, *size, 1)


def test_callbacks_and_progress(small_net, images, capsys):
    seen = []

    class Callback(keras.callbacks.Callback):
        def on_predict_begin(self, logs=None):
            seen.append("begin")

        def on_predict_batch_end(self, batch, logs=None):
            seen.append(batch)

        def on_predict_end(self, logs=None):
            seen.append("end")

    ke.full_gradients(small_net, images, 1, batch_size=2, callbacks=[Callback()], verbose=1)
    assert seen == ["begin", 0, 1, 2, "end"]
    assert "3/3" in capsys.readouterr().out
    ke.full_gradients(small_net, images, 1, verbose=0)
    assert capsys.readouterr().out == ""


def test_exposed_and_given_biases_count(small_net, images):
    exposed = ke.inspection.expose(small_net)
    biases = ke.inspection.biases([e.layer for e in exposed.arguments])
    with pytest.raises(ValueError, match="a bias for each of the 5 exposed layers, got 4"):
        ke.full_gradients(exposed, images, 1, biases=biases[:-1], verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "message"),
    [
        (
            (3, 16, 12),
            0,
            {},
            ValueError,
            r"expected inputs of shape .*None, 16, 12, 3.*got \(3, 16, 12\)",
        ),
        ((3, 16, 12, 4), 0, {}, ValueError, r"expected inputs of shape .*got \(3, 16, 12, 4\)"),
        (
            (0, 16, 12, 3),
            0,
            {},
            ValueError,
            r"at least one image, got inputs of shape \(0, 16, 12, 3\)",
        ),
        ((2, 16, 12, 3), 4, {}, ValueError, "classes from 0 to 3 in y, got 4"),
        ((2, 16, 12, 3), [0, -1], {}, ValueError, "classes of 0 or more in y, got -1"),
        ((2, 16, 12, 3), [0.5, 1.0], {}, TypeError, "classes as integers, got float64"),
        (
            (2, 16, 12, 3),
            [0, 1, 2],
            {},
            ValueError,
            r"y of shape \(2, K\) for 2 images, got \(3, 1\)",
        ),
        ((2, 16, 12, 3), [[], []], {}, ValueError, r"y of shape \(2, K\)"),
        ((2, 16, 12, 3), 0, {"batch_size": 0}, ValueError, "batch_size to be at least 1, got 0"),
        ((2, 16, 12, 3), 0, {"steps": 0}, ValueError, "steps to be at least 1, got 0"),
        ((2, 16, 12, 3), 0, {"preset": "best"}, ValueError, "one of default, paper, got 'best'"),
        (
            (2, 16, 12, 3),
            0,
            {"backend": "gpu"},
            ValueError,
            "one of auto, native, tensorflow, got 'gpu'",
        ),
    ],
)
def test_wrong_input(small_net, x, y, options, error, message):
    with pytest.raises(error, match=message):
        ke.full_gradients(small_net, np.zeros(x), y, verbose=0, **options)


def test_axes_of_positions_that_do_not_fit(small_net, images):
    with pytest.raises(ValueError, match=r"all axes of inputs of rank 4.*got \(1,\)"):
        ke.explain(ke.methods.gradient.full_gradients, small_net, images, 1, spatial_axis=(1,), verbose=0)


def test_wrong_data(small_net, images):
    with pytest.raises(TypeError, match="batches, got int"):
        ke.full_gradients(small_net, 3, verbose=0)
    with pytest.raises(ValueError, match="expected no y beside a"):
        ke.full_gradients(small_net, tf.data.Dataset.from_tensors(images), [0], verbose=0)
    with pytest.raises(ValueError, match="got an iterable without any"):
        ke.full_gradients(small_net, iter([]), verbose=0)
    with pytest.raises(ValueError, match="got an empty dataset"):
        ke.full_gradients(small_net, tf.data.Dataset.from_tensors(images).take(0), verbose=0)
    with pytest.raises(TypeError, match=r"expected a Keras 3 model, got builtins\.str"):
        ke.full_gradients("model", images, verbose=0)


def test_a_model_without_positions():
    model = keras.Sequential([keras.Input([7]), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match=r"1 to 3 spatial dimensions.*a map needs positions"):
        ke.full_gradients(model, np.zeros([2, 7]), verbose=0)


def test_classes_out_of_range_of_a_model_whose_classes_nobody_knows(images):
    class Unknown(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(3)

        def call(self, x):
            return self.head(tf.reduce_mean(x, [1, 2]))

    with pytest.raises(tf.errors.InvalidArgumentError, match="expected classes within the logits"):
        ke.full_gradients(Unknown(), images, 3, verbose=0)


def test_indices_of_an_unknown_number_of_classes(small_net):
    @tf.function(input_signature=[tf.TensorSpec([None, 16, 12, 3]), tf.TensorSpec([None, None], tf.int32)])
    def traced(x, y):
        return ke.methods.gradient.full_gradients(small_net, x, y)

    with pytest.raises(ValueError, match="a known number of classes"):
        traced.get_concrete_function()


def test_a_method_takes_floating_inputs_only(small_net):
    with pytest.raises(ValueError, match="floating type, got int32"):
        ke.methods.gradient.gradients(small_net, tf.zeros([1, 16, 12, 3], tf.int32))


def test_batch_by_batch(small_net, images):
    logits, maps = ke.explain(ke.methods.gradient.full_gradients, small_net, images, 1, verbose=0)
    parts = list(ke.explain_iter(ke.methods.gradient.full_gradients, small_net, images, 1, batch_size=2))
    assert [len(part) for _, part in parts] == [2, 2, 1]
    np.testing.assert_allclose(np.concatenate([part for part, _ in parts]), logits, rtol=1e-5)
    np.testing.assert_allclose(np.concatenate([part for _, part in parts]), maps, rtol=1e-4, atol=1e-6)


def test_a_batch_is_computed_when_it_is_asked_for(small_net, images):
    asked = []

    def stream():
        for i in range(4):
            asked.append(i)
            yield images[i : i + 1]
        raise OSError("the disk is gone")

    results = ke.explain_iter(ke.methods.gradient.gradients, small_net, stream())
    assert asked == []
    kept = [next(results), next(results)]
    assert len(asked) <= 3  # One batch ahead at most.
    kept += [next(results), next(results)]
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)
    expected = ke.explain(ke.methods.gradient.gradients, small_net, images[:4], batch_size=1, verbose=0)[1]
    np.testing.assert_array_equal(np.concatenate([maps for _, maps in kept]), expected)


def test_batch_by_batch_refuses_at_once(small_net, images):
    with pytest.raises(ValueError, match="expected batch_size to be at least 1, got 0"):
        ke.explain_iter(ke.methods.gradient.gradients, small_net, images, batch_size=0)


def test_results_of_known_length_are_written_in_place(monkeypatch, small_net, images):
    expected = ke.full_gradients(small_net, images, 1, batch_size=2, verbose=0)[1]
    monkeypatch.setattr(np, "concatenate", lambda parts: pytest.fail("held twice"))
    maps = ke.full_gradients(small_net, images, 1, batch_size=2, verbose=0)[1]
    np.testing.assert_array_equal(maps, expected)


@pytest.mark.slow
def test_what_is_left_out_is_what_the_decomposition_does_not_place(small_net, images):
    explained = ke.full_gradients(small_net, images, y=[[0, 3]] * 5, return_terms=True, verbose=0)
    parts = ke.decompose(small_net, images, y=[[0, 3]] * 5)
    missing = np.abs(parts.logits - parts.explicit_sum)
    missing += sum(np.abs(part.explicit) for part in parts.parts if part.reason)
    drawn = sum(np.abs(part.explicit) for part in parts.parts if not part.reason)
    np.testing.assert_allclose(explained.left_out, missing / (missing + drawn), rtol=1e-3, atol=1e-6)
    assert ke.full_gradients(small_net, images, 0, verbose=0).left_out is None


def test_images_with_nan(small_net, images):
    broken = images.copy()
    broken[1, 3, 4, 0] = np.nan
    with pytest.warns(UserWarning, match="maps of 1 of 5 images are NaN, first that of image 1") as warned:
        maps = ke.full_gradients(small_net, broken, 0, verbose=0).maps
    assert warned[0].filename == __file__
    np.testing.assert_array_equal(np.isnan(maps).mean(axis=(1, 2, 3)), [0, 1, 0, 0, 0])
    np.testing.assert_array_equal(maps[2:], ke.full_gradients(small_net, images, 0, verbose=0).maps[2:])
    with pytest.warns(UserWarning, match="maps of 1 of 2 images are NaN"):
        list(ke.explain_iter(ke.methods.gradient.gradients, small_net, broken, 0, batch_size=2))


@pytest.mark.parametrize("explain", [ke.full_gradients, ke.gradients, ke.decompose, ke.completeness])
def test_within_a_function_of_tensorflow(small_net, images, explain):
    with pytest.raises(ValueError, match=r"expected a call outside of tf.function.*methods.gradient"):
        tf.function(lambda x: explain(small_net, x)[0])(tf.constant(images))


def test_simple_where_it_changes_nothing(small_net, images):
    for layer in small_net.layers:  # Their biases are 0 in a new net.
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(0.1 + layer.moving_mean)
    expected = ke.full_gradients(small_net, images, 1, verbose=0)
    with pytest.warns(
        UserWarning, match="simple=True changes nothing here but where a bias is 0: absolute_norm"
    ):
        found = ke.full_gradients(small_net, images, 1, verbose=0, simple=True)
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-5)
    paper = ke.full_gradients(small_net, images, 1, verbose=0, simple=True, preset="paper").maps
    assert not np.allclose(paper, ke.full_gradients(small_net, images, 1, verbose=0, preset="paper").maps)
