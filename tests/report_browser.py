"""Opens a report in headless Chromium, and looks at it."""

import base64
import io
import re

import numpy as np
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from keras_fullgrad.reporting import encoding, page
from keras_fullgrad.reporting.explanations import ExplainedClass, Layer


def made(path, images, layers=5, scale=1.0):
    """Writes a report of made up images: their names are numbered, their classes take turns."""
    rng = np.random.default_rng(0)
    named = [Layer(f"layer_{index}", "Conv2D", index) for index in range(layers)]
    cards = []
    for index in range(images):
        logits = scale * rng.normal(size=3)
        chances = np.exp(logits / scale) / np.exp(logits / scale).sum()
        maps = rng.random([layers, 8, 8])
        terms = (scale * rng.normal(size=layers)).tolist()
        of_class = ExplainedClass(
            index % 3,
            logits[index % 3],
            logits[index % 3] * (1 + 1e-6 * rng.random()),
            0.0,
            terms,
            [0.0] * layers,
            encoding.map(maps.sum(axis=0)),
            encoding.sheet(maps),
        )
        pixels = rng.integers(0, 256, [60, 80, 3], np.uint8)
        cards.append(page.Card(f"photos/{index:04}.png", pixels, logits, chances, [of_class]))
    path.write_text(page.render("Made up", ["a model"], named, cards, ["cat", "dog", "owl"]))
    return path


class Opened:
    """The report in a browser, as it is once it was opened."""

    def __init__(self, browser, report):
        self.browser = browser
        self.look()
        browser.get(report.as_uri())
        # Of many images those that are near are drawn.
        self.wait(
            "cards.length > 0 && cards.slice(0, cards.length > 12 ? 1 : 12).every(({ shown }) => shown)"
        )

    def wait(self, condition):
        """Waits until something is so."""
        WebDriverWait(self.browser, 30, poll_frequency=0.05).until(lambda _: self.run(f"return {condition}"))

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def look(self, width=1280, colours="light"):
        """Sets the window's width, and the colours that its user prefers."""
        feature = {"name": "prefers-color-scheme", "value": colours}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def find(self, selector, card=0):
        return self.browser.find_elements(By.TAG_NAME, "article")[card].find_element(
            By.CSS_SELECTOR, selector
        )

    def text(self, selector, card=0):
        return self.find(selector, card).text

    def value(self, selector, card=0):
        return int(self.find(selector, card).get_attribute("value"))

    def press(self, selector, *keys):
        self.browser.execute_script("arguments[0].focus()", self.find(selector))
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def canvas(self, selector, card=0):
        """What a canvas holds."""
        uri = self.browser.execute_script("return arguments[0].toDataURL()", self.find(selector, card))
        return picture(base64.b64decode(uri.split(",")[1]))

    def screen(self, selector, card=0):
        """What is seen there."""
        return picture(self.find(selector, card).screenshot_as_png)


def picture(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


def pages(opened):
    """How many pages a report has on paper, A4."""
    size = {"paperWidth": 8.27, "paperHeight": 11.69}
    pdf = base64.b64decode(opened.browser.execute_cdp_cmd("Page.printToPDF", size)["data"])
    return len(re.findall(rb"/Type\s*/Page\b", pdf))
