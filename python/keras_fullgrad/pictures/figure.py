"""Figures that a notebook shows, although they are made without pyplot."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure of matplotlib that is a picture in a notebook's output.

    Example:
        >>> NotebookFigure()._repr_png_()[1:4]
        b'PNG'
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
