"""What each layer adds to a map."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fullgrad.pictures.arrays import COLOURS, Colours, as_map, coloured
from keras_fullgrad.pictures.grids import grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_COLUMNS = 6


def layer_grid(
    images: Any,
    terms: Mapping[str, Any],
    index: int = 0,
    target: int = 0,
    groups: int = 9,
    cmap: Colours = COLOURS,
) -> "Figure":
    r"""Draws what a map is the sum of: the input's own map, each layer's in order of depth, and the total.

    Each is drawn from its own least to greatest value, with its share of the total above it. Of a deep net,
    neighbouring layers are added up to ``groups`` pictures of about as many layers each.

    Args:
        images: The images that were explained, (images, height, width, 1 or 3); integers from 0 to 255, or
            floats from 0 to 1.
        terms: Maps by the layer's name, (images, height, width, K), as
            :func:`keras_fullgrad.full_gradients` returns them with ``return_terms``; drawn in their order, in
            which layers of implicit biases alone are the last.
        index: Which image.
        target: Which of the K classes that were explained.
        groups: At most as many pictures of layers; ``len(terms)`` draws each by itself.
        cmap: A colour map, or matplotlib's name of one.

    Returns:
        The figure.

    Raises:
        ValueError: If there are no terms, a term is of another shape, or there is no such image or class.

    Example:
        >>> terms = {"input": np.random.rand(1, 8, 8, 1), "conv": np.random.rand(1, 8, 8, 1)}
        >>> figure = layer_grid(np.zeros([1, 8, 8, 3]), terms)
        >>> [axes.get_title().split("\n")[0] for axes in figure.axes]
        ['image', 'input', 'conv', 'map']
    """
    maps = _maps(images, terms, index, target)
    total = np.sum(list(maps.values()), axis=0)
    size = sum(np.abs(map).sum() for map in maps.values())
    pictures, titles = [images[index]], ["image"]
    for names in _groups(list(maps), groups):
        map = np.sum([maps[name] for name in names], axis=0)
        share = np.abs(map).sum() / (size or 1)
        pictures.append(coloured(map, cmap))
        titles.append("\nto ".join(dict.fromkeys([names[0], names[-1]])) + f"\n{share:.1%}")
    pictures.append(coloured(total, cmap))
    titles.append("map")
    columns = math.ceil(len(pictures) / math.ceil(len(pictures) / _MOST_COLUMNS))
    rows = [slice(start, start + columns) for start in range(0, len(pictures), columns)]
    return grid([pictures[row] for row in rows], [titles[row] for row in rows])


def _maps(images: Any, terms: Mapping[str, Any], index: int, target: int) -> dict[str, np.ndarray]:
    if not terms:
        raise ValueError("expected the terms of a map, got none")
    maps = {}
    for name, term in terms.items():
        term = np.asarray(term)
        if term.ndim != 4 or len(term) != len(images):
            raise ValueError(
                f"expected terms of {len(images)} images, (images, height, width, K), got shape {term.shape} "
                f"for '{name}'"
            )
        if not (0 <= index < len(term) and 0 <= target < term.shape[-1]):
            raise ValueError(
                f"expected an index below {len(term)} images and a target below {term.shape[-1]} classes, "
                f"got {index} and {target}"
            )
        maps[name] = as_map(term[index, ..., target])
    return maps


def _groups(names: list[str], count: int) -> list[list[str]]:
    """The first, which is the input, by itself, and the others in runs."""
    if count < 1:
        raise ValueError(f"expected at least 1 group of layers, got {count}")
    first, *layers = names
    parts = np.array_split(np.array(layers, object), count)
    return [[first], *(part.tolist() for part in parts if len(part))]
