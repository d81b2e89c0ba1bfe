"""A small net that tells how much of a picture is temple and how much is dahlia, for pictures of its maps.

It is trained within a minute on scikit-learn's two photographs, so that nothing has to be downloaded. The
left half of the temple and the right half of the dahlia are held out of the training, to be shown. Pixels are
from 0 to 1 here; the net takes them from -1 to 1, ``2 * image - 1``.
"""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

CLASSES = ["temple", "dahlia"]
SEED = 7
EPOCHS = 6
BATCH = 32
TRAINING_MOSAICS = 4000
TILE = 40
CROPS = (40, 250)
HELD_OUT_CROPS = (90, 138)

# Corners by hand, as (x, y).
_TEMPLE = [
    *[(197, 30), (214, 30), (211, 50), (217, 63), (240, 85), (280, 107), (319, 118), (318, 126), (293, 140)],
    *[(293, 160), (328, 175), (319, 190), (319, 226), (327, 227), (322, 240), (351, 252), (340, 268)],
    *[(340, 303), (348, 305), (348, 318), (371, 331), (365, 342), (330, 372), (318, 427), (294, 427)],
    *[(284, 402), (262, 388), (214, 388), (202, 368), (175, 362), (150, 340), (120, 333), (105, 341)],
    *[(60, 340), (60, 332), (74, 327), (74, 312), (82, 305), (82, 284), (64, 272), (66, 255), (95, 242)],
    *[(93, 233), (99, 229), (99, 190), (85, 183), (85, 172), (120, 160), (120, 139), (96, 130), (98, 107)],
    *[(145, 95), (190, 66), (193, 55)],
]
_DAHLIAS = [(168, 84, 446, 356), (288, 375, 468, 530)]


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A photograph of one of the classes.

    Attributes:
        image: The photograph.
        subject: Where the temple or the dahlia is, (height, width).
        held_out: Left, top, right and bottom of the part that is never trained on.
    """

    image: Image.Image
    subject: np.ndarray
    held_out: tuple[int, int, int, int]


@functools.cache
def photographs() -> list[Photograph]:
    """Scikit-learn's photographs, in the order of the classes."""
    china, flower = map(Image.fromarray, load_sample_images().images)
    temple, dahlia = (Image.new("1", china.size) for _ in CLASSES)
    ImageDraw.Draw(temple).polygon(_TEMPLE, fill=1)
    for box in _DAHLIAS:
        ImageDraw.Draw(dahlia).ellipse(box, fill=1)
    return [
        Photograph(china, np.asarray(temple), (62, 25, 208, 345)),
        Photograph(flower, np.asarray(dahlia), (307, 80, 450, 360)),
    ]


def halves(size: int) -> np.ndarray:
    """The held-out halves joined into one picture, (size, size, 3) in [0, 1]."""
    china, flower = (photograph.image for photograph in photographs())
    joined = Image.new("RGB", (416, 416))
    joined.paste(china.crop((0, 5, 208, 421)), (0, 0))
    joined.paste(flower.crop((307, 0, 515, 416)), (208, 0))
    return _pixels(joined.resize((size, size), Image.Resampling.LANCZOS))


def mosaic(
    classes: np.ndarray, tile: int, rng: np.random.Generator, held_out: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Makes a mosaic of crops of the photographs.

    Args:
        classes: The class whose photograph each crop is of, (rows, columns).
        tile: The size of each crop in the mosaic.
        rng: Draws the crops.
        held_out: Whether crops are of the parts held out, or of all others.

    Returns:
        The mosaic, (height, width, 3) in [0, 1], and the share of each class in it, (classes,).
    """
    pixels = np.zeros([*classes.shape, tile, tile, 3], np.float32)
    shares = np.zeros(len(CLASSES))
    for place in np.ndindex(*classes.shape):
        photograph = photographs()[classes[place]]
        crop = (_held_out_crop if held_out else _training_crop)(photograph, rng)
        left, top, side = crop
        cut = photograph.image.crop((left, top, left + side, top + side))
        pixels[place] = _pixels(cut.resize((tile, tile), Image.Resampling.BILINEAR))
        shares[classes[place]] += _share(photograph, crop)
    height, width = tile * classes.shape[0], tile * classes.shape[1]
    return pixels.swapaxes(1, 2).reshape(height, width, 3), shares / classes.size


def _held_out_crop(photograph: Photograph, rng: np.random.Generator) -> tuple[int, int, int]:
    left, top, right, bottom = photograph.held_out
    side = int(rng.integers(*HELD_OUT_CROPS))
    return int(rng.integers(left, right - side)), int(rng.integers(top, bottom - side)), side


def _training_crop(photograph: Photograph, rng: np.random.Generator) -> tuple[int, int, int]:
    """Any crop, or the one of two that shows more of the subject: by chance there would be little of it."""
    left, top, right, bottom = photograph.held_out
    crops: list[tuple[int, int, int]] = []
    candidates = rng.integers(1, 3)
    while len(crops) < candidates:
        side = int(np.exp(rng.uniform(*np.log(CROPS))))
        x, y = (int(rng.integers(length - side)) for length in photograph.image.size)
        if x + side <= left or x >= right or y + side <= top or y >= bottom:
            crops.append((x, y, side))
    return max(crops, key=lambda crop: _share(photograph, crop))


def _share(photograph: Photograph, crop: tuple[int, int, int]) -> float:
    left, top, side = crop
    return float(photograph.subject[top : top + side, left : left + side].mean())


def mosaics(count: int, seed: int, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Makes mosaics of four crops, by chance more of one class or of the other.

    Args:
        count: How many mosaics.
        seed: The seed of everything that is drawn.
        held_out: Whether of the parts held out, or of all others, mirrored and lit in many ways.

    Returns:
        The mosaics, (count, height, width, 3), and the shares of the classes, (count, classes).
    """
    rng = np.random.default_rng(seed)
    images = np.zeros([count, 2 * TILE, 2 * TILE, 3], np.float32)
    shares = np.zeros([count, len(CLASSES)], np.float32)
    for image, share in zip(images, shares, strict=True):
        image[:], share[:] = mosaic(rng.binomial(1, rng.random(), [2, 2]), TILE, rng, held_out)
        if not held_out:
            image[:] = image[:, :: rng.choice([1, -1])]
            light = rng.uniform(0.9, 1.1, 3) * rng.uniform(0.6, 1.2)
            image[:] = np.clip(light * (image - 0.5) + 0.5 + rng.uniform(-0.2, 0.1), 0, 1)
    return images, shares


def build(activation: str = "relu") -> keras.Model:
    """Builds the net: where it finds a class, then over how much of the picture."""
    layers = keras.layers
    inputs = keras.Input([None, None, 3])
    x = layers.Conv2D(16, 5, strides=2, padding="same", activation=activation, name="conv1")(inputs)
    for block, filters in enumerate((32, 48, 48), start=2):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{block}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"conv{block}_bn")(x)
        x = layers.Activation(activation)(x)
        if block == 2:
            x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(len(CLASSES), 1, use_bias=False, activation="relu", name="places")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x), name="temple_and_dahlia")


def train(activation: str = "relu", epochs: int = EPOCHS, count: int = TRAINING_MOSAICS) -> keras.Model:
    """Trains the net, the same each time.

    Args:
        activation: The activation of hidden layers.
        epochs: How often the mosaics are gone through.
        count: How many mosaics.

    Returns:
        The net.
    """
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    images, shares = mosaics(count, SEED)
    model = build(activation)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-count // BATCH))
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-2), loss="mse")
    model.fit(2 * images - 1, shares, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def _pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32) / 255
