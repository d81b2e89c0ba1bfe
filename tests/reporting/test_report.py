"""The report: what it holds, that it is one safe file, written whole or not at all, and every wrong input."""

import base64
import hashlib
import re

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

import keras_fullgrad as ke
from keras_fullgrad.reporting import page
from keras_fullgrad.reporting.explanations import Layer
from report_page import Page, cells, decoded

pytestmark = pytest.mark.slow

EVIL = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>\u2028&\"'"


def test_numbers_are_those_of_the_library(small_net, images, tmp_path):
    path = ke.report(small_net, images, top=2, out=tmp_path / "report.html")
    found = Page(path)
    logits = ke.full_gradients(small_net, images, verbose=0).outputs
    classes = np.argsort(-logits, axis=-1)[:, :2]
    parts = ke.decompose(small_net, images, classes)
    # The pooling is linear and adds rounding errors; the head's biases are 0.
    shown = [part for part in parts.parts if part.name not in ("pool", "head")]
    assert found.names == [part.name for part in shown]
    assert [layer["kind"] for layer in found.layers] == [part.kind for part in shown]
    for image, card in enumerate(found.cards):
        assert [each["target"] for each in card] == classes[image].tolist()
        for k, each in enumerate(card):
            expected = logits[image, classes[image, k]]
            np.testing.assert_allclose([each["logit"], each["total"]], expected, rtol=1e-5)
            for name in ("explicit", "implicit"):
                sums = [getattr(part, name)[image, k] for part in shown]
                np.testing.assert_allclose(each[name], sums, rtol=1e-4, atol=1e-6)


def test_classes_are_ranked_by_their_logits(small_net, images, tmp_path):
    found = Page(ke.report(small_net, images, y=2, labels="abcd", out=tmp_path / "report.html"))
    logits = ke.full_gradients(small_net, images, verbose=0).outputs
    starts = [place + 1 for place, text in enumerate(found.texts) if text == "Probability"]
    for start, values in zip(starts, logits, strict=True):
        labels, numbers = found.texts[start : start + 12 : 3], found.texts[start + 1 : start + 12 : 3]
        assert labels == ["abcd"[index] for index in np.argsort(-values)]
        np.testing.assert_allclose(np.array(numbers, float), np.sort(values)[::-1], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("target", [None, ke.targets.Class(np.array([[0, 1], [1, 0]]))])
def test_both_of_two_classes(images, tmp_path, target):
    # Two columns of zeros and ones are the classes here, never one-hot labels.
    layers = [keras.Input([16, 12, 3]), keras.layers.Conv2D(2, [16, 12]), keras.layers.Flatten()]
    net = keras.Sequential(layers)
    options = {"top": 2} if target is None else {"target": target}
    found = Page(ke.report(net, images[:2], out=tmp_path / "report.html", **options))
    assert all(sorted(each["target"] for each in card) == [0, 1] for card in found.cards)


def test_a_class_below_the_highest_is_shown_too(images, tmp_path):
    net = keras.Sequential(
        [keras.Input([16, 12, 3]), keras.layers.Conv2D(9, [16, 12]), keras.layers.Flatten()]
    )
    logits = net.predict(images, verbose=0)
    lowest = logits.argmin(-1)
    found = Page(ke.report(net, images, lowest, out=tmp_path / "report.html"))
    assert all(found.texts.count(f"class {index}") >= 1 for index in lowest)
    assert sum(text.startswith("class ") for text in found.texts) == 5 * 6


def test_pictures_are_the_maps(small_net, images, tmp_path):
    found = Page(ke.report(small_net, images, y=[[0, 3]] * 5, out=tmp_path / "report.html"))
    _, maps = explained = ke.full_gradients(small_net, images, y=[[0, 3]] * 5, return_terms=True, verbose=0)
    terms = explained.terms
    drawn = {layer["name"]: layer["cell"] for layer in found.layers if layer["cell"] is not None}
    assert drawn.keys() == terms.keys()
    for image, card in enumerate(found.cards):
        for k, each in enumerate(card):
            expected = ke.filters.normalize(maps[image : image + 1, ..., k : k + 1])[0, ..., 0]
            np.testing.assert_allclose(decoded(each["map"]) / 255, expected, atol=0.06)
            shown = list(cells(each))
            for name, cell in drawn.items():
                small = shown[cell]
                assert small.shape == (56, 40)
                whole = terms[name][image, ..., k].astype(np.float32)
                resized = Image.fromarray(whole).resize((40, 56), Image.Resampling.BILINEAR)
                np.testing.assert_allclose(small, resized, atol=0.1 * np.ptp(whole))


def test_implicit_biases_are_told_and_drawn_on_demand(tmp_path):
    layers = keras.layers
    net = keras.Sequential(
        [
            keras.Input([12, 12, 1]),
            layers.Conv2D(3, 3, bias_initializer="normal", name="conv"),
            layers.Activation("gelu", name="gelu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, bias_initializer="normal", name="head"),
        ]
    )
    x = np.random.default_rng(0).random([2, 12, 12, 1])
    plain, full = (
        Page(ke.report(net, x, out=tmp_path / f"{drawn}.html", implicit_biases=drawn))
        for drawn in (False, True)
    )
    assert plain.names == full.names == ["input", "conv", "gelu", "head"]
    assert [layer["cell"] is None for layer in plain.layers] == [False, False, True, True]
    assert [layer["cell"] is None for layer in full.layers] == [False, False, False, True]
    for card in plain.cards:
        explicit, implicit = np.abs(card[0]["explicit"]), np.abs(card[0]["implicit"])
        missing = implicit.sum() + explicit[3]
        np.testing.assert_allclose(
            card[0]["left_out"], missing / (explicit.sum() + implicit.sum()), rtol=1e-4
        )
        assert implicit[2] > 0
    assert all(full.cards[i][0]["left_out"] < plain.cards[i][0]["left_out"] for i in range(2))


def test_simple_fullgrad_draws_layers_without_biases_in_their_place(tmp_path):
    keras.utils.set_random_seed(3)  # With some weights, nothing comes through the ReLUs.
    layers = keras.layers
    net = keras.Sequential(
        [
            keras.Input([12, 12, 1]),
            layers.Conv2D(3, 3, activation="relu", name="first"),
            layers.Conv2D(3, 3, activation="relu", bias_initializer="ones", name="second"),
            layers.Conv2D(3, 3, activation="relu", name="third"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    x = np.random.default_rng(0).random([1, 12, 12, 1])
    assert Page(ke.report(net, x, out=tmp_path / "report.html")).names == ["input", "second"]
    simple = Page(ke.report(net, x, out=tmp_path / "simple.html", simple=True, preset="paper"))
    assert simple.names == ["input", "first", "second", "third"]
    assert all(np.ptp(cell) > 0 for cell in cells(simple.cards[0][0]))


def test_a_model_of_its_own_kind_in_reduced_precision(tmp_path):
    class Net(keras.Model):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.conv = keras.layers.Conv2D(
                4, 3, name="conv2d", bias_initializer="ones", dtype="mixed_bfloat16"
            )
            self.pool = keras.layers.GlobalAveragePooling2D(dtype="mixed_bfloat16")

        def call(self, x):
            return self.pool(self.conv(x))

    x = np.random.default_rng(0).random([2, 9, 9, 3])
    out = tmp_path / "report.html"
    assert Page(ke.report(Net(), x, out=out, labels="abcd")).names[:2] == ["input", "conv2d"]
    with pytest.raises(ValueError, match="expected 4 labels, got 3"):
        ke.report(Net(), x, out=out, labels="abc")


def test_same_arguments_same_bytes(small_net, images, tmp_path):
    first, second = (ke.report(small_net, images, out=tmp_path / f"{i}.html", top=3) for i in range(2))
    assert first.read_bytes() == second.read_bytes()


def test_texts_from_outside_stay_texts(small_net, images, tmp_path):
    given = {"names": [EVIL, *"1234"], "labels": [EVIL, "b", "c", "d"], "title": EVIL}
    found = Page(ke.report(small_net, images, out=tmp_path / "report.html", top=4, **given))
    assert sum(tag == "script" for tag, _ in found.tags) == len(images) + 2
    assert [kind for kind, _ in found.scripts].count(None) == 1
    assert not found.attributes("onerror")
    assert found.texts.count(EVIL) == 3 + len(images)  # The title twice, a name, and a label for each image.


def test_names_of_layers_and_facts_stay_data(tmp_path):
    (tmp_path / "page.html").write_text(page.render("", [EVIL], [Layer(EVIL, "Conv2D", None)], [], None))
    found = Page(tmp_path / "page.html")
    assert found.names == [EVIL]
    assert EVIL in found.texts


def test_file_names_that_are_no_text(small_net, images, tmp_path):
    names = ["caf\udce9.png", *"1234"]
    found = Page(ke.report(small_net, images, out=tmp_path / "report.html", names=names))
    assert "caf?.png" in found.texts


def test_page_needs_nothing_else_and_runs_its_own_script_only(small_net, images, tmp_path):
    found = Page(ke.report(small_net, images, out=tmp_path / "report.html"))
    assert all(uri.startswith("data:") for name in ("src", "href") for uri in found.attributes(name))
    assert "url(" not in found.source
    assert not found.attributes("style")
    (policy,) = (a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    (style,) = re.findall("<style>(.*?)</style>", found.source, re.DOTALL)
    (script,) = (text for kind, text in found.scripts if kind is None)
    for name, text in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_images_are_shown_as_given_and_reduced(small_net, images, tmp_path):
    rng = np.random.default_rng(0)
    given = [
        rng.integers(0, 256, [900, 450, 3], np.uint8),
        *(rng.random(shape) for shape in ([16, 12], [16, 12, 1], [5, 5, 3], [1, 1])),
    ]
    found = Page(ke.report(small_net, images, out=tmp_path / "report.html", images=given))
    tags = [a for tag, a in found.tags if tag == "img" and "src" in a]
    shown = [decoded(a["src"]) for a in tags]
    sizes = [(448, 224), (16, 12), (16, 12), (5, 5), (1, 1)]
    assert [picture.shape[:2] for picture in shown] == sizes
    assert [(int(a["height"]), int(a["width"])) for a in tags] == sizes
    np.testing.assert_allclose(shown[4] / 255, given[4][0, 0], atol=0.05)


@pytest.mark.parametrize(("scale", "kind"), [(1, float), (2, float), (-3, float), (255, int), (-255, int)])
def test_inputs_are_shown_from_their_least_to_their_greatest_where_they_are_no_images(
    small_net, tmp_path, scale, kind
):
    ramp = np.linspace(0.2, 0.8, 16 * 12).reshape(1, 16, 12, 1) * scale
    found = Page(ke.report(small_net, ramp.repeat(3, -1).astype(kind), out=tmp_path / "report.html"))
    (uri,) = found.attributes("src")
    ends = np.sort(decoded(uri)[[0, -1], [0, -1]].mean(-1)) / 255
    as_it_is = scale == 1 or scale == 255
    np.testing.assert_allclose(ends, [0.2, 0.8] if as_it_is else [0, 1], atol=0.05)


def test_title_names_labels_and_options_are_shown(small_net, images, tmp_path):
    default = Page(ke.report(small_net, images, out=tmp_path / "default.html"))
    assert default.texts.count(f"FullGrad maps of {small_net.name}") == 2
    assert {"image 0", "image 4", "class 0"} <= set(default.texts)
    given = {"title": "Owls", "names": [f"owl {i}.png" for i in range(5)], "labels": ["a", "b", "c", "d"]}
    found = Page(ke.report(small_net, images, out=tmp_path / "given.html", preset="paper", **given))
    assert {"Owls", "owl 3.png", "a", "d"} <= set(found.texts)
    assert any("preset=paper" in text for text in found.texts)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"images": np.zeros([3, 4, 4])}, ValueError, "expected 5 images, got 3"),
        ({"images": np.zeros([5, 4, 4, 2])}, ValueError, r"expected an image of shape .*, got \(4, 4, 2\)"),
        ({"images": 2 * np.ones([5, 4, 4])}, ValueError, "values from 0 to 1, got 2"),
        ({"names": ["one"]}, ValueError, "expected 5 names, got 1"),
        ({"labels": ["a", "b"]}, ValueError, "expected 4 labels, got 2"),
        (
            {"x": np.zeros([5, 16, 12])},
            ValueError,
            r"expected x as an array, .* got ndarray of shape \(5, 16",
        ),
        ({"x": iter([])}, ValueError, "expected x as an array, .* got list_iterator of shape"),
        ({"x": np.zeros([0, 16, 12, 3])}, ValueError, "expected at least one image"),
        ({"x": np.zeros([5, 16, 12, 1])}, ValueError, "expected inputs of shape"),
        ({"x": np.full([5, 16, 12, 3], np.nan)}, ValueError, "values from 0 to 1, got nan"),
        ({"y": [1, 2]}, ValueError, "expected y of shape"),
        ({"y": 4}, ValueError, "expected classes from 0 to 3 in y, got 4"),
        ({"y": 0.5}, TypeError, "expected y to hold classes as integers"),
        ({"top": 5}, ValueError, "expected top from 1 to the 4 classes of the model, got 5"),
        ({"top": 0}, ValueError, "expected top from 1 to the 4 classes of the model, got 0"),
        ({"batch_size": 0}, ValueError, "expected batch_size to be at least 1, got 0"),
        ({"preset": "other"}, ValueError, "expected preset to be one of default, paper, got 'other'"),
        ({"simple": True, "implicit_biases": True}, ValueError, "got both"),
        ({"return_terms": False}, TypeError, "expected options among backend, .*, got return_terms"),
        ({"model": "net.keras"}, TypeError, "expected a Keras 3 model, got"),
        (
            {"out": "missing/report.html"},
            ValueError,
            "out to be a file that can be written, got .*No such file",
        ),
        ({"out": "."}, ValueError, "out to be a file that can be written, got .*Is a directory"),
    ],
)
def test_wrong_input_ends_before_anything_is_computed(
    small_net, images, tmp_path, monkeypatch, arguments, error, message
):
    for name in ("answers", "explanations"):
        monkeypatch.setattr(f"keras_fullgrad.reporting.writing.{name}", lambda *_: pytest.fail("computed"))
    given = {"model": small_net, "x": images, "out": "report.html"} | arguments
    with pytest.raises(error, match=message):
        ke.report(**given | {"out": tmp_path / given["out"]})
    assert not list(tmp_path.iterdir())


def test_channels_that_cannot_be_shown(tmp_path):
    net = keras.Sequential([keras.Input([9, 9, 5]), keras.layers.Conv2D(2, 9), keras.layers.Flatten()])
    x = np.ones([1, 9, 9, 5])
    with pytest.raises(ValueError, match=r"expected images to show, since x of shape \(1, 9, 9, 5\)"):
        ke.report(net, x, out=tmp_path / "report.html")
    ke.report(net, x, out=tmp_path / "report.html", images=x[..., 0])


def test_an_image_of_nothing(small_net, tmp_path):
    found = Page(ke.report(small_net, np.zeros([1, 16, 12, 3]), out=tmp_path / "report.html"))
    assert found.cards[0][0]["explicit"][0] == 0
    assert not next(cells(found.cards[0][0])).any()


def test_logits_that_are_not_finite_or_not_of_classes(images, tmp_path):
    layers = keras.layers
    infinite = keras.Sequential([keras.Input([16, 12, 3]), layers.Rescaling(np.inf), layers.Flatten()])
    spatial = keras.Sequential([keras.Input([16, 12, 3]), layers.Conv2D(2, 3)])
    for net, message in ((infinite, "expected finite logits"), (spatial, r"shape \(images, classes\), got")):
        with pytest.raises(ValueError, match=message):
            ke.report(net, images, 0, out=tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_a_file_is_written_whole_or_not_at_all(small_net, images, tmp_path, monkeypatch):
    out = tmp_path / "report.html"
    out.write_text("before")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "render", fail)
    with pytest.raises(KeyboardInterrupt):
        ke.report(small_net, images, out=out)
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.slow
def test_photographs_make_a_light_page(tmp_path):
    photographs = load_sample_images().images
    pixels = np.stack([np.asarray(Image.fromarray(each).resize((224, 224))) for each in photographs])
    net = keras.applications.MobileNetV2(weights=None, classifier_activation=None)
    rng = np.random.default_rng(0)
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(rng.normal(0, 0.3, layer.beta.shape))
    out = ke.report(net, pixels / 127.5 - 1, out=tmp_path / "report.html", images=pixels)
    assert out.stat().st_size / len(pixels) < 100_000
    assert len(Page(out).layers) > 52


@pytest.mark.parametrize(
    ("scale", "digits"),
    [(1e-11, r"-?\d\.\d{3}e-\d+"), (1e12, r"-?\d\.\d{3}e[+]\d+"), (1, r"-?\d+\.\d+"), (0, r"0\.\d+")],
)
def test_logits_of_any_size_are_written_in_few_digits(images, tmp_path, scale, digits):
    ones = keras.initializers.RandomNormal(stddev=scale, seed=0) if scale else "zeros"
    net = keras.Sequential(
        [keras.Input([16, 12, 3]), keras.layers.Flatten(), keras.layers.Dense(3, kernel_initializer=ones)]
    )
    found = Page(ke.report(net, images, out=tmp_path / "report.html", verbose=0))
    start = found.texts.index("Logit") + 1
    numbers = found.texts[start + 1 : start + 6 : 2]
    assert all(re.fullmatch(digits, number) and len(number) < 11 for number in numbers), numbers
    np.testing.assert_allclose(
        np.array(numbers, float),
        np.sort(net.predict(images, verbose=0)[0])[::-1],
        rtol=0.1,
        atol=1e-3 * scale,
    )


def test_many_images_come_with_a_search_and_few_without(small_net, images, tmp_path):
    few = Page(ke.report(small_net, images, out=tmp_path / "few.html", verbose=0))
    many = Page(ke.report(small_net, images.repeat(4, 0), out=tmp_path / "many.html", verbose=0))
    assert [page.attributes("role").count("search") for page in (few, many)] == [0, 1]
    assert [page.texts.count("Contents") for page in (few, many)] == [0, 1]
