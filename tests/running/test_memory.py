"""Memory that is kept is not asked of the kernel again."""

import subprocess
import sys

import pytest

from keras_fullgrad.running import memory

# Without TensorFlow: the module needs none.
CODE = f"""
import resource, runpy, sys
import numpy as np
keep = runpy.run_path({memory.__file__!r})["keep_host_memory"]
if sys.argv[1] == "keep":
    assert keep()
np.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(2**24)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / 2**27)
"""


def times_asked_for(mode):
    """How often 128 MB, allocated ten times, came anew from the kernel."""
    result = subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, text=True, check=True)
    return float(result.stdout)


def test_memory_is_kept():
    if not memory.keep_host_memory():
        pytest.skip("this C library has no mallopt")
    assert times_asked_for("keep") < 0.5


def test_another_c_library_says_no(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_host_memory() is False
