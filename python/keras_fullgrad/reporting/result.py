"""A report as a notebook shows it."""

import html
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())  # Before Python 3.12, Path itself is none of the kinds that it makes.


class Report(_Path):
    """The path of a report, which a notebook shows as a link.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = Report(folder, "report.html")
        ...     _ = report.write_text("page")
        ...     report.read_text(), "href" in report._repr_html_()
        ('page', True)
    """

    def with_segments(self, *segments: str | os.PathLike[str]) -> Path:
        """What is made of the path, such as its parent, is no report."""
        return Path(*segments)

    def _repr_html_(self) -> str:
        whole, here = self.absolute(), Path.cwd()
        # Browsers do not follow links from a notebook's server to files, but to what it serves itself.
        href = quote(whole.relative_to(here).as_posix()) if whole.is_relative_to(here) else whole.as_uri()
        size = f", {whole.stat().st_size / 1e6:.1f} MB" if whole.is_file() else ", not there any more"
        name = html.escape(str(self))
        return f'FullGrad report: <a href="{html.escape(href)}" target="_blank">{name}</a>{size}'
