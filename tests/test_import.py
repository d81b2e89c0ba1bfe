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


def without_tensorflow(folder):
    """An environment in which TensorFlow is not found."""
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == 'tensorflow':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name='tensorflow')\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_where_there_is_no_tensorflow_the_message_names_both(tmp_path):
    result = python("import keras_fullgrad", **without_tensorflow(tmp_path))
    assert "ImportError: keras_fullgrad expected TensorFlow" in result.stderr
    assert "pip install 'keras-fullgrad[cpu]', or 'keras-fullgrad[cuda]' for GPUs" in result.stderr


def test_so_does_the_command_line(tmp_path):
    code = "import keras_fullgrad_cli; keras_fullgrad_cli.app(['info'])"
    result = python(code, **without_tensorflow(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("error: keras_fullgrad expected TensorFlow")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("imported", ["keras_fullgrad", "keras_fullgrad.demo", "keras_fullgrad_cli.commands"])
def test_keras_is_left_as_it_was(imported):
    """Its default type, once asked for, does not heed ``set_floatx`` any more; names are counted."""
    code = (
        f"import {imported}, keras\n"
        "keras.config.set_floatx('float64')\n"
        "layer = keras.layers.Dense(2)\n"
        "output = layer(keras.ops.ones([1, 2]))\n"
        "print(layer.name, layer.dtype_policy.name, keras.backend.standardize_dtype(output.dtype))\n"
    )
    result = python(code)
    assert result.stdout.split() == ["dense", "float64", "float64"], result.stderr


def test_help_imports_nothing_heavy():
    code = (
        "import sys, keras_fullgrad_cli\n"
        "try: keras_fullgrad_cli.app(['explain', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'PIL', 'scipy', 'jinja2', 'pandas', 'ray'}\n"
        "print(heavy & sys.modules.keys(), file=sys.stderr)"
    )
    result = python(code)
    assert "--class" in result.stdout
    assert result.stderr == "set()\n"


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
