"""What this installation is made of and runs on."""

import platform
from importlib.metadata import version
from typing import Any

import keras
import tensorflow as tf

from keras_fullgrad import _tensorflow
from keras_fullgrad.native import libraries, loading

_OP = "KerasFullgrad>SaliencyMap"


def facts() -> dict[str, Any]:
    """Tells what the library was built for, what it runs on, and what to do where something is missing.

    Returns:
        Names and values: versions, whether the native op loads, the CUDA toolkit and architectures of
        its GPU kernel, the GPUs that TensorFlow sees with their compute capability, the devices that
        have a kernel, and ``advice``, a sentence for each thing that could be better.

    Example:
        >>> facts()["native op"]
        True
    """
    library = libraries.ops(loading.tensorflow_minor())
    built = {} if library is None else libraries.build_facts(library.parent)
    gpus = [_describe(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    kernels = _tensorflow.devices_with_kernel(_OP) if loading.native_available() else []
    advice = [reason] if (reason := loading.why_not_native()) else []
    if not gpus and tf.test.is_built_with_cuda():
        advice.append(
            "TensorFlow is built for GPUs and sees none: check nvidia-smi, or install 'keras-fullgrad[cpu]'"
        )
    if not gpus and loading.native_available() and "GPU" not in kernels:
        advice.append("for a GPU, where nvcc is found: FULLGRAD_CUDA=ON keras-fullgrad build")
    return {
        "keras-fullgrad": version("keras-fullgrad"),
        "Python": platform.python_version(),
        "Keras": keras.__version__,
        "TensorFlow": tf.__version__,
        "built for TensorFlow": libraries.minors(),
        "native op": loading.native_available(),
        "kernels": kernels,
        "CPU instruction sets": built.get("instruction_sets", []),
        "CUDA toolkit": built.get("cuda_version"),
        "CUDA architectures": built.get("cuda_architectures", "").split(),
        "GPUs": gpus,
        "advice": advice,
    }


def _describe(gpu: Any) -> str:
    details = tf.config.experimental.get_device_details(gpu)
    major, minor = details.get("compute_capability", ("?", "?"))
    return f"{details.get('device_name') or gpu.name} (compute capability {major}.{minor})"
