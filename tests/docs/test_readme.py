"""The examples of the README run as they stand, and the tables show what was measured."""

import json
from pathlib import Path

import pytest

import examples

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


@pytest.mark.slow
def test_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")  # Tables are as wide as the terminal.
    names = examples.run(README)
    assert (tmp_path / "maps.png").stat().st_size > 10_000
    assert "relative error" in capsys.readouterr().out
    assert names["parts"].relative_error < 1e-4
    explained = names["explained"]
    error = abs(sum(explained.terms.values()) - explained.maps).max() / explained.maps.max()
    assert error < 1e-5


def measured(name):
    return json.loads((ROOT / "benchmarks" / "results" / name).read_text())["rows"]


def test_table_of_the_op_is_what_was_measured():
    text = (ROOT / "docs" / "speed.md").read_text()
    ratios = [row["tf.function / native"] for row in measured("op.json")]
    assert 9 < min(ratios) < max(ratios) < 16  # The README's ninth to fifteenth.
    for row in measured("op.json"):
        ours = f"{row['read ms']:.1f} | {row['native ms']:.1f}"
        theirs = f"{row['tf.function ms']:.0f} | {row['XLA ms']:.0f}"
        ratios = f"{row['native / read']:.2f} | {row['tf.function / native']:.1f}"
        assert f"| {row['net']} | {row['rescale']} | {row['MB']} | {ours} | {theirs} | {ratios} |" in text


def test_table_of_completeness_is_what_was_measured():
    text = (ROOT / "docs" / "exactness.md").read_text()
    rows = measured("completeness.json")
    assert len(rows) == 40
    for row in rows:
        assert "| " + " | ".join(map(str, row.values())) + " |" in text


def test_table_of_keras_hub_is_what_was_measured():
    text = (ROOT / "docs" / "exactness.md").read_text()
    for row in measured("keras_hub.json"):
        assert "| " + " | ".join(map(str, row.values())) + " |" in text


def test_tables_of_whole_nets_are_what_was_measured():
    def cell(value, digits=2):
        return "-" if value is None else f"{value:.{digits}f}"

    text = (ROOT / "docs" / "speed.md").read_text()
    rows = measured("end_to_end.json")
    assert len(rows) == 21
    for row in rows:
        ratios = " | ".join(cell(row[f"full / {way}"]) for way in ("plain", "reference", "retraced"))
        memory = " | ".join(cell(row[name]) for name in ("plain GB", "full GB", "full GB / plain GB"))
        line = f"| {row['net']} | {row['batch']} | {cell(row['plain s'], 3)} | {ratios} | {memory} |"
        assert line in text, line
    for row in measured("growth.json"):
        assert f"| {row['against']} | {row['at']} | {row['of']} | {cell(row['R2'], 3)} |" in text
    for row in measured("steady.json"):
        line = f"| {row['run']} | {row['steps']} | {cell(row['GB in the second tenth'], 3)}"
        assert f"{line} | {cell(row['GB in the last'], 3)} |" in text
    for row in measured("startup.json"):
        columns = ("s", "s, not folded", "plain gradient, s")
        assert f"| {row['what']} | {' | '.join(cell(row[name], 1) for name in columns)} |" in text


def test_table_of_activations_is_what_was_measured():
    text = (ROOT / "docs" / "speed.md").read_text()
    for row in measured("activations.json"):
        values = [f"{value:.1f}" for value in list(row.values())[1:]]
        assert f"| {row['activation']} | {' | '.join(values)} |" in text


def test_table_of_profiles_is_what_was_measured():
    text = (ROOT / "docs" / "speed.md").read_text()
    for net in measured("profile.json"):
        spent = {row["operation"]: row for row in net["operations"]}
        cells, op = [net["net"]], spent["KerasFullgrad>SaliencyMap"]
        for side in ("plain ms", "full ms"):
            convolutions = sum(
                row[side]
                for name, row in spent.items()
                if "Conv2D" in name or "DepthwiseConv2d" in name or name == "MatMul"
            )
            cells += [f"{convolutions:.0f}", f"{spent['all operations'][side] - convolutions - op[side]:.0f}"]
            if side == "plain ms":
                share = convolutions / spent["all operations"][side]
        assert f"| {' | '.join(cells)} | {op['full ms']:.0f} | {share:.2f} |" in text, net["net"]


def test_readme_tells_of_batches_of_four():
    for row in measured("end_to_end.json"):
        if row["batch"] == 4:
            line = f"| {row['net']} | {row['plain s']:.2f} | {row['full / plain']:.2f} |"
            assert line in README.read_text(), line
