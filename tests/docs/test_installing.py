"""The table of Pythons and TensorFlows is what was tried."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def try_wheels():
    spec = importlib.util.spec_from_file_location("try_wheels", ROOT / "packaging" / "try_wheels.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rows():
    return json.loads((ROOT / "benchmarks" / "results" / "wheels.json").read_text())


def test_the_table_is_what_was_tried(try_wheels, rows):
    assert (
        f"<!-- wheels -->\n{try_wheels.table(rows)}<!-- /wheels -->"
        in (ROOT / "docs" / "installing.md").read_text()
    )


def test_every_pair_that_pypi_has_was_tried(try_wheels, rows):
    tried = [f"{row['python']}={row['tensorflow'].rpartition('.')[0]}" for row in rows]
    assert tried == try_wheels.every_pair()
