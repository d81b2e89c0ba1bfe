"""Filters of a signal, by keras-explainable's names; see :mod:`keras_fullgrad.maps.filters`."""

from keras_fullgrad.maps.filters import (
    ALIASES,
    NATIVE,
    SPATIAL_AXIS,
    Filter,
    absolute,
    absolute_normalize,
    absolute_normalize_per_sample,
    identity,
    negative,
    negative_normalize,
    negative_normalize_per_sample,
    normalize,
    normalize_per_sample,
    positive,
    positive_normalize,
    positive_normalize_per_sample,
)

__all__ = [
    "ALIASES",
    "NATIVE",
    "SPATIAL_AXIS",
    "Filter",
    "absolute",
    "absolute_normalize",
    "absolute_normalize_per_sample",
    "identity",
    "negative",
    "negative_normalize",
    "negative_normalize_per_sample",
    "normalize",
    "normalize_per_sample",
    "positive",
    "positive_normalize",
    "positive_normalize_per_sample",
]
