"""The terms of a logit: sums, tensors, shares, tables, and what maps leave out."""

import json
import re
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from typer.testing import CliRunner

import keras_fullgrad as ke
import keras_fullgrad_cli as cli
import zoo
from keras_fullgrad import inspection
from keras_fullgrad.model.info import read_model
from keras_fullgrad.running import traces
from keras_fullgrad.terms import forward_mode
from keras_fullgrad.terms.decompose import left_out


def test_explicit_and_implicit_terms_are_those_of_the_formula():
    image = keras.Input([4, 4, 1])
    x = layers.Conv2D(1, 1, name="conv", activation="softplus")(image)
    model = keras.Model(image, layers.Flatten()(layers.AveragePooling2D(4)(x)))
    model.set_weights([np.full([1, 1, 1, 1], 2.0), np.array([0.5])])
    x = np.random.default_rng(0).normal(size=[1, 4, 4, 1]).astype("float32")
    z = 2 * x + 0.5
    slope = 1 / (1 + np.exp(-z))
    parts = {part.name: part for part in ke.decompose(model, x).parts}
    np.testing.assert_allclose(parts["input"].explicit, [[(x * 2 * slope).mean()]], rtol=1e-5)
    np.testing.assert_allclose(parts["conv"].explicit, [[(0.5 * slope).mean()]], rtol=1e-5)
    implicit = np.log1p(np.exp(z)) - slope * z
    np.testing.assert_allclose(parts["conv"].implicit, [[implicit.mean()]], rtol=1e-5)


def test_tensors_hold_the_terms_themselves():
    model, x = zoo.make("shared")
    parts = ke.decompose(model, x, [[0, 1]] * 3, batch_size=2, tensors=True)
    assert parts.logits.shape == (3, 2)
    for part in parts.parts:
        for tensors, sums in (
            (part.explicit_tensors, part.explicit),
            (part.implicit_tensors, part.implicit),
        ):
            total = sum(tensor.reshape(3, -1, 2).sum(axis=1) for tensor in tensors)
            np.testing.assert_allclose(total, sums, atol=1e-9)
    (conv,) = (part for part in parts.layers if part.kind == "Conv2D")
    assert [tensor.shape for tensor in conv.explicit_tensors] == [(3, 12, 10, 3, 2)] * 2 + [(3, 6, 5, 3, 2)]
    assert parts.inputs[0].explicit_tensors[0].shape == (3, 12, 10, 3, 2)


@pytest.mark.slow
def test_shares_are_signed_and_their_magnitudes_add_up_to_one():
    model, x = zoo.make("subclassed")
    shares = ke.decompose(model, x).shares
    np.testing.assert_allclose(sum(np.abs(share) for share in shares.values()), 1, rtol=1e-9)
    assert min(share.min() for share in shares.values()) < 0


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_table_fits_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    model, x = zoo.make("squeeze_and_excite")
    parts = ke.decompose(model, x)
    lines = str(parts).splitlines()
    assert max(map(len, lines)) <= columns
    rows = [line.split("│")[1:-1] for line in lines if line.startswith("│")]
    numbers = [[cell.strip() for cell in row[-2:]] for row in rows if row[-1].strip()]
    assert len(numbers) == sum(part.explicit.any() or part.implicit.any() for part in parts.parts)
    for last, share in numbers:
        float(last)  # Whole, on one line.
        float(share.rstrip("%"))


def test_table_names_layers_and_the_error(capsys):
    model, x = zoo.make("squeeze_and_excite")
    parts = ke.completeness(model, x)
    printed = capsys.readouterr().out
    assert printed.strip() == str(parts).strip()
    silent = [part for part in parts.parts if not (part.explicit.any() or part.implicit.any())]
    assert len(silent) == 1
    assert "1 layer whose bias is 0 not shown" in " ".join(printed.split())
    for part in parts.parts:
        assert (part.name in printed) != (part in silent)
    assert f"{parts.relative_error:.1e}" in printed


def test_input_is_drawn_where_none_is_given():
    assert ke.completeness(zoo.make("two_inputs")[0]).relative_error < 1e-5
    with pytest.raises(ValueError, match="expected x for model 'classifier"):
        ke.completeness(zoo.make("subclassed")[0])


def test_exposed_layers_are_those_with_explicit_biases():
    model, x = zoo.make("functional")
    first = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))
    parts = ke.decompose(inspection.expose(model, [first], model.layers[-1]), x)
    assert [part.name for part in parts.layers if part.explicit.any()] == [first.name]
    assert parts.relative_error < 1e-5


def test_unbuilt_and_wrong_input():
    model, x = zoo.make("functional")
    with pytest.raises(TypeError, match=r"expected a Keras 3 model, got builtins\.str"):
        ke.decompose("net", x)
    with pytest.raises(
        ValueError, match=r"expected inputs of shape \(None, 12, 10, 3\).*got \(3, 12, 10, 1\)"
    ):
        ke.decompose(model, x[..., :1])
    with pytest.raises(ValueError, match="expected classes from 0 to 3 in y, got 4"):
        ke.decompose(model, x, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["subclassed", "squeeze_and_excite", "attention"])
def test_share_left_out_is_what_implicit_biases_add(name):
    model, x = zoo.make(name)
    parts = ke.decompose(model, x[:1])
    implicit = abs(sum(part.implicit for part in parts.parts)).sum()
    explicit = sum(abs(part.explicit).sum() for part in parts.parts)
    share = left_out(read_model(model), tf.constant(x[:1])).implicit
    assert share == pytest.approx(implicit / (implicit + explicit), rel=1e-4)


@pytest.mark.slow
def test_one_warning_for_each_model_that_leaves_much_out():
    model, x = zoo.make("subclassed")
    share = left_out(read_model(model), tf.constant(x[:1])).implicit
    with pytest.warns(UserWarning, match=f"implicit biases make up {share:.0%} of .*'classifier") as caught:
        ke.full_gradients(model, x, verbose=0)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ke.full_gradients(model, x, verbose=0)
        ke.full_gradients(zoo.make("subclassed")[0], x, verbose=0, implicit_biases=True)
        ke.full_gradients(zoo.make("subclassed")[0], x, verbose=0, preset="paper", simple=True)
        ke.full_gradients(zoo.make("functional")[0], x, verbose=0)


def test_implicit_biases_and_simple_exclude_each_other():
    model, x = zoo.make("functional")
    with pytest.raises(ValueError, match="simple or implicit_biases, got both"):
        ke.full_gradients(model, x, verbose=0, simple=True, implicit_biases=True)
    own = keras.Model(model.input, [model.output, model.layers[1].output])
    with pytest.raises(ValueError, match="a model from expose"):
        ke.full_gradients(own, x, biases=[np.zeros(5)], verbose=0, implicit_biases=True)


@pytest.mark.slow
def test_nets_of_relus_have_no_implicit_terms():
    # Their maps stay those published, to the last bit: rounding must not pass for a bias.
    model, x = zoo.make("convolutions")
    maps = [ke.full_gradients(model, x, 0, verbose=0, implicit_biases=b)[1] for b in (False, True)]
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-6)


@pytest.mark.parametrize(
    "resize",
    [
        lambda x: tf.image.resize(x, [9, 4]),
        lambda x: tf.compat.v1.image.resize(x, [3, 8], align_corners=True),
        lambda x: tf.image.resize(x, [3, 8], "bicubic"),
        lambda x: tf.image.resize(x, [7, 2], "nearest"),
        lambda x: tf.image.resize(x, [3, 4], antialias=True),
        lambda x: tf.image.resize(x, [7, 3], "lanczos3"),
    ],
)
def test_forward_mode_of_resizes_is_the_resize(resize):
    x, direction = tf.unstack(tf.random.stateless_normal([2, 1, 5, 6, 2], [0, 0]))
    with forward_mode.accumulating(x, direction) as accumulator:
        product = accumulator.jvp(resize(x))
    np.testing.assert_allclose(product, resize(direction), atol=1e-6)


def test_forward_mode_of_softsign():
    x, direction = tf.unstack(tf.random.stateless_normal([2, 50], [0, 0]))
    with forward_mode.accumulating(x, direction) as accumulator:
        product = accumulator.jvp(tf.nn.softsign(x))
    np.testing.assert_allclose(product, direction / (1 + tf.abs(x)) ** 2, rtol=1e-5)


def _batch_norm(version, **how):
    def compute(x):
        last = [1.0, -2.0]
        x = tf.transpose(x, [0, 3, 1, 2]) if how.get("data_format") == "NCHW" else x
        operation = getattr(tf.raw_ops, f"FusedBatchNorm{version}")
        normed = operation(
            x=x, scale=last, offset=last, mean=last, variance=[2.0, 3.0], is_training=False, **how
        )
        return normed[0]

    return compute


# Each was None, as if it did not depend on x: of some in a function alone.
IN_FUNCTIONS = {
    "FusedBatchNorm": _batch_norm(""),
    "FusedBatchNormV2": _batch_norm("V2"),
    "FusedBatchNormV3": _batch_norm("V3"),
    "channels first": _batch_norm("V3", data_format="NCHW"),
    "fake_quant_with_min_max_args": lambda x: tf.quantization.fake_quant_with_min_max_args(x, -1, 1),
    "fake_quant_with_min_max_vars": lambda x: tf.quantization.fake_quant_with_min_max_vars(x, -1.0, 1.0),
    "per channel": lambda x: tf.quantization.fake_quant_with_min_max_vars_per_channel(
        x, [-1.0, -0.5], [1.0, 0.5]
    ),
}


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("name", IN_FUNCTIONS)
def test_forward_mode_agrees_with_reverse_mode(name, called):
    compute = tf.function(IN_FUNCTIONS[name], autograph=False) if called else IN_FUNCTIONS[name]
    x, direction = tf.unstack(tf.random.stateless_normal([2, 3, 5, 6, 2], [0, 0]))
    with forward_mode.accumulating(x, direction) as accumulator:
        product = accumulator.jvp(compute(x))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = compute(x)
    flowing = tf.random.stateless_normal(y.shape, [0, 1])
    expected = tf.reduce_sum(tape.gradient(y, x, flowing) * direction)
    np.testing.assert_allclose(tf.reduce_sum(product * flowing), expected, rtol=1e-4)


@pytest.mark.parametrize("is_training", [False, True])
def test_a_batch_norm_is_differentiated_as_ever_while_another_thread_explains(is_training):
    x = tf.random.stateless_normal([3, 5, 6, 2], [0, 0])
    scale, offset = tf.constant([1.0, -2.0]), tf.constant([0.5, 0.1])
    kept = {"mean": [], "variance": []} if is_training else {"mean": [1.0, 0.3], "variance": [2.0, 3.0]}

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch((x, scale, offset))
            y = tf.raw_ops.FusedBatchNormV3(x=x, scale=scale, offset=offset, is_training=is_training, **kept)[
                0
            ]
        return tape.gradient(y, (x, scale, offset), tf.cos(x))

    expected = gradients()
    with forward_mode.accumulating(tf.constant(1.0), tf.constant(1.0)):
        found = gradients()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_terms_that_do_not_add_up_are_told():
    @tf.custom_gradient
    def wrong(x):
        return x, lambda flowing: 2 * flowing

    image = keras.Input([8, 8, 4])
    model = zoo.with_head(image, layers.Lambda(wrong)(image))
    with pytest.warns(UserWarning, match="expected the terms of model .* to add up to its logit"):
        ke.decompose(model, np.ones([1, 8, 8, 4]))


def test_operation_without_forward_mode_is_named():
    image = keras.Input([8, 8, 4])
    model = zoo.with_head(image, layers.Lambda(lambda x: tf.nn.local_response_normalization(x))(image))
    with pytest.raises(NotImplementedError, match="LRNGrad"):
        ke.decompose(model, np.ones([1, 8, 8, 4]))
    assert ke.full_gradients(model, np.ones([1, 8, 8, 4]), verbose=0, preset="paper", simple=True)[
        1
    ].shape == (1, 8, 8, 1)


@pytest.fixture
def saved(tmp_path):
    model, x = zoo.make("preprocessing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Of Keras, which writes arrays.
        model.save(tmp_path / "net.keras")
    np.save(tmp_path / "x.npy", x)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli.app, ["completeness", *map(str, arguments)])


def test_command_prints_table_or_json(saved):
    table = run(saved / "net.keras")
    assert table.exit_code == 0, table.output
    assert "conv2d" in table.output
    assert "relative error" in table.output
    result = run(saved / "net.keras", "--inputs", saved / "x.npy", "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert facts["relative_error"] < 1e-5
    assert {part["class"] for part in facts["parts"]} >= {"Input", "Conv2D", "Rescaling"}
    assert sum(abs(part["share"]) for part in facts["parts"]) <= 1 + 1e-9


def test_command_ends_with_what_is_wrong(saved):
    (saved / "broken.keras").write_bytes(b"no zip")
    for arguments, message, status in [
        ([saved / "missing.keras"], r"expected a \.keras or \.h5 file", 1),
        ([saved / "broken.keras"], "broken.keras", 1),
        ([saved / "net.keras", "--inputs", saved / "broken.keras"], r"expected a \.npy file", 1),
        ([saved / "net.keras", "--tolerance", "0"], "the sum is off by", 2),
    ]:
        result = run(*arguments)
        assert result.exit_code == status, result.output
        assert re.search(rf"error: .*{message}", result.output, re.DOTALL), result.output


def test_command_loads_no_code_unless_told(tmp_path):
    model = zoo.chain(layers.Conv2D(4, 3), layers.Lambda(lambda x: x * 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model.save(tmp_path / "net.keras")
    refused = run(tmp_path / "net.keras")
    assert refused.exit_code == 1
    assert "safe_mode" in refused.output
    assert run(tmp_path / "net.keras", "--unsafe").exit_code == 0


def test_signals_of_a_model_of_the_users_own_are_numbered():
    model, x = zoo.make("functional")
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    own = keras.Model(model.input, [model.output, *(layer.output for layer in convolutions)])
    _, maps = explained = ke.full_gradients(
        own, x, biases=[layer.bias for layer in convolutions], return_terms=True, verbose=0
    )
    terms = explained.terms
    assert list(terms) == ["input", "signal 0", "signal 1"]
    np.testing.assert_allclose(sum(terms.values()), maps, rtol=1e-6)


def test_layer_called_input_is_not_the_input():
    model = zoo.chain(layers.Conv2D(4, 3, bias_initializer="ones", name="input"))
    x = np.ones([1, *zoo.IMAGE])
    assert list(ke.full_gradients(model, x, return_terms=True, verbose=0).terms) == ["input", "input~2"]
    assert [part.name for part in ke.decompose(model, x).parts][:2] == ["input", "input~2"]


def test_no_batch_at_all():
    with pytest.raises(ValueError, match="at least one batch"):
        ke.decompose(zoo.make("functional")[0], iter([]))


SMALL_KERNELS = """
import sys, keras, numpy as np, keras_fullgrad as ke

layers = keras.layers
for channels in range(3, 13, 3):
    image = keras.Input([64, 64, 1])
    x = layers.SeparableConv2D(channels, 3, padding="same", activation="relu")(image)
    y = layers.BatchNormalization()(layers.Conv2D(channels, 1, 2, padding="same")(x))
    x = layers.Add()([layers.MaxPooling2D(3, 2, padding="same")(x), y])
    model = keras.Model(image, layers.Dense(7, "softmax")(layers.GlobalAveragePooling2D()(x)))
    for _ in range(3):
        images = np.random.uniform(-1, 1, [4, 64, 64, 1])
        ke.full_gradients(model, images, verbose=0)
        assert ke.decompose(model, images).relative_error < 1e-4
"""


@pytest.mark.slow
def test_gradients_of_kernels_are_never_computed():
    """TensorFlow 2.21 corrupts memory over those of small kernels of stride 2 (oneDNN, AVX-512)."""
    ended = subprocess.run([sys.executable, "-c", SMALL_KERNELS], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]


class Residual(keras.layers.Layer):
    """Adds a constant, and goes on with the sum both through a layer and past it."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4, bias_initializer="normal")

    def call(self, x):
        x = x + 1.0
        x = x + self.dense(x)
        return x + 2.0


class Query(keras.layers.Layer):
    """Takes in positions of its own, through layers whose biases do not depend on the image."""

    def __init__(self):
        super().__init__()
        self.positions = keras.layers.Embedding(6, 4)
        self.dense = keras.layers.Dense(4, bias_initializer="normal")
        self.norm = keras.layers.LayerNormalization(beta_initializer="normal")

    def call(self, x):
        return x * self.norm(self.dense(self.positions(keras.ops.arange(6))))


def net_of(layer):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input([6, 4]), layer(), layer(), layers.Flatten(), layers.Dense(2)])


@pytest.mark.parametrize("layer", [Residual, Query])
@pytest.mark.parametrize("traced", [False, True])
def test_layers_of_ones_own_count_each_constant_once(monkeypatch, layer, traced):
    x = np.random.default_rng(0).normal(size=[2, 6, 4])
    if not traced:
        monkeypatch.setattr(traces, "traced", lambda *_: (_ for _ in ()).throw(NotImplementedError))
    assert ke.decompose(net_of(layer), x, 0).relative_error < 1e-5


def test_layers_of_ones_own_count_each_constant_once_in_half_precision():
    x = np.random.default_rng(0).normal(size=[2, 6, 4])
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = net_of(Query)
    finally:
        keras.config.set_dtype_policy(before)
    assert ke.decompose(model, x, 0).relative_error < 5e-3
