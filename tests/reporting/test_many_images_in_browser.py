"""A report of a thousand images in headless Chromium: opened, scrolled, searched, ordered and printed."""

import time

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from report_browser import Opened, made, pages

pytestmark = pytest.mark.slow

IMAGES = 1000


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return made(tmp_path_factory.mktemp("many") / "report.html", IMAGES)


@pytest.fixture
def opened(browser, report):
    return Opened(browser, report)


def names(opened):
    return opened.run("return found.map(({ name }) => name)")


def search(opened, text):
    field = opened.browser.find_element(By.ID, "find")
    field.clear()
    field.send_keys(text)


def test_opens_at_once(browser, report):
    began = time.perf_counter()
    opened = Opened(browser, report)
    # 1 s on two free cores: a bound for those that have more to do.
    assert time.perf_counter() - began < 5
    assert opened.browser.find_element(By.ID, "found").text == f"{IMAGES} images"
    drawn, loaded = opened.run(
        "return [cards.filter(({ shown }) => shown).length,"
        "[...document.querySelectorAll('.image')].filter(({ naturalWidth }) => naturalWidth).length]"
    )
    assert drawn < 10
    assert loaded < 100


def test_what_comes_near_is_drawn_and_what_goes_is_let_go(opened):
    opened.press(".depth", Keys.HOME)
    opened.press(".strength", Keys.HOME)
    for place in (500, IMAGES - 1, 0):
        opened.run("cards[arguments[0]].article.scrollIntoView()", place)
        opened.wait(f"cards[{place}].shown")
        opened.wait("cards.filter(({ shown }) => shown).length < 10")
    held = "return [...document.querySelectorAll('canvas.map')].filter(({ width }) => width > 0).length"
    assert opened.run(held) < 10
    assert opened.value(".depth") == opened.value(".strength") == 0  # As it was left.


def test_images_are_found_by_name_and_by_class(opened):
    search(opened, "0777")
    assert names(opened) == ["photos/0777.png"]
    opened.wait("found[0].shown")
    assert opened.browser.find_element(By.ID, "found").text == f"1 of {IMAGES} images"
    search(opened, "OWL /00")
    assert names(opened) == [f"photos/{index:04}.png" for index in range(2, 100, 3)]
    search(opened, "nothing of the kind")
    assert names(opened) == []
    search(opened, " ")
    assert len(names(opened)) == IMAGES


def test_enter_goes_to_the_first_that_is_found(opened):
    opened.run("scrollTo(0, 1e6)")
    search(opened, f"042{Keys.ENTER}")
    opened.wait("found[0].shown")
    assert opened.browser.switch_to.active_element.find_element(By.TAG_NAME, "h2").text == "photos/0042.png"


def test_contents_lead_to_an_image(opened):
    contents = opened.browser.find_element(By.ID, "contents")
    summary = contents.find_element(By.TAG_NAME, "summary")
    summary.click()
    links = contents.find_elements(By.TAG_NAME, "a")
    assert len(links) == IMAGES
    assert links[30].text == "0030.png"
    links[30].click()
    opened.wait("cards[30].shown && Math.abs(cards[30].article.getBoundingClientRect().top) < 200")
    assert not links[30].is_displayed()
    summary.send_keys(Keys.ENTER)
    assert links[0].is_displayed()
    links[0].send_keys(Keys.ESCAPE)
    assert opened.browser.switch_to.active_element == summary
    assert not links[0].is_displayed()


@pytest.mark.parametrize(("order", "least_first"), [("probability", True), ("error", False)])
def test_images_are_ordered(opened, order, least_first):
    opened.run(
        "const order = document.getElementById('order'); order.value = arguments[0];"
        "order.dispatchEvent(new Event('input'))",
        order,
    )
    values = opened.run(f"return found.map(({{ article }}) => Number(article.dataset.{order}))")
    assert values == sorted(values, reverse=not least_first)
    shown = opened.run("return [...document.querySelectorAll('h2')].map(({ textContent }) => textContent)")
    assert shown == names(opened)
    opened.wait("found[0].shown")


def test_all_move_together_even_those_not_drawn_yet(opened):
    opened.browser.find_element(By.ID, "together").click()
    opened.press(".depth", Keys.HOME, Keys.ARROW_RIGHT)
    opened.press(".mode", Keys.ARROW_RIGHT)
    opened.run("cards[700].article.scrollIntoView()")
    opened.wait("cards[700].shown")
    assert opened.value(".depth", 700) == 1
    assert opened.text(".name", 700) == "up to layer_1"


def test_what_is_found_is_drawn_and_printed(opened):
    search(opened, "photos/001")
    opened.run("window.printed = 0; window.print = () => { printed = 1; }")
    ActionChains(opened.browser).key_down(Keys.CONTROL).send_keys("p").key_up(Keys.CONTROL).perform()
    opened.wait("printed")
    assert opened.run("return found.filter(({ shown }) => shown).length") == 10
    assert pages(opened) <= 4
    opened.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not opened.browser.find_element(By.ID, "find").is_displayed()


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_sticks_out(opened, width):
    opened.look(width)
    opened.browser.find_element(By.TAG_NAME, "summary").click()
    assert opened.run("return document.documentElement.scrollWidth") <= width
