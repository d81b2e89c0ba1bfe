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
from keras_fullgrad.pictures.classes import of_classes
from keras_fullgrad.pictures.grids import grid
from keras_fullgrad.pictures.layers import of_layers

__all__ = [
    "ALPHA",
    "COLOURS",
    "colour_map",
    "coloured",
    "displayable",
    "grid",
    "of_classes",
    "of_layers",
    "overlay",
    "side_by_side",
]
