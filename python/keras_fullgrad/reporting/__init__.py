"""Pages that show images, their maps, and what each layer adds to them."""

from keras_fullgrad.reporting.report import report

__all__ = ["report"]
