"""Targets: each explains what a model around the net would put out as a class of its own."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_fullgrad as ke
from keras_fullgrad.integrations import xplique
from keras_fullgrad.reporting import page
from keras_fullgrad.running import traces
from slow import slow_but
from target_cases import (
    BOXES,
    CASES,
    EMBEDDING,
    IMAGES,
    MASK,
    MASKS,
    around,
    binary,
    classifier,
    detector,
    segmenter,
    several,
)

QUICK = "mask of each"


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=[IMAGES, 12, 8, 3]).astype("float32")


@pytest.mark.parametrize("name", slow_but(QUICK, CASES))
@pytest.mark.parametrize("backend", ["native", "tensorflow"])
def test_maps_are_those_of_a_model_around(x, name, backend):
    target, net, scalar = CASES[name]
    model = net()
    options = {"backend": backend, "implicit_biases": False, "batch_size": IMAGES, "verbose": 0}
    found = ke.full_gradients(model, x, target=target, **options)
    expected = ke.full_gradients(around(model, scalar), x, **options)
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-6)
    in_pieces = ke.full_gradients(model, x, target=target, **options | {"batch_size": 2})
    np.testing.assert_allclose(in_pieces.maps, found.maps, atol=2e-5)


@pytest.mark.parametrize("name", slow_but("cosine", CASES))
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("float64", 1e-10)])
def test_all_terms_add_up(x, name, dtype, bound):
    target, net, _ = CASES[name]
    model = net(dtype, activation="gelu")
    found = ke.decompose(model, x.astype(dtype), target=target)
    assert found.relative_error < bound


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_targets_of_eager_calls(x, name):
    target, net, _ = CASES[name]
    model = net()
    expected = ke.full_gradients(
        model, x, target=target, postprocessing=None, implicit_biases=False, verbose=0
    )
    found = ke.methods.gradient.full_gradients(model, tf.constant(x), target)
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-5)
    if name in ("class", "contrast", "region", "mask of each", "box", "cosine", "function"):
        traced = tf.function(ke.methods.gradient.full_gradients, autograph=False)
        np.testing.assert_allclose(traced(model, tf.constant(x), target)[1], expected.maps, atol=1e-5)


def test_only_what_is_not_linear_adds_a_part_of_its_own(x):
    model = classifier()
    for target, own in (
        (ke.targets.Contrast(1, 2), False),
        (ke.targets.Similarity(EMBEDDING), False),
        (ke.targets.Similarity(EMBEDDING, "cosine"), True),
        (lambda o: o[:, 0] * o[:, 1], True),
    ):
        found = ke.decompose(model, x, target=target)
        parts = {part.name: part for part in found.layers}
        name = "Similarity" if own and isinstance(target, ke.targets.Target) else "<lambda>"
        if not own:
            assert not {"Contrast", "Similarity"} & {
                n for n, p in parts.items() if abs(p.implicit).max() > 1e-6
            }
            continue
        assert parts[name].kind == "Target"
        assert parts[name].has_bias is False
    # Of degree 0: all of a cosine is its own, and what all other terms add is nothing.
    cosine = ke.decompose(model, x, target=ke.targets.Similarity(EMBEDDING, "cosine"))
    own = next(part for part in cosine.layers if part.name == "Similarity")
    np.testing.assert_allclose(own.implicit, cosine.logits, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(own.left_out, own.implicit)


def test_a_warning_tells_what_a_target_adds_by_itself(x):
    model, cosine = classifier(), ke.targets.Similarity(EMBEDDING, "cosine")
    with pytest.warns(UserWarning, match="target Similarity is not linear, and adds .*% of what") as said:
        ke.full_gradients(model, x, target=cosine, verbose=0)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for target in (cosine, ke.targets.Similarity(EMBEDDING), ke.targets.Contrast(1, 2), ke.targets.Sum()):
            ke.full_gradients(model, x, target=target, verbose=0)


@pytest.mark.parametrize(
    "target", [lambda o: tf.cast(tf.argmax(o, -1), tf.float32), lambda o: tf.ones([tf.shape(o)[0]])]
)
def test_a_target_that_no_gradient_reaches(x, target):
    with pytest.raises(ValueError, match="expected the logits to depend on the input"):
        ke.full_gradients(classifier(), x, target=target, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_targets_on_several_devices(x, name):
    target, net, _ = CASES[name]
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = net()
    options = {"target": target, "implicit_biases": False, "verbose": 0, "batch_size": 3}
    found, expected = (ke.full_gradients(each, x, **options) for each in (model, net()))
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_targets_in_mixed_precision(x, name):
    # Each in one of the two: what is computed in a narrow type is the net, not the target.
    types = [("mixed_float16", 5e-3), ("mixed_bfloat16", 5e-2)]
    policy, bound = types[list(CASES).index(name) % 2]
    target, net, _ = CASES[name]
    model, half = net(), net(keras.DTypePolicy(policy))
    options = {"target": target, "implicit_biases": False, "verbose": 0}
    expected, found = (ke.full_gradients(each, x, **options) for each in (model, half))
    assert found.maps.dtype == "float32"
    assert np.linalg.norm(found.maps - expected.maps) < bound * np.linalg.norm(expected.maps)
    assert ke.decompose(half, x, target=target).relative_error < bound


def test_other_numbers_do_not_trace_again(x):
    model = segmenter()
    for target in (ke.targets.Region(1, mask=MASK.astype("float32")), ke.targets.Region(2, mask=MASKS)):
        ke.full_gradients(model, x, target=target, batch_size=2, implicit_biases=False, verbose=0)
    assert len(traces._KEPT[model].traces) == 1
    boxes = [ke.targets.Region(1, box=(0, 0, 3, 3)), ke.targets.Region(3, box=BOXES)]
    for target in boxes:
        ke.full_gradients(model, x, target=target, batch_size=2, implicit_biases=False, verbose=0)
    assert len(traces._KEPT[model].traces) == 2


def test_classes_of_an_output_are_told(x):
    model = several()
    found = ke.full_gradients(
        model, x, target=ke.targets.Output("b"), top=2, implicit_biases=False, verbose=0
    )
    outputs = model.predict(x, verbose=0)["b"]
    np.testing.assert_allclose(found.outputs, outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.classes, np.argsort(-outputs, -1)[:, :2])
    assert (
        ke.full_gradients(model, x, target=ke.targets.Sum(), implicit_biases=False, verbose=0).classes is None
    )


def test_outputs_come_before_their_softmax(x):
    model = classifier()
    probabilities = keras.Model(
        model.input, {"class": layers.Softmax()(model.output), "scores": model.output}
    )
    target = ke.targets.Output("class", ke.targets.Contrast(1, 2))
    found = ke.decompose(probabilities, x, target=target)
    logits = model.predict(x, verbose=0)
    np.testing.assert_allclose(found.logits[:, 0], logits[:, 1] - logits[:, 2], rtol=1e-4, atol=1e-6)


def test_a_single_unit_behind_a_sigmoid_tells_two_classes(x):
    model, unit = classifier(), binary()
    options = {"implicit_biases": False, "verbose": 0}
    top, one, both = (ke.full_gradients(unit, x, y, **options) for y in (None, 1, [0, 1, 0, 1, 1]))
    np.testing.assert_array_equal(top.logits, one.logits)
    np.testing.assert_array_equal(top.classes, 1)
    sign = np.array([[-1], [1], [-1], [1], [1]])
    np.testing.assert_allclose(both.logits, sign * one.logits, rtol=1e-6)
    # As image_dataset_from_directory yields them for two folders.
    data = tf.data.Dataset.from_tensor_slices((x, np.array([[0.0], [1], [0], [1], [1]]))).batch(2)
    np.testing.assert_allclose(ke.full_gradients(unit, data, **options).logits, both.logits, rtol=1e-5)
    raw = keras.Model(model.input, layers.Dense(1)(model.output))
    np.testing.assert_allclose(
        ke.full_gradients(raw, x, 0, **options).logits, raw.predict(x, verbose=0), rtol=1e-5
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected classes within the logits"):
        ke.full_gradients(raw, x, 1, **options)


def test_labels_of_data(x):
    model = classifier()
    options = {"implicit_biases": False, "verbose": 0}
    names = ["cat", "dog", "owl", "elk", "ant"]
    expected = ke.full_gradients(model, x, [2, 0, 1, 4, 3], **options)
    found = ke.full_gradients(model, x, ["owl", "cat", "dog", "ant", "elk"], labels=names, **options)
    np.testing.assert_array_equal(found.maps, expected.maps)
    for labels in (
        np.array([2.0, 0, 1, 4, 3]),
        np.eye(5)[[2, 0, 1, 4, 3]],
        np.eye(5, dtype=bool)[[2, 0, 1, 4, 3]],
    ):
        data = tf.data.Dataset.from_tensor_slices((x, labels)).batch(IMAGES)
        np.testing.assert_array_equal(ke.full_gradients(model, data, **options).maps, expected.maps)
    top = ke.full_gradients(model, x, **options)
    for ignoring in ({"labels": False}, {"target": ke.targets.Class()}):
        found = ke.full_gradients(model, data, **options, **ignoring)
        np.testing.assert_array_equal(found.classes, top.classes)
    found = ke.full_gradients(model, data, target=ke.targets.Class(2), **options)
    np.testing.assert_array_equal(found.classes, 2)


@pytest.mark.slow
@pytest.mark.parametrize("meta", [ke.methods.meta.smooth, ke.methods.meta.tta])
def test_averages_of_targets(x, meta):
    model = segmenter()
    method = meta(ke.methods.gradient.full_gradients)
    found = ke.explain(method, model, x, target=ke.targets.Region(1), implicit_biases=False, verbose=0)
    expected = ke.explain(method, around(model, CASES["region"][2]), x, implicit_biases=False, verbose=0)
    np.testing.assert_allclose(found.maps, expected.maps, rtol=1e-3, atol=1e-6)
    eager = method(model, tf.constant(x), CASES["region"][2])
    np.testing.assert_allclose(eager.maps, expected.maps, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_metrics_of_targets(x):
    model = segmenter()
    maps = np.random.default_rng(0).uniform(size=[IMAGES, 12, 8])
    target, wrapped = ke.targets.Region(2, mask=MASKS), around(model, CASES["mask of each"][2])
    for metric in (ke.metrics.deletion, ke.metrics.insertion, ke.metrics.pixel_perturbation):
        options = {"shares": [0, 0.5, 1], "activation": None}
        found = metric(model, x, maps, target=target, batch_size=2, **options)
        expected = metric(wrapped, x, maps, batch_size=IMAGES, **options)
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-5)
    cascade = ke.metrics.cascading_randomisation(
        ke.methods.gradient.full_gradients, model, x, target=target, implicit_biases=False
    )
    assert cascade.values.shape[0] == IMAGES


@pytest.mark.slow
@pytest.mark.parametrize("y", [None, [0, 1, 1, 0, 1]])
def test_a_report_of_a_single_unit(x, tmp_path, y, monkeypatch):
    model, cards = binary(), []
    render = page.render
    monkeypatch.setattr(page, "render", lambda *args: cards.extend(args[3]) or render(*args))
    ke.report(model, x, y, out=tmp_path / "page.html")
    expected = ke.full_gradients(model, x, y, implicit_biases=False, verbose=0).logits[:, 0]
    found = [card.explanations[0].logit for card in cards]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    ranked = [card.logits[card.explanations[0].target] for card in cards]
    np.testing.assert_allclose(ranked, expected, rtol=1e-4)
    assert [card.explanations[0].target for card in cards] == (y or [1] * IMAGES)
    said = model.predict(x, verbose=0)[:, 0]
    probabilities = [card.probabilities[card.explanations[0].target] for card in cards]
    chosen = [1 - p if c == 0 else p for p, c in zip(said, y or [1] * IMAGES, strict=True)]
    np.testing.assert_allclose(probabilities, chosen, rtol=1e-4)


def test_xplique_explains_a_single_unit_as_it_is(x):
    found = xplique.FullGrad(binary(), implicit_biases=False)(x, np.ones([IMAGES, 1]))
    expected = ke.full_gradients(binary(), x, 1, implicit_biases=False, verbose=0)
    np.testing.assert_array_equal(found, expected.maps)


@pytest.mark.slow
def test_a_report_names_its_target(x, tmp_path):
    model = segmenter()
    page = ke.report(model, x, out=tmp_path / "page.html", target=ke.targets.Region(1, mask=MASK))
    assert "Region(class_=1, mask=(12, 8))" in page.read_text()


ERRORS = [
    (segmenter, None, ValueError, r"target=ke.targets.Region\(1\)"),
    (several, None, ValueError, r"target=ke.targets.Output\('a'\) explains the first of \['a', 'b'\]"),
    (several, ke.targets.Output("c"), ValueError, r"expected 'c' to be one of the outputs \['a', 'b'\]"),
    (several, ke.targets.Output(2), ValueError, "an index below 2"),
    (classifier, ke.targets.Region(1), ValueError, "expected an output with positions for Region"),
    (classifier, ke.targets.Box(1, 1), ValueError, "expected an output of boxes for Box"),
    (
        segmenter,
        ke.targets.Region(1, mask=np.ones([3, 12, 8])),
        ValueError,
        "for all or for each of 5 images",
    ),
    (segmenter, ke.targets.Region(1, mask=np.ones([8, 12])), ValueError, r"expected a mask of the output's"),
    (segmenter, ke.targets.Region(1, mask=np.ones([12])), ValueError, "to have 2 axes, or an axis of images"),
    (segmenter, ke.targets.Region(1, box=(1, 2)), ValueError, "expected a box of 4 numbers"),
    (segmenter, ke.targets.Region(4), tf.errors.InvalidArgumentError, "a class_ within the output"),
    (segmenter, ke.targets.Region(1, box=(0, 0, 13, 8)), tf.errors.InvalidArgumentError, "a box within"),
    (detector, ke.targets.Box(96, 0), tf.errors.InvalidArgumentError, "boxes within the output"),
    (classifier, ke.targets.Contrast(1, 5), tf.errors.InvalidArgumentError, "classes within the logits"),
    (
        classifier,
        ke.targets.Similarity(np.ones([4])),
        ValueError,
        r"an embedding of shape \(5,\), got \(4,\)",
    ),
    (
        classifier,
        lambda o: o[..., None],
        ValueError,
        r"expected target <lambda> to return one scalar for each",
    ),
    (classifier, lambda o: 1.0, ValueError, "expected target <lambda> to return a tensor, got float"),
    (classifier, "Region(1)", TypeError, "expected a target, such as ke.targets.Class"),
    (classifier, ke.targets.Contrast, TypeError, "expected a target, such as ke.targets.Class"),
]


@pytest.mark.parametrize(("net", "target", "error", "message"), ERRORS)
def test_errors_say_what_to_write(x, net, target, error, message):
    with pytest.raises(error, match=message):
        ke.full_gradients(net(), x, target=target, implicit_biases=False, verbose=0)


def test_errors_of_arguments(x):
    with pytest.raises(ValueError, match="expected mask or box, got both"):
        ke.targets.Region(1, mask=MASK, box=(0, 0, 1, 1))
    with pytest.raises(ValueError, match="expected b to be a class, 'runner-up' or None, got 'second'"):
        ke.targets.Contrast(1, "second")
    with pytest.raises(ValueError, match="expected kind to be dot or cosine, got 'l2'"):
        ke.targets.Similarity(EMBEDDING, "l2")
    with pytest.raises(TypeError, match="expected class_ to be whole numbers"):
        ke.targets.Region(0.5)
    with pytest.raises(ValueError, match="expected index of 0 or more, got -1"):
        ke.targets.Box(-1, 0)
    with pytest.raises(ValueError, match="another Output"):
        ke.targets.Output("a", ke.targets.Output("b"))
    with pytest.raises(ValueError, match="expected y or target, got both"):
        ke.full_gradients(classifier(), x, 1, target=ke.targets.Class(1), verbose=0)
