"""Cluttered scenes, each with one of scikit-learn's digits somewhere in it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIZE = 96
DIGIT_SIZES = (24, 32)
MARGIN = 2


@dataclasses.dataclass(frozen=True)
class Digits:
    """Digits without a scene.

    Attributes:
        images: (digits, 8, 8), in [0, 1].
        classes: (digits,).
    """

    images: np.ndarray
    classes: np.ndarray


@dataclasses.dataclass(frozen=True)
class Scenes:
    """Scenes with one digit each.

    Attributes:
        images: (scenes, height, width, 1), float32 in [0, 1].
        classes: The digit in each scene, (scenes,).
        boxes: Where it is, (scenes, 4): top, left, bottom and right, the latter two exclusive.
    """

    images: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray

    def save(self, path: Path) -> None:
        """Writes the scenes to a file, with images in 256 greys."""
        images = np.round(255 * self.images).astype(np.uint8)
        np.savez_compressed(path, images=images, classes=self.classes, boxes=self.boxes)

    @classmethod
    def load(cls, path: Path) -> "Scenes":
        """Reads scenes that were saved."""
        with np.load(path) as arrays:
            return cls(arrays["images"].astype(np.float32) / 255, arrays["classes"], arrays["boxes"])


def split_digits(seed: int, held_out: float = 0.2) -> tuple[Digits, Digits]:
    """Divides scikit-learn's digits, before any scene is made of them.

    Args:
        seed: The seed of the division.
        held_out: The share of digits to hold out.

    Returns:
        The digits to train with, and those held out.
    """
    # Only training needs scikit-learn.
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(classes))
    images, classes = images[order].reshape(-1, 8, 8) / 16, classes[order]
    count = round(held_out * len(classes))
    return Digits(images[count:], classes[count:]), Digits(images[:count], classes[:count])


def make_scenes(digits: Digits, count: int, seed: int) -> Scenes:
    """Makes scenes: a digit at a random place, among strokes, fragments of other digits and noise.

    Args:
        digits: The digits to choose from; fragments are cut from these too.
        count: How many scenes.
        seed: The seed of everything that is drawn.

    Returns:
        The scenes.
    """
    rng = np.random.default_rng(seed)
    images = np.zeros([count, SIZE, SIZE, 1], np.float32)
    boxes = np.zeros([count, 4], np.int32)
    # Each digit about as often as any other.
    chosen = np.resize(rng.permutation(len(digits.classes)), count)
    for image, box, index in zip(images, boxes, chosen, strict=True):
        image[..., 0], box[:] = _scene(rng, digits, int(index))
    return Scenes(images, digits.classes[chosen], boxes)


def _scene(
    rng: np.random.Generator, digits: Digits, index: int
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    digit = rng.uniform(0.75, 1) * _upscale(
        digits.images[index], int(rng.integers(*DIGIT_SIZES, endpoint=True))
    )
    height, width = digit.shape
    top, left = (rng.integers(MARGIN, SIZE - side - MARGIN, endpoint=True) for side in digit.shape)
    box = (top, left, top + height, left + width)

    canvas = _strokes(rng, int(rng.integers(3, 6, endpoint=True)))
    for _ in range(rng.integers(5, 8, endpoint=True)):
        fragment = rng.uniform(0.5, 1) * _fragment(rng, digits)
        y, x = (rng.integers(0, SIZE - side, endpoint=True) for side in fragment.shape)
        _paint(canvas, fragment, y, x)
    # Clutter ends at the digit, or a stroke across it could make it another one.
    canvas[max(top - MARGIN, 0) : box[2] + MARGIN, max(left - MARGIN, 0) : box[3] + MARGIN] = 0
    _paint(canvas, digit, top, left)
    background = rng.uniform(0.05, 0.2)
    canvas = background + (1 - background) * canvas + rng.normal(0, 0.06, canvas.shape)
    return np.clip(canvas, 0, 1), box


def _paint(canvas: np.ndarray, patch: np.ndarray, top: int, left: int) -> None:
    area = canvas[top : top + patch.shape[0], left : left + patch.shape[1]]
    np.maximum(area, patch, out=area)


def _upscale(digit: np.ndarray, size: int) -> np.ndarray:
    """Enlarges a digit with crisp edges, and cuts off what is empty around it."""
    image = Image.fromarray(digit.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    large = np.clip(2.5 * (np.asarray(image) - 0.5) + 0.5, 0, 1)
    rows, columns = (np.flatnonzero(large.max(axis) > 0.1) for axis in (1, 0))
    return large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fragment(rng: np.random.Generator, digits: Digits) -> np.ndarray:
    """A piece of a digit, too small to tell which."""
    digit = _upscale(digits.images[rng.integers(len(digits.images))], int(rng.integers(*DIGIT_SIZES)))
    top, left = (rng.integers(0, 1 + side // 2) for side in digit.shape)
    height, width = (rng.integers(side // 3, side // 2, endpoint=True) for side in digit.shape)
    return digit[top : top + height, left : left + width]


def _strokes(rng: np.random.Generator, count: int) -> np.ndarray:
    """A canvas with lines and arcs as thick as those of the digits."""
    scale = 3  # Drawn larger and reduced, since Pillow does not smooth edges.
    image = Image.new("L", (scale * SIZE, scale * SIZE))
    pen = ImageDraw.Draw(image)
    for _ in range(count):
        y, x = scale * rng.uniform(0, SIZE, 2)
        radius, angle = scale * rng.uniform(6, 14), rng.uniform(0, 360)
        ink: dict[str, Any] = {
            "fill": int(rng.uniform(110, 255)),
            "width": round(scale * rng.uniform(2.5, 4.5)),
        }
        if rng.random() < 0.5:
            dy, dx = radius * np.sin(np.radians(angle)), radius * np.cos(np.radians(angle))
            pen.line([x - dx, y - dy, x + dx, y + dy], **ink)
        else:
            corners = [x - radius, y - radius, x + radius, y + radius]
            pen.arc(corners, angle, angle + rng.uniform(60, 150), **ink)
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32) / 255
