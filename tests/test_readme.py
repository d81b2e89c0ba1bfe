"""The example of the README runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.slow
def test_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(r"<!-- example -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 2
    assert (tmp_path / "maps.png").stat().st_size > 10_000
    assert "relative error" in capsys.readouterr().out
    assert names["parts"].relative_error < 1e-4
    error = abs(sum(names["terms"].values()) - names["maps"]).max() / names["maps"].max()
    assert error < 1e-5
