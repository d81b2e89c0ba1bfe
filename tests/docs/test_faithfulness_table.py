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


PHOTOGRAPHS = json.loads((ROOT / "benchmarks" / "results" / "photographs.json").read_text())
NETS = list(dict.fromkeys(row["net"] for row in PHOTOGRAPHS["rows"]))


def cell(row, kind, form):
    if row is None:
        return "-"
    low, high = (row.get(f"{kind}{end}") for end in ("low", "high"))
    interval = "" if low is None else f"<br>[{form.format(low)}, {form.format(high)}]"
    return form.format(row[f"{kind}centre"]) + interval


@pytest.mark.parametrize("net", NETS)
def test_figures_of_photographs_are_what_was_measured(net):
    rows = {(row["map"], row["measure"]): row for row in PHOTOGRAPHS["rows"] if row["net"] == net}
    methods, measures = (list(dict.fromkeys(key[axis] for key in rows)) for axis in (0, 1))
    own = PAGE.split(f"<!-- {net.lower()} -->")[1].split(f"<!-- /{net.lower()}")[0]
    minus = PAGE.split(f"<!-- {net.lower()}-minus -->")[1].split(f"<!-- /{net.lower()}-minus")[0]
    assert f"| map | {' | '.join(measures)} |" in own
    for method in methods:
        cells = [cell(rows.get((method, measure)), "", "{:.2f}") for measure in measures]
        assert f"| {method} | {' | '.join(cells)} |" in own
        if method != "FullGrad":
            shown = [rows.get((method, measure)) for measure in measures if measure != "price"]
            cells = [cell(row, "minus FullGrad ", "{:+.2f}") for row in shown]
            assert f"| {method} | {' | '.join(cells)} |" in minus


def test_both_nets_add_up_on_photographs():
    for row in PHOTOGRAPHS["completeness"]:
        assert f"| {' | '.join(row.values())} |" in PAGE
        assert float(row["float32"]) < 1e-5
        assert float(row["float64"]) < 1e-13


def test_the_comparison_with_gradcam_is_what_was_measured():
    page = (ROOT / "docs" / "gradcam.md").read_text()
    assert f"{PHOTOGRAPHS['photographs']} photographs" in page
    rows = {(row["map"], row["measure"]): row for row in PHOTOGRAPHS["rows"] if row["net"] == NETS[0]}
    compared = ("random logit", "perturbation", "deletion", "insertion", "price")
    for method in dict.fromkeys(method for method, _ in rows):
        cells = [cell(rows.get((method, measure)), "", "{:.2f}") for measure in compared]
        assert f"| {method} | {' | '.join(cells)} |" in page
    first, paper, focus, plain = (
        f"{rows[name, 'random logit']['centre']:.2f}"
        for name in ("FullGrad", "FullGrad, paper", "FullGrad, focus", "plain gradient")
    )
    limits = " ".join((ROOT / "README.md").read_text().split())
    assert f"{first} (`default`) and {paper} (`paper`), the plain gradient's at {plain}" in limits
    assert f"`ke.methods.meta.focus` at {focus}" in limits


def test_figures_of_known_answers_are_what_was_measured():
    found = json.loads((ROOT / "benchmarks" / "results" / "ground_truth.json").read_text())
    rows = {(row["map"], row["scenes"], row["measure"]): row for row in found["rows"]}
    methods, scenes, measures = (list(dict.fromkeys(key[axis] for key in rows)) for axis in (0, 1, 2))
    for method in methods:
        for measure in measures:
            form = "{mean:.2f}<br>[{low:.2f}, {high:.2f}]"
            cells = [form.format(**rows[method, kind, measure]) for kind in scenes]
            assert f"| {method} | {' | '.join(cells)} |" in PAGE
    assert f"{found['explained']} scenes that it tells right" in " ".join(PAGE.split())
