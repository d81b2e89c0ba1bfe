"""The table of docs/cluster.md shows what was measured."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "benchmarks" / "results" / "cluster.json"


@pytest.mark.skipif(not MEASURED.exists(), reason="not measured yet: benchmarks/bench_cluster.py")
def test_table_is_what_was_measured():
    text = (ROOT / "docs" / "cluster.md").read_text()
    rows = json.loads(MEASURED.read_text())["rows"]
    assert len(rows) == 3
    for row in rows:
        rates = f"{row['images/s']:.0f} | {row['of this process']:.2f}"
        line = f"| {row['computed by']} | {rates} | {row['start, s']:.0f} | {row['GB']:.1f} |"
        assert f"{line} {row['kB a map']:.0f} |" in text, line
