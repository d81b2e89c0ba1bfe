"""What a notebook shows of figures, pictures and decompositions, in a kernel of its own."""

import base64
import io

import nbclient
import nbformat
import pytest
from PIL import Image

CELLS = (
    "import keras, numpy as np, keras_fullgrad as ke",
    "ke.utils.visualize([np.eye(4), np.ones([4, 4])], titles=['a', 'b'])",
    """layers = keras.layers
conv = layers.Conv2D(4, 3, bias_initializer="ones", name="c>x")
model = keras.Sequential([keras.Input([8, 8, 3]), conv, layers.Flatten(), layers.Dense(2)])
ke.decompose(model, np.ones([1, 8, 8, 3]))""",
    "parts = ke.completeness(model, np.ones([1, 8, 8, 3]))",
    "ke.completeness(model, np.ones([1, 8, 8, 3]))",
    "parts",
    "ke.overlay(np.zeros([9, 8, 3]), np.eye(9, 8))",
    "ke.overlay(np.zeros([9, 8, 3]), np.eye(9, 8))[0, 0] / 2",
)


@pytest.fixture(scope="module")
def outputs():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    return [[output for output in cell.outputs if output.get("name") != "stderr"] for cell in notebook.cells]


@pytest.mark.slow
def test_a_figure_is_shown_once_as_a_picture(outputs):
    (shown,) = outputs[1]
    with Image.open(io.BytesIO(base64.b64decode(shown["data"]["image/png"]))) as picture:
        assert picture.width == 800


@pytest.mark.slow
def test_a_decomposition_is_shown_once_as_a_table(outputs):
    (shown,) = outputs[2]
    assert "c&gt;x" in shown["data"]["text/html"]
    assert "implicit" in shown["data"]["text/html"]


@pytest.mark.slow
def test_completeness_prints_and_shows_nothing_else(outputs):
    for (printed,) in outputs[3:5]:
        assert printed["name"] == "stdout"
        assert "implicit" in printed["text"]
    (shown,) = outputs[5]
    assert "implicit" in shown["data"]["text/html"]


@pytest.mark.slow
def test_an_overlay_is_a_picture_and_what_is_made_of_it_an_array(outputs):
    (shown,), (numbers,) = outputs[6:]
    with Image.open(io.BytesIO(base64.b64decode(shown["data"]["image/png"]))) as picture:
        assert picture.size == (8, 9)
    assert set(numbers["data"]) == {"text/plain"}
