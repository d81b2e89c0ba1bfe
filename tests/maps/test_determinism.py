"""The same bits at every run, on any number of TensorFlow's threads, and whole nets' under op determinism."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = os.environ.get("FULLGRAD_RUNS", "5")
"""How often each mode is run on each number of threads."""

MODES = """
import hashlib, sys
import numpy as np, tensorflow as tf
threads, runs = map(int, sys.argv[1:])
tf.config.threading.set_intra_op_parallelism_threads(threads)
import oracle
from keras_fullgrad import filters
from keras_fullgrad.maps import op

psi = {names: psi for psi, names in filters.NATIVE.items()}
rng = np.random.default_rng(0)
digest = hashlib.sha256()
# The second has work for 64 threads.
for sizes, channels, modes in [
    ([(40, 40), (40, 40), (13, 17)], [5, 64, 100], oracle.MODES),
    ([(112, 112), (112, 112), (28, 28)], [64, 96, 512], oracle.MODES[:: len(oracle.MODES) // 6]),
]:
    for mode in modes:
        gradients, weights = oracle.draw_terms(rng, sizes, np.float32, mode["layout"], 2, channels)
        gradients, weights = [*map(tf.constant, gradients)], [*map(tf.constant, weights)]
        options = {name: mode[name] for name in ("channels", "resize", "layout")} | {"backend": "native"}
        options["psi"] = psi[mode["rectifier"], mode["rescale"]]
        once = op.saliency_map(gradients, weights, [50, 70], **options).numpy().tobytes()
        for _ in range(runs - 1):
            if op.saliency_map(gradients, weights, [50, 70], **options).numpy().tobytes() != once:
                sys.exit(f"other bits in mode {mode}")
        digest.update(once)
print(digest.hexdigest())
"""

NET = """
import hashlib
import keras, numpy as np, tensorflow as tf
import keras_fullgrad as ke

keras.utils.set_random_seed(0)
tf.config.experimental.enable_op_determinism()
layers = keras.layers
net = keras.Sequential([
    keras.Input([24, 20, 3]),
    layers.Conv2D(8, 3, activation="relu", bias_initializer="normal"),
    layers.DepthwiseConv2D(3, use_bias=False),
    layers.BatchNormalization(beta_initializer="normal"),
    layers.Activation("silu"),
    layers.MaxPooling2D(),
    layers.Conv2D(16, 3, strides=2, bias_initializer="normal"),
    layers.GlobalAveragePooling2D(),
    layers.Dense(5),
])
images = np.random.default_rng(0).normal(size=[40, 24, 20, 3])
digest = hashlib.sha256()
for options in [
    {},
    {"batch_size": 2},
    {"preset": "paper"},
    {"implicit_biases": True},
    {"backend": "tensorflow"},
]:
    for array in ke.full_gradients(net, images, verbose=0, **options):
        digest.update(np.ascontiguousarray(array).tobytes())
smooth = ke.methods.meta.smooth(ke.methods.gradient.full_gradients, repetitions=3)
for array in ke.explain(smooth, net, images, verbose=0):
    digest.update(np.ascontiguousarray(array).tobytes())
print(digest.hexdigest())
"""


def printed(script, *arguments):
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    ended = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_every_mode_has_the_same_bits_on_any_number_of_threads():
    assert len({printed(MODES, threads, RUNS) for threads in (1, 2, 7, 64)}) == 1


@pytest.mark.slow
def test_a_net_has_the_same_bits_in_another_process_under_op_determinism():
    assert printed(NET) == printed(NET)
