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
    tried = [(row["python"], row["tensorflow"].rpartition(".")[0]) for row in rows()]
    lines = (ROOT / "packaging" / "pairs.txt").read_text().splitlines()
    known = [line.split() for line in lines if not line.startswith("#")]
    assert tried == [(python, minor) for python, *minors in known for minor in minors]
