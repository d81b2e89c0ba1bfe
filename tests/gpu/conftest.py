"""The devices that the CUDA kernel is tested on: a GPU where there is one, and the host in its stead.

Needs neither TensorFlow nor the installed package: on a GPU machine without them, run
`pytest tests/gpu --confcutdir=tests/gpu` with FULLGRAD_CUDA_MODULE naming the built `_cuda` module.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[2]
KERNEL_SOURCES = [
    *("csrc/core/activation.cc", "csrc/core/activation_cuda.cu", "csrc/core/gpu.cc"),
    *("csrc/core/saliency.cc", "csrc/core/saliency_cuda.cu"),
]
ALIGNMENT = 64


class Interface:
    """An array in a device's memory, as PyTorch, CuPy and Numba show theirs."""

    def __init__(self, address, shape, dtype, owner):
        code = "<V2" if np.dtype(dtype).name == "bfloat16" else np.dtype(dtype).str
        self.owner = owner
        self.dtype, self.shape = np.dtype(dtype), tuple(shape)
        self.__cuda_array_interface__ = {
            "shape": self.shape,
            "typestr": code,
            "data": (address, False),
            "version": 3,
        }


class Device:
    """A kernel, and memory that it can reach."""

    def __init__(self, module):
        self.module = module

    def put(self, array, offset=0):
        """A copy of the array that starts `offset` bytes after an aligned address."""
        array = np.ascontiguousarray(array)
        data = np.concatenate([np.zeros(offset, np.uint8), array.reshape(-1).view(np.uint8)])
        address, owner = self.place(data)
        return Interface(address + offset, array.shape, array.dtype, owner)

    def saliency_map(self, gradients, weights, size, *, offset=0, stream=0, **options):
        """The maps of NumPy arrays; what the kernel has not written is a NaN."""
        gradients = [self.put(gradient, offset) for gradient in gradients]
        weights = [self.put(weight, offset) for weight in weights]
        wide = any(gradient.dtype == np.float64 for gradient in gradients)
        shape = (gradients[0].shape[0], *size)
        maps = self.put(np.full(shape, np.nan, np.float64 if wide else np.float32))
        bytes_needed = self.module.workspace(gradients, weights, size, **options)
        workspace, owner = self.place(np.full(bytes_needed, 0xFF, np.uint8))
        self.module.saliency_map(
            gradients, weights, size, maps, workspace, bytes_needed, stream=stream, **options
        )
        result = self.get(maps)
        del owner
        return result

    def activate(self, x, activation, gradient=None, offset=0):
        """An activation of NumPy arrays; what the kernel has not written is a NaN."""
        out = self.put(np.full(x.shape, np.nan, x.dtype))
        gradient = None if gradient is None else self.put(gradient, offset)
        self.module.activate(self.put(x, offset), activation, out, gradient=gradient)
        return self.get(out)


class EmulatedDevice(Device):
    """The host, which runs the kernel's threads one by one."""

    def place(self, data):
        memory = np.empty(data.size + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        memory[start : start + data.size] = data
        return memory.ctypes.data + start, memory

    def get(self, interface):
        memory, address = interface.owner, interface.__cuda_array_interface__["data"][0]
        start = address - memory.ctypes.data
        size = int(np.prod(interface.shape)) * interface.dtype.itemsize
        return memory[start : start + size].view(interface.dtype).reshape(interface.shape).copy()


class GpuDevice(Device):
    """A GPU, its memory held by PyTorch."""

    def __init__(self, module, torch):
        super().__init__(module)
        self.torch = torch

    def place(self, data):
        tensor = self.torch.from_numpy(data).cuda()
        return tensor.data_ptr(), tensor

    def get(self, interface):
        self.torch.cuda.synchronize()
        return interface.owner.cpu().numpy().view(interface.dtype).reshape(interface.shape)


def load(path):
    spec = importlib.util.spec_from_file_location("_cuda", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compile_for_host(sources, output, *flags):
    """Compiles the kernel's own source, and others, for the host, against `tests/cuda_emulator`."""
    compiler = os.environ.get("CXX") or shutil.which("c++")
    # Its fibers enter and leave stacks by longjmp, which the fortified one takes for an error.
    always = ["-std=c++17", "-fPIC", "-ffp-contract=off", "-fno-strict-aliasing", "-U_FORTIFY_SOURCE"]
    always += ["-Wno-unknown-pragmas", "-pthread", f"-I{REPOSITORY / 'csrc'}"]
    always += [f"-I{REPOSITORY / 'tests' / 'cuda_emulator'}"]
    paths = [REPOSITORY / source for source in [*KERNEL_SOURCES, *sources]]
    subprocess.run([compiler, *always, *flags, "-x", "c++", *paths, "-o", output], check=True)


@pytest.fixture(scope="session")
def emulated(tmp_path_factory):
    """The host, running the kernel."""
    pybind11 = pytest.importorskip("pybind11", reason="pybind11 is needed to compile the kernel for the host")
    library = tmp_path_factory.mktemp("emulated") / f"_cuda{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = [pybind11.get_include(), sysconfig.get_path("include")]
    compile_for_host(
        ["csrc/python/problem.cc", "csrc/python/cuda_module.cc"],
        library,
        *("-O2", "-fvisibility=hidden", "-shared", *(f"-I{path}" for path in include)),
    )
    return EmulatedDevice(load(library))


@pytest.fixture(scope="session")
def sanitized_small_case(tmp_path_factory):
    """The program that compute-sanitizer checks on a GPU, for the host and its sanitizers."""
    program = tmp_path_factory.mktemp("sanitized") / "small_case"
    compile_for_host(
        ["benchmarks/gpu/small_case.cc"],
        program,
        # Stacks are left out: the sanitizer knows of one for each thread, and fibers have their own.
        *("-O1", "-g", "-fsanitize=address,undefined", "--param=asan-stack=0"),
    )
    return program


def built_module():
    """Where the `_cuda` module is that was built for GPUs, or None."""
    if path := os.environ.get("FULLGRAD_CUDA_MODULE"):
        return Path(path)
    package = importlib.util.find_spec("keras_fullgrad")  # Finds it without importing it.
    folders = package.submodule_search_locations if package else []
    return next((path for folder in folders for path in Path(folder).glob("_cuda*.so")), None)


@pytest.fixture(scope="session")
def gpu():
    """A GPU; skips, and says what is missing, where there is none."""
    path = built_module()
    if path is None:
        pytest.skip("no _cuda module: the package was built without CUDA")
    if "torch" not in sys.modules and importlib.util.find_spec("torch") is None:
        pytest.skip("no PyTorch to hold GPU memory")
    import torch

    if not torch.cuda.is_available():
        pytest.skip("PyTorch sees no GPU")
    return GpuDevice(load(path), torch)


@pytest.fixture(scope="session", params=["gpu", pytest.param("emulated", marks=pytest.mark.slow)])
def device(request):
    """Each of the two."""
    return request.getfixturevalue(request.param)
