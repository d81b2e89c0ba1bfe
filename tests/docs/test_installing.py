"""The table of Pythons and TensorFlows is what was tried."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "installing.md"


def rows():
    return json.loads((ROOT / "benchmarks" / "results" / "wheels.json").read_text())


def test_the_table_is_what_was_tried():
    text = PAGE.read_text()
    for row in rows():
        assert f"| {' | '.join(map(str, row.values()))} |" in text


def test_every_pair_that_pypi_has_was_tried():
    tried = {(row["python"], row["tensorflow"].rpartition(".")[0]) for row in rows()}
    of_all = {(python, minor) for python in ("3.10", "3.11", "3.12", "3.13") for minor in ("2.20", "2.21")}
    of_most = {(python, minor) for python in ("3.10", "3.11", "3.12") for minor in ("2.18", "2.19")}
    assert tried == of_all | of_most
