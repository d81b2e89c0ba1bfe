"""Runs the notebooks beside the pages, and makes pages of them."""

import tempfile
from pathlib import PurePosixPath

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient
from nbconvert.exporters import MarkdownExporter
from nbconvert.filters import strip_ansi

_SECONDS = 600
"""How long one cell may take."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each notebook, which stays beside it as a file to download."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        name = PurePosixPath(file.src_uri).stem
        pictures = f"{name}-pictures"
        resources = {"unique_key": name, "output_files_dir": pictures}
        body, resources = MarkdownExporter().from_notebook_node(_run(file.content_string), resources)
        files.append(File.generated(config, f"{name}.md", content=body))
        for path, content in resources["outputs"].items():
            files.append(File.generated(config, path, content=content))
    return files


def _run(text: str) -> nbformat.NotebookNode:
    """Runs all cells; an error in one is an error of the site. What was told on stderr is not shown."""
    notebook = nbformat.reads(text, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=_SECONDS, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = strip_ansi(output.text)
    return notebook
