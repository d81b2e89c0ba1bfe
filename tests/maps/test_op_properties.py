"""The op's Python face, given anything: the oracle's map or an exception, where memory runs out too."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import oracle
from keras_fullgrad import filters
from keras_fullgrad.maps import op
from oracle import assert_close

pytestmark = pytest.mark.slow

BACKENDS = ["native", "tensorflow"]
PSI = {names: psi for psi, names in filters.NATIVE.items()}
REFUSALS = (ValueError, TypeError, tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError)


def saliency_map(gradients, weights, size, mode, backend):
    options = {name: mode[name] for name in ("channels", "resize", "layout")}
    psi = PSI[mode["rectifier"], mode["rescale"]]
    return op.saliency_map(gradients, weights, size, psi=psi, backend=backend, **options)


def steps(shape, dtype, scale=1.0):
    """Steps of 1 / 32, whose products no float rounds, and a few values that are not like others."""
    step = st.integers(-127, 127).map(lambda step: step / 32 * scale)
    odd = st.sampled_from([np.nan, np.inf, -np.inf, -0.0])
    return hnp.arrays(np.float64, shape, elements=step, fill=step | odd).map(lambda a: a.astype(dtype))


AXES = st.integers(1, 9) | st.sampled_from([1, 16, 31])
ANY_SHAPE = st.lists(st.integers(0, 5), max_size=6).map(tuple)
ANY_TYPE = st.sampled_from([*oracle.DTYPES, np.bool_, np.uint8, np.int32, np.int64, np.complex64, np.str_])
# What lies between is allowed, and would fill the memory of the machine that runs the test.
ANY_AXIS = AXES | st.integers(-(2**63), 0) | st.integers(2**31, 2**63 - 1)
ANY_SIZE = (
    st.lists(ANY_AXIS, max_size=4) | st.lists(st.floats(), max_size=3) | st.none() | st.text(max_size=3)
)


@st.composite
def problems(draw):
    """Terms of 1 to 3 dimensions that fit each other."""
    mode = draw(st.sampled_from(oracle.MODES))
    rank = draw(st.integers(1, 3))
    batch = draw(st.integers(0, 2))
    scale = draw(st.sampled_from([1.0, 2.0**-30, 2.0**30]))
    gradients, weights = [], []
    for _ in range(draw(st.integers(1, 3))):
        space, channels = draw(st.tuples(*[AXES] * rank)), draw(AXES)
        last = mode["layout"] == "channels_last"
        shape = (batch, *space, channels) if last else (batch, channels, *space)
        dtype = draw(st.sampled_from(oracle.DTYPES))
        gradients.append(draw(steps(shape, dtype, 1.0 if dtype == np.float16 else scale)))
        weights.append(draw(steps(draw(st.sampled_from([(channels,), shape])), dtype)))
    return gradients, weights, draw(st.lists(AXES, min_size=rank, max_size=rank)), mode


@st.composite
def with_a_fault(draw, problem):
    """Something in it is exchanged for anything."""
    gradients, weights, size, mode = problem
    arrays = draw(st.sampled_from([gradients, weights]))
    index = draw(st.integers(0, len(arrays) - 1))
    fault = draw(st.sampled_from(["shape", "type", "size", "count"]))
    if fault == "shape":
        arrays[index] = draw(steps(draw(ANY_SHAPE), arrays[index].dtype))
    elif fault == "type":
        arrays[index] = np.ones(arrays[index].shape, draw(ANY_TYPE))
    elif fault == "size":
        size = draw(ANY_SIZE)
    else:
        del arrays[index]
    return gradients, weights, size, mode


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=150, deadline=None)
@given(problem=problems() | problems().flatmap(with_a_fault))
def test_any_terms_give_the_oracles_map_or_an_exception(backend, problem):
    gradients, weights, size, mode = problem
    try:
        maps = saliency_map(gradients, weights, size, mode, backend).numpy()
    except REFUSALS as error:
        event(f"refused: {type(error).__name__}")
        return
    event("finite maps" if np.isfinite(maps).all() else "maps with NaN")
    assert maps.shape == (len(gradients[0]), *size)
    if maps.size:
        assert_close(maps, oracle.in_mode(gradients, weights, size, mode), 1e-5)


OUT_OF_MEMORY = """
import resource, sys
import tensorflow as tf
from keras_fullgrad import filters
from keras_fullgrad.maps import op

def run(gradient, size):
    weights = [tf.ones([1])]
    return op.saliency_map([gradient], weights, size, psi=filters.absolute_normalize, backend=sys.argv[1])

many_images = tf.ones([3_000_000, 1, 1])
run(tf.ones([2, 4, 1]), [8])
with open("/proc/self/status") as status:
    used = 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20),) * 2)
for gradient, size in [
    (tf.ones([1, 4, 1]), [200_000_000]),  # The maps do not fit.
    (tf.ones([1, 4, 1]), [40_000_000]),  # They do, and what they are made in does not.
    (many_images, [1]),  # The plan of the native op does not.
    (tf.ones([1, 4, 4, 1]), [10**6, 10**6]),
]:
    try:
        print(run(gradient, size).shape)
    except tf.errors.ResourceExhaustedError:
        print("refused")
print(run(tf.constant([[[1.0], [3.0]]]), [2]).numpy().tolist())
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_where_memory_is_refused_the_op_is_too_and_the_next_call_works(backend):
    ended = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, backend],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"},  # Its allocator waits for 10 s before it refuses.
    )
    assert ended.returncode == 0, ended.stderr
    plan = "refused" if backend == "native" else "(3000000, 1)"
    assert ended.stdout.splitlines() == ["refused", "refused", plan, "refused", "[[0.0, 1.0]]"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [[2**32 + 6, 8], np.array([2**32 + 6, 8]), [2**63 - 1] * 2])
def test_a_size_does_not_become_another(backend, size):
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="and at most 2147483647, got"):
        op.saliency_map([tf.ones([2, 4, 5, 3])], [tf.ones([3])], size, backend=backend)


@pytest.mark.parametrize(
    ("gradient", "weight", "size", "message"),
    [
        ([2, 4, 5, 3], [1], [6, 8], r"term 0: expected a weight of shape \(3,\) or of .*got \(1,\)"),
        (
            [2, 4, 5, 3],
            [2, 1, 1, 3],
            [6, 8],
            r"or of the gradient's shape \(2, 4, 5, 3\), got \(2, 1, 1, 3\)",
        ),
        ([2, 4, 5, 3], [3], [6, 8, 9], "term 0: expected a gradient of rank 5 for a target of 3 dimensions"),
        ([2, 4, 3], [3], [6, 8], "term 0: expected a gradient of rank 4 for a target of 2 dimensions"),
        ([2, 0, 5, 3], [3], [6, 8], "term 0: expected at least one position and one channel"),
        ([2, 4, 5, 3], [3], [6, 0], r"at least 1 along each axis, .*got \[6, 0\]"),
        ([2, 1, 1, 1, 1, 3], [3], [1, 1, 1, 1], "expected a size of 1 to 3 spatial dimensions, got 4"),
    ],
)
def test_tensorflow_does_not_broadcast(gradient, weight, size, message):
    with pytest.raises(ValueError, match=message):
        op.saliency_map([tf.ones(gradient)], [tf.ones(weight)], size, backend="tensorflow")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("gradient", "weight", "size", "message"),
    [
        (tf.int32, tf.float32, [6, 8], "term 0: expected a gradient of one of float16, .*, got int32"),
        (tf.float32, tf.complex64, [6, 8], "term 0: expected a weight of one of float16, .*, got complex64"),
        (tf.float32, tf.float32, [6.5, 8.0], "expected a size of integers, got float32"),
        (tf.float32, tf.float32, [True, True], "expected a size of integers, got bool"),
    ],
)
def test_types_that_are_not_the_ops(backend, gradient, weight, size, message):
    with pytest.raises(TypeError, match=message):
        op.saliency_map([tf.ones([2, 4, 5, 3], gradient)], [tf.ones([3], weight)], size, backend=backend)
