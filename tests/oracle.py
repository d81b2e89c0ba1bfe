"""The map in float64 NumPy, by the definition and the slowest route, every channel resized; and terms."""

import itertools

import ml_dtypes
import numpy as np

RECTIFIERS = {
    "absolute": np.abs,
    "positive": lambda t: np.maximum(t, 0),
    "negative": lambda t: np.minimum(t, 0),
    "identity": lambda t: t,
}


def rescale(t, mode):
    """`t` is (batch, *space, channels)."""
    if mode == "none":
        return t
    axes = tuple(range(1, t.ndim - 1 if mode == "per_channel" else t.ndim))
    low, high = t.min(axes, keepdims=True), t.max(axes, keepdims=True)
    width = high - low
    if mode == "per_sample":
        return (t - low) / (width + 1e-6)
    return np.where(width == 0, 0.0, (t - low) / np.where(width == 0, 1.0, width))


def resize_matrix(source, target, mode):
    """Weights of a linear resize, (target, source)."""
    matrix = np.zeros([target, source])
    for p in range(target):
        if mode == "half_pixel":
            position = (p + 0.5) * source / target - 0.5
        else:
            position = p * (source - 1) / (target - 1) if target > 1 else 0.0
        position = min(max(position, 0.0), source - 1.0)
        lower = min(int(np.floor(position + 1e-12)), source - 1)
        upper = min(lower + 1, source - 1)
        fraction = max(position - lower, 0.0) if upper > lower else 0.0
        matrix[p, lower] += 1 - fraction
        matrix[p, upper] += fraction
    return matrix


def resize(t, size, mode):
    """Resizes the axes 1, 2, ... of `t` to `size`, leaving out weights of zero, so that a NaN stays put."""
    for axis, target in enumerate(size, start=1):
        matrix = resize_matrix(t.shape[axis], target, mode)
        moved = np.moveaxis(t, axis, 0)
        rows = [
            sum(weight * moved[source] for source, weight in enumerate(row) if abs(weight) > 1e-9)
            for row in matrix
        ]
        t = np.moveaxis(np.stack(rows), 0, axis)
    return t


def saliency_map(
    gradients,
    weights,
    size,
    *,
    rectifier="absolute",
    rescale_mode="none",
    channels="mean",
    resize_mode="half_pixel",
    layout="channels_last",
):
    total = 0.0
    for gradient, weight in zip(gradients, weights, strict=True):
        gradient, weight = np.asarray(gradient, np.float64), np.asarray(weight, np.float64)
        if layout == "channels_first":
            gradient = np.moveaxis(gradient, 1, -1)
            weight = weight if weight.ndim == 1 else np.moveaxis(weight, 1, -1)
        with np.errstate(invalid="ignore", over="ignore"):
            t = rescale(RECTIFIERS[rectifier](weight * gradient), rescale_mode)
            t = resize(t, size, resize_mode)
            total = total + (t.mean(-1) if channels == "mean" else t.sum(-1))
    return total


MODES = [
    {
        "rectifier": rectifier,
        "rescale": rescale,
        "channels": channels,
        "resize": resize,
        "layout": layout,
    }
    for rectifier, rescale, channels, resize, layout in itertools.product(
        RECTIFIERS,
        ("none", "per_channel", "per_sample"),
        ("mean", "sum"),
        ("half_pixel", "aligned_corners"),
        ("channels_last", "channels_first"),
    )
]


def in_mode(gradients, weights, size, mode):
    names = {"rescale": "rescale_mode", "resize": "resize_mode"}
    return saliency_map(gradients, weights, size, **{names.get(k, k): value for k, value in mode.items()})


DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
SIZES = [
    # (term sizes, target): one, odd, prime, and a target smaller than some terms
    ([(1, 1), (1, 1)], (1, 1)),
    ([(7, 5), (1, 3), (13, 17)], (11, 29)),
    ([(31, 2), (4, 4), (4, 4)], (3, 5)),
    ([(9,), (1,), (64,)], (37,)),
    ([(3, 5, 7), (1, 2, 1), (6, 4, 9)], (5, 4, 11)),
]
CHANNELS = [3, 16, 37]


def draw_terms(rng, sizes, dtype, layout, batch=2, channels=CHANNELS):
    """The first term has a weight of the gradient's shape, as the input term does."""
    gradients, weights = [], []
    for index, size in enumerate(sizes):
        c = channels[index % len(channels)]
        shape = (batch, *size, c) if layout == "channels_last" else (batch, c, *size)
        gradients.append(rng.normal(size=shape).astype(dtype))
        weight = rng.normal(size=shape if index == 0 else [c])
        weights.append(weight.astype(dtype if index == 0 else np.float32))
    return gradients, weights


def assert_close(actual, expected, tolerance=3e-6):
    """Relative to the largest value: a sum of signed terms has no other scale."""
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    finite = np.isfinite(expected)
    scale = np.abs(expected[finite]).max(initial=1e-30)
    np.testing.assert_allclose(actual[finite] / scale, expected[finite] / scale, atol=tolerance)
