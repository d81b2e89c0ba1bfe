"""What happens where memory, or the process, is not what it was."""

import subprocess
import sys

import pytest

SMALL_MEMORY = """
import resource, warnings
import keras, numpy as np
import keras_fullgrad as ke

layers = keras.layers
model = keras.Sequential([
    keras.Input([16, 16, 3]),
    layers.Conv2D(3, 1, bias_initializer="normal"),
    layers.UpSampling2D(32, interpolation="bilinear"),
    layers.GlobalAveragePooling2D(),
    layers.Dense(3),
])
x = np.random.default_rng(0).normal(size=[256, 16, 16, 3])
_, expected = ke.full_gradients(model, x, batch_size=4, verbose=0)
(size,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmSize"))
limit = int(size) * 1024 + 500 * 2**20  # One tensor of the whole batch takes 805 MB.
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    _, maps = ke.full_gradients(model, x, batch_size=256, verbose=0)
np.testing.assert_allclose(maps, expected, atol=1e-5)
print(*(warning.message for warning in warned), sep="\\n")
"""

FORKED = """
import os, signal
import keras, numpy as np
import keras_fullgrad as ke

child = os.fork()
signal.alarm(120)
if child == 0:
    model = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    print(ke.full_gradients(model, np.ones([2, 8, 8, 3]), verbose=0)[1].shape, flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


def run(program):
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return said.stdout


@pytest.mark.slow
def test_memory_that_does_not_do_halves_batches_and_loses_nothing():
    first, *more = run(SMALL_MEMORY).splitlines()
    assert first == "memory did not do for 256 images at a time; going on with 128"
    assert len(more) <= 3


@pytest.mark.slow
def test_a_process_that_forks_after_the_import():
    assert run(FORKED).split("\n")[:2] == ["(2, 8, 8, 1)", "0"]
