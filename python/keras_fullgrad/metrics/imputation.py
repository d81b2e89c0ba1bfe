"""Replaces pixels by what the pixels around them let expect."""

import functools
import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse  # It takes a while to import.

NOISE = 0.01
"""The standard deviation of the noise on imputed values, in standard deviations of their image."""


def impute(image: np.ndarray, mask: np.ndarray, seed: int = 0) -> np.ndarray:
    r"""Imputes pixels by the noisy linear imputation of Rong et al. 2022 (ROAD, arXiv:2202.00449).

    .. math:: x_p = \sum_q w_{pq} x_q + \varepsilon, \qquad \sum_q w_{pq} = 1

    where q are the pixels next to p, those that share a corner alone with half the weight of those that share
    an edge, and all imputed pixels are solved for at once. So an image loses what stood there without an edge
    where it stood, and the noise keeps a net from telling what is imputed from what is too smooth.

    Args:
        image: An image, (space, channels).
        mask: Which pixels to impute, (space); not all.
        seed: The seed of the noise.

    Returns:
        The image.

    Raises:
        ValueError: If no pixel is left to impute from.

    Example:
        >>> image = np.array([[1.0], [0.0], [0.0], [4.0]])
        >>> np.abs(impute(image, image[:, 0] == 0)[:, 0] - [1, 2, 3, 4]).max() < 0.2
        np.True_
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    if not mask.any():
        return image
    if mask.all():
        raise ValueError("expected a pixel to impute from, got none: take shares below 1")
    adjacency = _adjacency(mask.shape)
    flat, missing = image.reshape(-1, image.shape[-1]).astype(np.float64), mask.ravel()
    of_missing = adjacency[missing]
    # A pixel times its neighbours' weights, less those neighbours that are sought, is what is known.
    system = sparse.diags_array(np.asarray(of_missing.sum(axis=1)).ravel()) - of_missing[:, missing]
    known = of_missing[:, ~missing] @ flat[~missing]
    solver = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    noise = np.random.default_rng(seed).normal(0, NOISE, known.shape) * image.std()
    flat[missing] = solver.solve(known) + noise
    # Integers would be cut off, and wrap round below 0.
    dtype = image.dtype if image.dtype.kind == "f" else np.float32
    return flat.reshape(image.shape).astype(dtype)


@functools.lru_cache(4)
def _adjacency(shape: tuple[int, ...]) -> "sparse.csr_array":
    """The weights of each pixel's neighbours, (pixels, pixels): 1 on one axis, half for each more."""
    from scipy import sparse

    pixels = np.arange(np.prod(shape)).reshape(shape)
    rows, columns, weights = [], [], []
    for step in itertools.product((-1, 0, 1), repeat=len(shape)):
        if not any(step):
            continue
        here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, shape, strict=True))
        there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, shape, strict=True))
        rows.append(pixels[here].ravel())
        columns.append(pixels[there].ravel())
        weights.append(np.full(rows[-1].shape, 0.5 ** (np.abs(step).sum() - 1)))
    entries = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array((np.concatenate(weights), entries), shape=(pixels.size, pixels.size))
