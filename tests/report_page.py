"""Reads a report as a browser does."""

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
from PIL import Image


class Page(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text()
        self.tags, self.texts, self.scripts, self.raw = [], [], [], None
        self.feed(self.source)
        *cards, shared = (json.loads(text) for kind, text in self.scripts if kind == "application/json")
        self.cards, self.layers = cards, shared["layers"]
        self.names = [layer["name"] for layer in self.layers]

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.raw = tag if tag in ("script", "style") else None
        if tag == "script":
            self.scripts.append((dict(attributes).get("type"), ""))

    def handle_endtag(self, tag):
        self.raw = None

    def handle_data(self, data):
        if self.raw == "script":
            kind, text = self.scripts[-1]
            self.scripts[-1] = kind, text + data
        elif self.raw is None and data.strip():
            self.texts.append(data.strip())

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def decoded(uri):
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.asarray(picture)


def cells(explanation):
    """The values of layers' maps."""
    sheet = explanation["sheet"]
    height, width = sheet["cell"]
    levels = decoded(sheet["uri"]) / 255
    ends = list(zip(sheet["least"], sheet["greatest"], strict=True))
    for place, (least, greatest) in enumerate(ends):
        row, column = divmod(place, sheet["columns"])
        cell = levels[row * height : (row + 1) * height, column * width : (column + 1) * width]
        yield least + (greatest - least) * cell
