"""The report in headless Chromium: what moves, what is readable, and that nothing runs or is fetched."""

import base64
import json

import keras
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import keras_fullgrad as ke
from keras_fullgrad import pictures
from keras_fullgrad.demo.scenes import Scenes
from keras_fullgrad.demo.show import NET, SCENES
from report_browser import Opened, made, pages
from report_page import Page, cells, decoded

pytestmark = pytest.mark.slow

ATTACKS = [
    "<script>window.hit = 1</script>",
    "</script><script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "\"' onfocus=window.hit=1 autofocus tabindex=0 '\"",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Three scenes, two classes each, with hostile names and labels."""
    net = keras.models.load_model(NET, compile=False)
    out = tmp_path_factory.mktemp("report") / "report.html"
    labels = [f"{index} {ATTACKS[index % len(ATTACKS)]}" for index in range(10)]
    images = Scenes.load(SCENES).images[:3]
    return ke.report(net, images, out=out, top=2, names=ATTACKS[:3], labels=labels, title=ATTACKS[3])


def unit(values):
    return (values - values.min()) / np.ptp(values)


@pytest.fixture
def opened(browser, report):
    return Opened(browser, report)


@pytest.fixture(scope="module")
def page(report):
    return Page(report)


def test_arrow_keys_go_through_all_layers_with_their_maps(opened, page):
    opened.press(".depth", Keys.HOME)
    maps = list(cells(page.cards[0][0]))
    for place, layer in enumerate(page.layers):
        assert opened.value(".depth") == place
        assert opened.text(".name") == layer["name"]
        assert opened.find(".depth").get_attribute("aria-valuetext").startswith(layer["name"])
        assert opened.find(".mapless").is_displayed() == (layer["cell"] is None)
        if layer["cell"] is not None:
            expected = pictures.coloured(maps[layer["cell"]])
            np.testing.assert_allclose(opened.canvas(".layer")[..., :3], expected, atol=8)
        opened.press(".depth", Keys.ARROW_RIGHT)
    assert page.layers[-1]["cell"] is None
    assert opened.value(".depth") == len(page.layers) - 1


def test_numbers_follow_the_layer(opened, page):
    explanation = page.cards[0][0]
    totals = np.add(explanation["explicit"], explanation["implicit"])
    opened.press(".depth", Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert float(opened.text(".adds")) == pytest.approx(totals[2], abs=1e-3)
    assert float(opened.text(".so-far")) == pytest.approx(totals[:3].sum(), abs=1e-3)
    assert float(opened.text(".share")[:-1]) == pytest.approx(100 * totals[2] / abs(totals).sum(), abs=0.1)
    assert float(opened.text(".total")) == pytest.approx(float(opened.text(".logit")), rel=1e-6)
    assert float(opened.text(".error")) < 1e-6


def test_a_click_on_a_bar_takes_the_slider_there(opened, page):
    for place in (0, 4, len(page.layers) - 1):
        bar = opened.find(".depth")
        width = bar.size["width"]
        offset = round((place + 0.3) / len(page.layers) * width - width / 2)
        ActionChains(opened.browser).move_to_element_with_offset(bar, offset, 0).click().perform()
        assert opened.value(".depth") == place
        assert opened.text(".name") == page.layers[place]["name"]


def test_maps_add_up_along_the_depth_to_the_whole(opened, page):
    explanation = page.cards[0][0]
    opened.press(".depth", Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    opened.press(".mode", Keys.ARROW_RIGHT)
    assert opened.text(".name") == f"up to {page.names[2]}"
    maps = list(cells(explanation))
    for last in (2, len(page.layers) - 1):
        drawn = [layer["cell"] for layer in page.layers[: last + 1] if layer["cell"] is not None]
        expected = pictures.coloured(np.sum([maps[cell] for cell in drawn], axis=0))
        np.testing.assert_allclose(opened.canvas(".layer")[..., :3], expected, atol=8)
        opened.press(".depth", Keys.END)
    whole = Image.fromarray(decoded(explanation["map"])).resize((56, 56), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(unit(np.sum(maps, axis=0)), unit(np.asarray(whole, float)), atol=0.06)


def test_strength_covers_the_image(opened):
    image = opened.screen(".frame")
    opened.press(".strength", Keys.HOME)
    np.testing.assert_allclose(opened.screen(".frame:has(.map)"), image, atol=2)
    opened.press(".strength", *[Keys.ARROW_RIGHT] * 10)
    tenth = opened.screen(".frame:has(.map)")
    opened.press(".strength", Keys.END)
    whole = opened.screen(".frame:has(.map)")
    assert 0 < abs(tenth - image).mean() < abs(whole - image).mean()


def test_the_overlay_is_that_of_the_library(opened, page):
    explanation = page.cards[0][0]
    image, levels = decoded(page.attributes("src")[0]), decoded(explanation["map"])
    canvas = opened.canvas(".map")
    cover = 0.75 * canvas[..., 3:] / 255
    np.testing.assert_allclose(
        (1 - cover) * image + cover * canvas[..., :3], ke.overlay(image, levels), atol=8
    )


def test_another_class_is_explained(opened, page):
    first = opened.canvas(".map"), opened.text(".adds")
    opened.press(".target", Keys.ARROW_DOWN)
    WebDriverWait(opened.browser, 10).until(lambda _: opened.text(".adds") != first[1])
    assert float(opened.text(".logit")) == pytest.approx(page.cards[0][1]["logit"], rel=1e-6)
    assert abs(opened.canvas(".map") - first[0]).mean() > 1


def test_images_move_apart_unless_together(opened):
    start = opened.value(".depth", card=1)
    opened.press(".depth", Keys.HOME, *[Keys.ARROW_RIGHT] * 3)
    assert opened.value(".depth", card=1) == start != 3
    opened.browser.find_element(By.ID, "together").click()
    opened.press(".depth", Keys.ARROW_RIGHT)
    opened.press(".strength", Keys.HOME)
    opened.press(".mode", Keys.ARROW_RIGHT)
    for card in range(3):
        assert opened.value(".depth", card) == 4
        assert opened.value(".strength", card) == 0
        assert opened.text(".name", card).startswith("up to ")


def test_all_is_reached_by_tab(opened):
    kinds = []
    names = ["together", "strength", "depth", "previous", "play", "next", "target", "mode", "strength"]
    opened.run("cards[0].step(2); cards[0].step(-1)")  # So that there is a layer before.
    for _ in names:
        opened.browser.switch_to.active_element.send_keys(Keys.TAB)
        active = opened.browser.switch_to.active_element
        outline = active.value_of_css_property("outline-style")
        kinds.append((active.get_attribute("class") or active.get_attribute("id"), outline))
    assert kinds == [(name, "solid") for name in names]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_texts_stand_out(opened, colours):
    opened.look(colours=colours)
    for selector in ("h2", "dt", "dd", "legend", "figcaption", ".axis span", ".label", ".number", "label"):
        element = opened.find(selector)
        ink, ground = (_luminance(element.value_of_css_property("color")), _ground(opened.browser, element))
        bright, dim = max(ink, ground), min(ink, ground)
        assert (bright + 0.05) / (dim + 0.05) > 4.5, selector  # WCAG 2, AA
        assert (ink > ground) == (colours == "dark")


def _ground(browser, element):
    script = """
        let at = arguments[0];
        while (getComputedStyle(at).backgroundColor === "rgba(0, 0, 0, 0)") at = at.parentElement;
        return getComputedStyle(at).backgroundColor"""
    return _luminance(browser.execute_script(script, element))


def _luminance(colour):
    levels = np.array([float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("width", [320, 600, 1920])
def test_nothing_sticks_out(opened, width):
    opened.look(width)
    sizes = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scrolled, seen = opened.browser.execute_script(sizes)
    assert scrolled <= seen
    lefts = {opened.find(f".frame:has({each})").rect["x"] for each in (".image", ".map", ".layer")}
    assert len(lefts) == (3 if width > 704 else 1)


def test_texts_from_outside_do_not_run(opened, page):
    assert opened.browser.execute_script("return window.hit") is None
    assert [opened.text("h2", card) for card in range(3)] == ATTACKS[:3]
    assert opened.browser.title == ATTACKS[3]
    target = page.cards[0][0]["target"]
    assert opened.text(".target ~ .label") == f"{target} {ATTACKS[target % 4]}"


def test_nothing_is_fetched_and_nothing_fails(browser, report):
    browser.get_log("performance")
    browser.get_log("browser")
    opened = Opened(browser, report)
    opened.press(".depth", Keys.END)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert report.as_uri() in requested
    assert all(url == report.as_uri() or url.startswith("data:") for url in requested)
    assert browser.get_log("browser") == []


def test_prints_without_controls(opened):
    opened.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    for control in (".strength", ".depth", ".steps", ".target", ".one", ".tip"):
        assert not opened.find(control).is_displayed()
    assert opened.find(".layer").is_displayed()
    pdf = opened.browser.execute_cdp_cmd("Page.printToPDF", {})["data"]
    assert base64.b64decode(pdf).startswith(b"%PDF")


def test_each_bar_tells_its_layer_and_what_that_adds(opened, page):
    explanation = page.cards[0][0]
    totals = np.add(explanation["explicit"], explanation["implicit"])

    def told(place):
        name, numbers = opened.text(".tip").split("\n")
        assert name == page.layers[place]["name"]
        kind, adds, share = numbers.replace(",", ":").split(": ")
        assert kind == page.layers[place]["kind"]
        assert float(adds) == pytest.approx(totals[place], abs=1e-3)
        assert float(share.split("%")[0]) == pytest.approx(100 * totals[place] / abs(totals).sum(), abs=0.1)

    assert not opened.find(".tip").is_displayed()
    bar = opened.find(".depth")
    for place in (3, 5):
        offset = round((place + 0.5) / len(page.layers) * bar.size["width"] - bar.size["width"] / 2)
        ActionChains(opened.browser).move_to_element_with_offset(bar, offset, 0).perform()
        told(place)
    ActionChains(opened.browser).move_to_element(opened.find("h2")).perform()
    assert not opened.find(".tip").is_displayed()
    opened.press(".depth", Keys.HOME, Keys.ARROW_RIGHT)
    told(1)
    opened.press(".depth", Keys.ESCAPE)
    assert not opened.find(".tip").is_displayed()


def test_buttons_go_from_layer_to_layer_and_play_through_all(opened, page):
    opened.press(".depth", Keys.HOME)
    assert not opened.find(".previous").is_enabled()
    opened.find(".next").click()
    assert opened.text(".name") == page.names[1]
    opened.find(".previous").click()
    assert opened.text(".name") == page.names[0]
    opened.find(".play").click()
    assert opened.find(".play").get_attribute("aria-label") == "Pause"
    opened.wait(f'cards[0].find(".depth").value == {len(page.layers) - 1} && !cards[0].playing')
    assert opened.text(".name") == page.names[-1]
    assert not opened.find(".next").is_enabled()


@pytest.mark.parametrize("scale", [1e-30, 1e-11, 1, 1e12])
def test_bars_and_numbers_of_logits_of_any_size(browser, tmp_path, scale):
    opened = Opened(browser, made(tmp_path / "report.html", 1, scale=scale))
    heights = [bar.rect["height"] for bar in opened.find("svg").find_elements(By.CSS_SELECTOR, ".bar")]
    assert sum(heights) > 100
    for selector in (".adds", ".so-far", ".row:has(.target) .number"):
        text = opened.text(selector)
        assert len(text) <= 11
        assert 1e-3 * scale < abs(float(text)) < 1e2 * scale


def test_many_layers_on_a_phone(browser, tmp_path):
    opened = Opened(browser, made(tmp_path / "report.html", 1, layers=131))
    opened.look(390)
    width = opened.find(".depth").size["width"]
    assert width / 131 > 10
    assert opened.run("return document.documentElement.scrollWidth") <= 390
    for key, place in ((Keys.END, 130), (Keys.HOME, 0)):
        opened.press(".depth", key)
        knob, frame = opened.find(".knob").rect, opened.find(".scroller").rect
        assert opened.value(".depth") == place
        assert frame["x"] <= knob["x"] + knob["width"] / 2 <= frame["x"] + frame["width"]


def test_several_images_on_a_printed_page_none_broken(browser, tmp_path):
    opened = Opened(browser, made(tmp_path / "report.html", 9))
    assert pages(opened) <= 3
    opened.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert opened.find("h2").find_element(By.XPATH, "..").value_of_css_property("break-inside") == "avoid"
