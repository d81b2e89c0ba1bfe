"""Explaining methods: how maps are drawn from terms. Tensors in, tensors out, eager or traced."""

from keras_fullgrad.methods import cams, gradient, meta

__all__ = ["cams", "gradient", "meta"]
