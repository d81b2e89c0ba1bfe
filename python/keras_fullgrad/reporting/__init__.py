"""Pages that show images, their maps, and what each layer adds to them."""

from keras_fullgrad.reporting.writing import report

__all__ = ["report"]
