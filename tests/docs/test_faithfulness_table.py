"""The page on measures of explanations shows what was measured."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faithfulness.md").read_text()
FOUND = json.loads((ROOT / "benchmarks" / "results" / "faithfulness.json").read_text())
ROWS = {(row["method"], row["measure"]): row for row in FOUND["rows"]}
METHODS = list(dict.fromkeys(method for method, _ in ROWS))
MEASURES = list(dict.fromkeys(measure for _, measure in ROWS))


def line(method, form):
    cells = (form.format(**ROWS[method, m]) if (method, m) in ROWS else "-" for m in MEASURES)
    return f"| {method} | {' | '.join(cells)} |"


@pytest.mark.parametrize("method", METHODS)
def test_tables_are_what_was_measured(method):
    assert f"| map | {' | '.join(MEASURES)} |" in PAGE
    assert line(method, "{mean:.3f}<br>[{low:.3f}, {high:.3f}]") in PAGE
    if method != "plain gradient":
        form = "{minus plain mean:+.3f}<br>[{minus plain low:+.3f}, {minus plain high:+.3f}]"
        assert line(method, form) in PAGE


def test_scenes_are_those_measured():
    assert f"{FOUND['scenes']} scenes of digits" in PAGE
    assert f"({FOUND['predicted right']} are predicted right)" in PAGE
    assert f"the first {FOUND['scenes of cascades']} of them" in PAGE


def test_figures_of_photographs_are_what_was_measured():
    found = json.loads((ROOT / "benchmarks" / "results" / "photographs.json").read_text())
    page = (ROOT / "docs" / "gradcam.md").read_text()
    assert f"{found['photographs']} photographs" in page
    for row in found["rows"]:
        assert f"| {' | '.join(row.values())} |" in page
    told = {row["map"]: row["class against class"].split()[0] for row in found["rows"]}
    limits = " ".join((ROOT / "README.md").read_text().split())
    first, paper, focus, plain = (
        told[name] for name in ("FullGrad", "FullGrad, paper", "FullGrad, focus", "plain gradient")
    )
    assert f"{first} (`default`) and {paper} (`paper`), the plain gradient's at {plain}" in limits
    assert f"`ke.methods.meta.focus` at {focus}" in limits
