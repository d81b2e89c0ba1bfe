"""The native library: whether it is there, fits this TensorFlow and these GPUs, and why not."""

import ctypes
import functools
import os
import sys
import warnings
from typing import Any

import tensorflow as tf

from keras_fullgrad.native import libraries

OPS = "KerasFullgrad>"
"""What the names of the ops begin with in graphs."""

TYPES = (tf.float16, tf.bfloat16, tf.float32, tf.float64)
"""What the ops compute."""

_SWITCH = "FULLGRAD_NATIVE"
"""The environment variable that, set to OFF, leaves the library alone, and its absence unsaid."""

_BUILD = "`keras-fullgrad build` makes it, where there is a C++ compiler"


def tensorflow_minor() -> str:
    """Tells the minor version of the TensorFlow that runs: an op library is made for one.

    Returns:
        The version, as ``"2.21"``.

    Example:
        >>> tf.__version__.startswith(tensorflow_minor())
        True
    """
    return ".".join(tf.__version__.split(".")[:2])


@functools.cache
def load() -> tuple[Any, str]:
    """Loads the op library.

    Returns:
        The library and nothing, or None and the reason why there is none.

    Example:
        >>> load()[1]
        ''
    """
    if _is_off():
        return None, f"{_SWITCH}=OFF"
    library = libraries.ops(tensorflow_minor())
    if library is None:
        if sys.platform != "linux":
            return None, "the native library is for Linux"
        if built := ", ".join(libraries.minors()):
            return (
                None,
                f"the native library is for TensorFlow {built}, and this is {tf.__version__}; {_BUILD}",
            )
        return None, f"the package was installed without the native library; {_BUILD}"
    try:
        return tf.load_op_library(str(library)), ""
    except (tf.errors.NotFoundError, RuntimeError) as error:
        return None, f"the native library does not load ({error}); {_BUILD}"


def library() -> Any:
    """The op library.

    Returns:
        Its ops, as functions.

    Raises:
        RuntimeError: If there is none.

    Example:
        >>> library().keras_fullgrad_activate(tf.constant([0.0]), activation="silu").numpy().tolist()
        [0.0]
    """
    found, reason = load()
    if found is None:
        raise RuntimeError(f"a native op needs the native library: {reason}")
    return found


def refuse_gradient(op: str, what: str) -> None:
    """Registers that an op has no gradient, and what to do where one is asked for.

    Args:
        op: The op's name in graphs.
        what: What it computes.

    Example:
        >>> refuse_gradient("KerasFullgrad>Example", "an example")
    """

    @tf.RegisterGradient(op)
    def refused(*_: Any) -> None:
        raise LookupError(
            f"expected no gradient of {what}, which has none; with fold_batch_norms=False the model runs in "
            "TensorFlow's own operations, which have"
        )


@functools.cache
def sees_gpus() -> bool:
    """Tells whether TensorFlow may place operations on a GPU.

    Returns:
        Whether it sees one.

    Example:
        >>> sees_gpus()
        False
    """
    return bool(tf.config.list_physical_devices("GPU"))


@functools.cache
def left_to_tensorflow_on_gpus() -> str:
    """Tells why the GPUs here run the map in TensorFlow's own ops, or nothing where they need not.

    The native op would be placed on the CPU, and all gradients with it.

    Returns:
        A sentence, or nothing where they need not.

    Example:
        >>> left_to_tensorflow_on_gpus()
        ''
    """
    gpus = tf.config.list_physical_devices("GPU")
    library = libraries.ops(tensorflow_minor())
    if not gpus or library is None:
        return ""
    built = libraries.build_facts(library.parent)
    again = "build it with: FULLGRAD_CUDA=ON keras-fullgrad build"
    if built["cuda_version"] is None:
        return f"the native library was built without CUDA; {again}"
    driver, needed = _cuda_of_driver(), int(built["cuda_version"].split(".")[0])
    if driver and driver[0] < needed:
        return (
            f"the native library was built with CUDA {built['cuda_version']}, and the driver runs CUDA "
            f"{driver[0]}.{driver[1]}; take a newer driver, or {again}"
        )
    architectures = [int(name) for name in built["cuda_architectures"].split() if name.isdigit()]
    for gpu in gpus:
        details = tf.config.experimental.get_device_details(gpu)
        major, minor = details.get("compute_capability", (99, 0))
        if architectures and 10 * major + minor < min(architectures):
            name = details.get("device_name") or gpu.name
            return (
                f"the native library was built for compute capability {min(architectures) / 10} and more, "
                f"and the {name} has {major}.{minor}; set CUDAARCHS={10 * major + minor} and {again}"
            )
    return ""


def _cuda_of_driver() -> tuple[int, int] | None:
    """The newest CUDA that the GPU driver runs; None where it does not say."""
    version = ctypes.c_int()
    try:
        if ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version)):
            return None
    except (OSError, AttributeError):
        return None
    return version.value // 1000, version.value % 1000 // 10


def _is_off() -> bool:
    return os.environ.get(_SWITCH, "").upper() == "OFF"


def native_available() -> bool:
    """Tells whether the native op is there and fits this TensorFlow.

    Returns:
        True where ``backend="native"`` works.

    Example:
        >>> native_available()
        True
    """
    return load()[0] is not None


def warn_without_native() -> None:
    """Warns, with what to run, where the native library is missing, or not for this TensorFlow or GPU.

    Not where it is switched off, nor where there can be none.

    Example:
        >>> warn_without_native()
    """
    if sys.platform == "linux" and not _is_off() and (reason := why_not_native()):
        warnings.warn(f"keras_fullgrad runs in plain TensorFlow: {reason}", stacklevel=3)


def why_not_native() -> str:
    """Tells why ``backend="auto"`` runs in plain TensorFlow, and what to do about it.

    Returns:
        A sentence, or nothing where the native op runs.

    Example:
        >>> why_not_native()
        ''
    """
    return load()[1] or left_to_tensorflow_on_gpus()
