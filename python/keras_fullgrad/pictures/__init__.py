"""Maps as pictures: arrays of 256 levels, to be shown, saved or put side by side, and figures of them."""

from keras_fullgrad.pictures.arrays import (
    ALPHA,
    COLOURS,
    colour_map,
    coloured,
    displayable,
    overlay,
    side_by_side,
)
from keras_fullgrad.pictures.classes import class_grid
from keras_fullgrad.pictures.grids import grid
from keras_fullgrad.pictures.layers import layer_grid

__all__ = [
    "ALPHA",
    "COLOURS",
    "class_grid",
    "colour_map",
    "coloured",
    "displayable",
    "grid",
    "layer_grid",
    "overlay",
    "side_by_side",
]
