"""What an import does, and what it refuses, each in a process of its own."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_another_backend_of_keras_is_refused():
    made_up = "import sys, types; keras = types.ModuleType('keras'); sys.modules['keras'] = keras; "
    made_up += "keras.backend = types.SimpleNamespace(backend=lambda: 'jax'); import keras_fullgrad"
    result = python(made_up)
    assert "ImportError: keras_fullgrad expected Keras on its TensorFlow backend, got 'jax'" in result.stderr


def test_heavy_things_are_not_imported():
    """Keras imports some of them by itself; this package adds none."""
    code = (
        "import sys, keras, tensorflow; heavy = {'matplotlib', 'rich', 'typer', 'PIL', 'scipy', 'jinja2'}; "
        "before = heavy & sys.modules.keys(); import keras_fullgrad; "
        "print(heavy & sys.modules.keys() - before)"
    )
    result = python(code)
    assert result.stdout == "set()\n", result.stderr


def test_the_numpy_binding_needs_no_tensorflow():
    code = (
        "import importlib.util, sys; "
        "path = importlib.util.find_spec('keras_fullgrad').submodule_search_locations[0]; "
        "sys.path.insert(0, path); import _native, numpy as np; "
        "maps = _native.saliency_map([np.ones([1, 2, 2, 3], 'f')], [np.ones(3, 'f')], [4, 4]); "
        "print(maps.sum(), 'tensorflow' in sys.modules)"
    )
    assert python(code).stdout == "16.0 False\n"
