"""The documentation: examples run, commands are accepted, everything public has a page, one version."""

import doctest
import inspect
import re
import shlex
from pathlib import Path

import pytest
import typer.main

import examples
import keras_fullgrad as ke
import make_pictures
from keras_fullgrad_cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]


def with_python(pages):
    return [page for page in pages if any(block.language == "python" for block in examples.blocks(page))]


# Pages that make pictures run when the site is built: see tests/docs/test_gallery.py.
RUN = [page for page in with_python(sorted(DOCS.glob("*.md"))) if page not in make_pictures.PAGES]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_examples_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")  # Tables are as wide as the terminal.
    examples.run(page)
    printed = capsys.readouterr().out
    for block in examples.blocks(page):
        if block.language == "text":
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert doctest.OutputChecker().check_output(f"...{block.code}...", printed, flags), printed


def commands(page):
    for block in examples.blocks(page):
        if block.language == "bash":
            for line in re.split(r"&&|\n", block.code):
                if words := shlex.split(line, comments=True):
                    yield words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_accepted(page):
    group = typer.main.get_command(app)
    for program, *arguments in commands(page):
        if program == "keras-fullgrad":
            name, *options = arguments
            group.commands[name].make_context(name, options)  # Ends where an option is unknown or missing.
        elif program in ("python", "bash") and not arguments[0].startswith("-"):
            assert (ROOT / arguments[0]).is_file(), arguments[0]


def test_commands_are_found_in_the_pages():
    assert sum(words[0] == "keras-fullgrad" for page in PAGES for words in commands(page)) > 5


def test_everything_public_is_in_the_reference():
    pages = "\n".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    documented = set(re.findall(r"^::: ([\w.]+)", pages, re.MULTILINE))
    for name in ke.__all__:
        value = getattr(ke, name)
        if inspect.ismodule(value):
            modules = [getattr(value, inner) for inner in getattr(value, "__all__", [])]
            expected = {module.__name__ for module in modules if inspect.ismodule(module)} or {value.__name__}
            # keras-explainable's names of what is documented where it is written.
            functions = [inner for inner in vars(value).values() if inspect.isfunction(inner)]
            assert expected <= documented or {inner.__module__ for inner in functions} <= documented, name
        else:
            listed = re.search(rf"^ +- {name}$", pages, re.MULTILINE)
            names = {value.__module__, f"{value.__module__}.{name}", f"keras_fullgrad.{name}"}
            assert names & documented or listed, name


def test_one_version():
    def version_in(name, pattern):
        return re.search(pattern, (ROOT / name).read_text(), re.MULTILINE)[1]

    assert version_in("pyproject.toml", r'^version = "(.+)"$') == ke.__version__
    assert version_in("CITATION.cff", r"^version: (.+)$") == ke.__version__
    assert version_in("CHANGELOG.md", r"^## \[?(\d[^\] ]*)") == ke.__version__
