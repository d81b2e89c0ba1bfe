"""`keras-fullgrad build`."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from keras_fullgrad_cli.console import fail, working
from keras_fullgrad_cli.startup import start


def build() -> None:
    """Compiles the native op for the TensorFlow that is installed, where the package came without it.

    It takes a C++17 compiler and a minute or two, and writes into your cache, not into the package.
    The environment's FULLGRAD_CUDA=ON compiles the GPU kernel too, for the architectures of CUDAARCHS.
    """
    if sys.platform != "linux":
        fail("the native op is for Linux; elsewhere the maps are TensorFlow's own ops, and the same")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # That there is none is known.
        start()
    from keras_fullgrad.native import libraries, loading

    cmake, ninja = _tool("cmake"), _tool("ninja")
    if cmake is None:
        fail("expected CMake 3.24 or newer: pip install 'keras-fullgrad[build]'")
    sources = libraries.sources()
    if sources is None:
        fail(f"expected the native sources beside {libraries.PACKAGE}: install the package again")
    cache, core = libraries.cache(), libraries.PACKAGE / libraries.CORE
    # The package's own core serves, unless another is asked for.
    other_core = os.environ.keys() & {"FULLGRAD_CUDA", "CUDAARCHS"}
    options = [
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DCMAKE_INSTALL_PREFIX={cache.parent}",
        f"-DFULLGRAD_CUDA={os.environ.get('FULLGRAD_CUDA', 'AUTO').upper()}",
        "-DFULLGRAD_PYTHON=OFF",
        *([f"-DFULLGRAD_CORE={core}"] if core.exists() and not other_core else []),
        *(["-GNinja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else []),
    ]
    version = f"TensorFlow {loading.tensorflow_minor()}"
    with tempfile.TemporaryDirectory() as folder, working(f"compiling for {version}"):
        _run(cmake, "-S", sources, "-B", folder, *options)
        _run(cmake, "--build", folder, "--target", "install")
    loading.load.cache_clear()
    if not loading.native_available():
        fail(f"compiled, but {loading.why_not_native()}")
    print(f"the native op for {version} is in {cache}")


def _run(*command: str | Path) -> None:
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if said.returncode:
        last = "\n".join(said.stdout.splitlines()[-40:])
        fail(f"expected CMake to build the native op, got status {said.returncode}, after:\n{last}")


def _tool(name: str) -> str | None:
    """A build tool: that of this Python's packages, which is newer, or that on the PATH."""
    own = importlib.util.find_spec(name)
    beside = Path(sys.executable).with_name(name)
    return str(beside) if own and beside.exists() else shutil.which(name)
