"""Activations and their derivatives in float64 NumPy, by the definition."""

import numpy as np
from scipy.special import erf, expit


def silu(x):
    gate = expit(x)
    return x * gate, gate * (1 + x * (1 - gate))


def hard_silu(x):
    gate = np.clip(x + 3, 0, 6) / 6
    return x * gate, gate + np.where((x > -3) & (x < 3), x / 6, 0)


def gelu(x):
    below = (1 + erf(x / np.sqrt(2))) / 2
    return x * below, below + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def gelu_tanh(x):
    u = np.sqrt(8 / np.pi) * (x + 0.044715 * x**3)
    gate = expit(u)
    return x * gate, gate + x * gate * (1 - gate) * np.sqrt(8 / np.pi) * (1 + 3 * 0.044715 * x * x)


ACTIVATIONS = {each.__name__: each for each in (silu, hard_silu, gelu, gelu_tanh)}

PRECISIONS = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-23, "float64": 2.0**-52}
"""What rounding changes of a value, as its share: half of the last place of 16 bits, the whole of more."""

LEAST = {"float16": 2.0**-25}
"""What it changes of the smallest values."""


def draw(count, dtype, seed=0):
    """Values all over, around the kinks and far out, and gradients."""
    rng = np.random.default_rng(seed)
    marks = [0, -0.0, 3, -3, 6, -6, 1e-3, -1e-3, 20, -20, 88, -88, 89, -89, 104, -104, 1e4, -1e4]
    x = np.concatenate([marks, rng.normal(0, 3, max(count - len(marks), 0))])[:count]
    return x.astype(dtype), rng.normal(0, 1, count).astype(dtype)


def assert_right(name, x, value, gradient, before):
    """Value and gradient are those of the definition, to the type's own precision."""
    assert value.dtype == before.dtype == x.dtype
    wide = x.astype(np.float64)
    expected, slope = ACTIVATIONS[name](wide)
    share, least = PRECISIONS[x.dtype.name], LEAST.get(x.dtype.name, 1e-37)
    # Arguments of exponentials are rounded too, and a value of many is compared with what is left of it.
    bound = 16 * PRECISIONS["float32" if x.dtype.itemsize < 8 else "float64"] * (1 + np.abs(wide))
    np.testing.assert_array_less(np.abs(value - expected), least + share * np.abs(expected) + bound)
    behind = gradient.astype(np.float64)
    error = np.abs(before - behind * slope)
    np.testing.assert_array_less(error, least + share * np.abs(behind * slope) + np.abs(behind) * bound)
