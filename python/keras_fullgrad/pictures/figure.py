"""Figures that a notebook shows, with room for their texts."""

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

_FILLED = 0.92  # Small letters are wider than in proportion to their size.


class NotebookFigure(Figure):
    """A figure of pictures in a grid, which a notebook shows although it is made without pyplot.

    Example:
        >>> NotebookFigure()._repr_png_()[1:4]
        b'PNG'
    """

    def __init__(self, **options: Any) -> None:
        """Makes a figure.

        Args:
            **options: Those of matplotlib's figures.
        """
        super().__init__(**options)
        FigureCanvasAgg(self)

    def arrange(self, widths: Sequence[float], grow: bool, **spaces: Any) -> None:
        """Places pictures by matplotlib's constrained layout, so that no title or label hides one.

        Args:
            widths: How wide each column is, in inches. Titles are made smaller, all alike, until each fits.
            grow: Whether to make the figure larger by what texts take, so that pictures stay as large.
            **spaces: Those of :class:`matplotlib.layout_engine.ConstrainedLayoutEngine`; 0 unless given.
        """
        shown = [axes for axes in self.axes if axes.images]
        for axes in shown:
            axes.set_aspect("auto")  # So it fills its place, and the layout sees how far texts reach beyond.
        self._shrink_titles(widths)
        if grow:
            self._make_room()
        no_spaces: dict[str, Any] = dict.fromkeys(["w_pad", "h_pad", "wspace", "hspace"], 0)
        ConstrainedLayoutEngine(**no_spaces | spaces).execute(self)
        for axes in shown:
            axes.set_aspect("equal")

    def _shrink_titles(self, widths: Sequence[float]) -> None:
        excess = 1.0
        for axes in self.axes:
            room = _FILLED * widths[_place(axes).colspan.start] * self.dpi
            excess = max(excess, axes.title.get_window_extent().width / room)
        for axes in self.axes:
            axes.title.set_fontsize(float(axes.title.get_fontsize()) / excess)

    def _make_room(self) -> None:
        left, above = 0.0, defaultdict[int, float](float)
        for axes in self.axes:
            row, whole = _place(axes).rowspan.start, cast("Bbox", axes.get_tightbbox(for_layout_only=True))
            left = max(left, axes.bbox.x0 - whole.x0)
            above[row] = max(above[row], whole.y1 - axes.bbox.y1)
        width, height = self.get_size_inches()
        self.set_size_inches(width + left / self.dpi, height + sum(above.values()) / self.dpi)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def _place(axes: Axes) -> SubplotSpec:
    return cast("SubplotSpec", axes.get_subplotspec())
