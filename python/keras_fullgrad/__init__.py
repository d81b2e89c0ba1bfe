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

try:
    import keras
except ModuleNotFoundError as error:
    if error.name != "tensorflow":
        raise
    raise ImportError(
        "keras_fullgrad expected TensorFlow, of which there are several to choose from: "
        "pip install 'keras-fullgrad[cpu]', or 'keras-fullgrad[cuda]' for GPUs"
    ) from error

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "keras_fullgrad expected Keras on its TensorFlow backend, got "
        f"'{keras.backend.backend()}': set KERAS_BACKEND=tensorflow before keras is imported"
    )

from keras_fullgrad import filters, inspection, maps, methods, metrics, pictures, targets, utils
from keras_fullgrad.explain import explain, explain_iter
from keras_fullgrad.explanation import Explanation
from keras_fullgrad.native.loading import warn_without_native
from keras_fullgrad.pictures import overlay
from keras_fullgrad.reporting import report
from keras_fullgrad.running.memory import keep_host_memory
from keras_fullgrad.running.traces import clear_cache
from keras_fullgrad.shortcuts import cam, full_gradients, gradcam, gradients
from keras_fullgrad.terms.completeness import completeness
from keras_fullgrad.terms.decompose import decompose

__version__ = version("keras-fullgrad")

warn_without_native()

__all__ = [
    "Explanation",
    "cam",
    "clear_cache",
    "completeness",
    "decompose",
    "explain",
    "explain_iter",
    "filters",
    "full_gradients",
    "gradcam",
    "gradients",
    "inspection",
    "keep_host_memory",
    "maps",
    "methods",
    "metrics",
    "overlay",
    "pictures",
    "report",
    "targets",
    "utils",
]
