"""Targets, nets that they are tried on, and the same scalars as functions of the nets' outputs."""

import keras
import numpy as np
from keras import layers, ops

import keras_fullgrad as ke

IMAGES = 5
MASK = np.random.default_rng(1).uniform(size=[12, 8])
MASKS = np.random.default_rng(2).uniform(size=[IMAGES, 12, 8]) > 0.5
BOXES = np.array([[0, 0, 3, 4], [1, 2, 12, 8], [0, 0, 1, 1], [5, 5, 6, 8], [2, 0, 9, 3]])
EMBEDDING = np.random.default_rng(3).normal(size=5)
EMBEDDINGS = np.random.default_rng(4).normal(size=[IMAGES, 5])
CLASSES = np.array([0, 1, 2, 3, 4])


def inside(box):
    top, left, bottom, right = box
    mask = np.zeros([12, 8])
    mask[top:bottom, left:right] = 1
    return mask


def body(dtype="float32", activation="relu"):
    keras.utils.set_random_seed(0)
    image = keras.Input([12, 8, 3], dtype=dtype if isinstance(dtype, str) else None)
    options = {"padding": "same", "bias_initializer": "normal", "dtype": dtype}
    return image, layers.Conv2D(6, 3, activation=activation, **options)(image)


def classifier(dtype="float32", **options):
    image, x = body(dtype, **options)
    x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    logits = layers.Dense(5, bias_initializer="normal", dtype=dtype, name="head")(x)
    return keras.Model(image, logits)


def segmenter(dtype="float32", **options):
    image, x = body(dtype, **options)
    return keras.Model(image, layers.Conv2D(4, 1, bias_initializer="normal", dtype=dtype, name="head")(x))


def detector(dtype="float32", **options):
    model = segmenter(dtype, **options)
    return keras.Model(model.input, layers.Reshape([96, 4], dtype=dtype)(model.output))


def several(dtype="float32", **options):
    image, x = body(dtype, **options)
    pooled = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    names = {"a": 3, "b": 5}
    heads = {
        name: layers.Dense(units, bias_initializer="normal", dtype=dtype, name=f"head_{name}")(pooled)
        for name, units in names.items()
    }
    return keras.Model(image, heads)


def per_image(numbers):
    """Numbers of each image, which a wrapper takes as constants: the images come as one batch."""
    return lambda o: ops.convert_to_tensor(numbers, o.dtype)


def taken(o, classes):
    return ops.sum(o * per_image(np.eye(5)[classes])(o), -1)


# A target; the net; and the scalar as a function of the net's output.
CASES = {
    "class": (ke.targets.Class(2), classifier, lambda o: o[:, 2]),
    "a class of each": (ke.targets.Class(CLASSES), classifier, lambda o: taken(o, CLASSES)),
    "contrast": (ke.targets.Contrast(1, 3), classifier, lambda o: o[:, 1] - o[:, 3]),
    "contrast with the others": (
        ke.targets.Contrast(1),
        classifier,
        lambda o: o[:, 1] - (ops.sum(o, -1) - o[:, 1]) / 4,
    ),
    "contrast of each": (
        ke.targets.Contrast(CLASSES, (CLASSES + 1) % 5),
        classifier,
        lambda o: taken(o, CLASSES) - taken(o, (CLASSES + 1) % 5),
    ),
    "contrast with the runner-up": (
        ke.targets.Contrast(None, "runner-up"),
        classifier,
        lambda o: ops.max(o, -1) - ops.top_k(o, 2)[0][:, 1],
    ),
    "region": (ke.targets.Region(1), segmenter, lambda o: ops.sum(o[..., 1], (1, 2))),
    "mask": (
        ke.targets.Region(1, mask=MASK),
        segmenter,
        lambda o: ops.sum(o[..., 1] * per_image(MASK)(o), (1, 2)),
    ),
    "mask of each": (
        ke.targets.Region(2, mask=MASKS),
        segmenter,
        lambda o: ops.sum(o[..., 2] * per_image(MASKS)(o), (1, 2)),
    ),
    "a region's class of each": (
        ke.targets.Region(CLASSES % 4),
        segmenter,
        lambda o: ops.sum(o * per_image(np.eye(4)[CLASSES % 4])(o)[:, None, None], (1, 2, 3)),
    ),
    "box of positions": (
        ke.targets.Region(1, box=(1, 2, 7, 8)),
        segmenter,
        lambda o: ops.sum(o[:, 1:7, 2:8, 1], (1, 2)),
    ),
    "box of positions of each": (
        ke.targets.Region(1, box=BOXES),
        segmenter,
        lambda o: ops.sum(o[..., 1] * per_image(np.stack([inside(b) for b in BOXES]))(o), (1, 2)),
    ),
    "box": (ke.targets.Box(7, 2), detector, lambda o: o[:, 7, 2]),
    "box of each": (
        ke.targets.Box(CLASSES * 9, CLASSES % 4),
        detector,
        lambda o: ops.sum(
            o * per_image(np.eye(96)[CLASSES * 9][:, :, None] * np.eye(4)[CLASSES % 4][:, None])(o), (1, 2)
        ),
    ),
    "dot": (ke.targets.Similarity(EMBEDDING), classifier, lambda o: ops.sum(o * per_image(EMBEDDING)(o), -1)),
    "dot of each": (
        ke.targets.Similarity(EMBEDDINGS),
        classifier,
        lambda o: ops.sum(o * per_image(EMBEDDINGS)(o), -1),
    ),
    "cosine": (
        ke.targets.Similarity(EMBEDDING, "cosine"),
        classifier,
        lambda o: (
            ops.sum(o * per_image(EMBEDDING / np.linalg.norm(EMBEDDING))(o), -1)
            / ops.sqrt(ops.sum(o * o, -1))
        ),
    ),
    "output by key": (ke.targets.Output("b", ke.targets.Class(4)), several, lambda o: o["b"][:, 4]),
    "output by index": (ke.targets.Output(0, ke.targets.Class(1)), several, lambda o: o["a"][:, 1]),
    "output by layer": (ke.targets.Output("head_b", lambda o: o[:, 0]), several, lambda o: o["b"][:, 0]),
    "top class of an output": (ke.targets.Output("b"), several, lambda o: ops.max(o["b"], -1)),
    "sum": (ke.targets.Sum(), segmenter, lambda o: ops.sum(o, (1, 2, 3))),
    "sum of several": (ke.targets.Sum(), several, lambda o: ops.sum(o["a"], -1) + ops.sum(o["b"], -1)),
    "function": (lambda o: o[:, 1] * o[:, 2], classifier, lambda o: o[:, 1] * o[:, 2]),
    "function of several": (
        lambda o: o["a"][:, 1] - o["b"][:, 2],
        several,
        lambda o: o["a"][:, 1] - o["b"][:, 2],
    ),
}


def around(model, scalar):
    """A model whose one class is the scalar."""
    return keras.Model(model.input, ops.expand_dims(scalar(model.output), -1))


def binary():
    """A classifier of two classes, of one unit behind a sigmoid."""
    model = classifier()
    return keras.Model(
        model.input, layers.Dense(1, activation="sigmoid", bias_initializer="ones")(model.output)
    )
