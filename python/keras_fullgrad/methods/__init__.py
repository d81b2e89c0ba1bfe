"""Explaining methods, tensors in and tensors out."""

from keras_fullgrad.methods import gradient, meta

__all__ = ["gradient", "meta"]
