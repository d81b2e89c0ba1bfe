"""FullGrad saliency maps for Keras 3, through a fused native TensorFlow op.

Example:
    >>> import keras, numpy as np
    >>> import keras_fullgrad as ke
    >>> model = keras.applications.MobileNetV2((64, 64, 3), weights=None, classes=10)
    >>> logits, maps = ke.full_gradients(model, np.random.rand(2, 64, 64, 3), verbose=0)
    >>> maps.shape
    (2, 64, 64, 1)
"""

from importlib.metadata import version

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "keras_fullgrad expected Keras on its TensorFlow backend, got "
        f"'{keras.backend.backend()}': set KERAS_BACKEND=tensorflow before keras is imported"
    )

from keras_fullgrad import filters, inspection, methods, metrics, ops, pictures, reference, utils
from keras_fullgrad.decomposing import completeness, decompose
from keras_fullgrad.explaining import explain, explain_iter, full_gradients, gradients
from keras_fullgrad.host_memory import keep_host_memory
from keras_fullgrad.pictures import overlay
from keras_fullgrad.reporting import report

__version__ = version("keras-fullgrad")

ops.warn_without_native()

__all__ = [
    "completeness",
    "decompose",
    "explain",
    "explain_iter",
    "filters",
    "full_gradients",
    "gradients",
    "inspection",
    "keep_host_memory",
    "methods",
    "metrics",
    "ops",
    "overlay",
    "pictures",
    "reference",
    "report",
    "utils",
]
