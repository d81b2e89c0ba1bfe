"""The native op library: whether it is there, fits this TensorFlow and these GPUs, and why not."""

import functools
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import tensorflow as tf

LIBRARY = Path(__file__).parents[1] / "libkeras_fullgrad_ops.so"
"""The op library: `tf.load_op_library` makes its op, :data:`OP`, known to a process without this package."""

OP = "KerasFullgrad>SaliencyMap"
"""The op's name in graphs."""

_SWITCH = "FULLGRAD_NATIVE"
"""The environment variable that, set to OFF, leaves the library alone, and its absence unsaid."""

_REBUILD = "build it for this TensorFlow with: pip install --no-build-isolation --force-reinstall --no-deps ."


@functools.cache
def load() -> tuple[Any, str]:
    """The op library, or None and the reason why there is none."""
    if _is_off():
        return None, f"{_SWITCH}=OFF"
    if not LIBRARY.exists():
        if sys.platform != "linux":
            return None, "the native library is for Linux"
        return None, f"the package was installed without the native library; with a C++ compiler, {_REBUILD}"
    try:
        from keras_fullgrad import _native
    except ImportError as error:
        return None, f"the native library is missing ({error}); {_REBUILD}"
    built = _native.build_info()["tensorflow_version"]
    if built.split(".")[:2] != tf.__version__.split(".")[:2]:
        versions = f"built for TensorFlow {built}, and this is {tf.__version__}"
        return None, f"the native library was {versions}; {_REBUILD}"
    try:
        return tf.load_op_library(str(LIBRARY)), ""
    except (tf.errors.NotFoundError, RuntimeError) as error:
        return None, f"the native library does not load ({error}); {_REBUILD}"


@functools.cache
def left_to_tensorflow_on_gpus() -> str:
    """Why the GPUs here run the map in TensorFlow's own ops, or nothing where they need not.

    The native op would be placed on the CPU, and all gradients with it.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return ""
    from keras_fullgrad import _native

    built = _native.build_info()
    again = "build it again with: FULLGRAD_CUDA=ON pip install --force-reinstall --no-deps ."
    if built["cuda_version"] is None:
        return f"the native library was built without CUDA; {again}"
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
