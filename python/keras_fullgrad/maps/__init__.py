"""The map that terms are drawn as: the fused op, what specifies it, and the filters of terms."""

from keras_fullgrad.maps import filters, reference
from keras_fullgrad.maps.op import saliency_map
from keras_fullgrad.native.loading import native_available, why_not_native

__all__ = ["filters", "native_available", "reference", "saliency_map", "why_not_native"]
