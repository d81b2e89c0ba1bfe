"""Plots of the benchmarks' results, as they lie in the repository."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"

INKS = {"light": "#1d2430", "dark": "#d9dbe3"}
"""The colour of text and axes on a page of each scheme."""

_OURS, _XLA, _TENSORFLOW, _RETRACED = "#e4572e", "#5b8e7d", "#6a7fdb", "#a05fb4"


def whole_nets() -> Figure:
    """A map's time against that of the plain gradient: batch by batch, and beside other ways to it."""
    rows = _rows("end_to_end.json")
    nets = list(dict.fromkeys(row["net"] for row in rows))
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    batches, ways = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.25))
    for marker, batch in zip("os^", sorted({row["batch"] for row in rows}), strict=True):
        chosen = [row for row in rows if row["batch"] == batch]
        at = [row["full / plain"] for row in chosen], [row["net"] for row in chosen]
        batches.plot(*at, marker, color=_OURS, alpha=0.85, label=f"batch {batch}")
    batches.set_xlim(0.75, 1.25)
    batches.set_xlabel("full / plain")

    fours = [row for row in rows if row["batch"] == 4]
    for label, way, colour in (
        ("full", None, _OURS),
        ("reference", "reference", _TENSORFLOW),
        ("retraced", "retraced", _RETRACED),
    ):
        times = [row["full / plain"] / (row[f"full / {way}"] if way else 1) for row in fours]
        ways.plot(times, [row["net"] for row in fours], "o", color=colour, label=label)
    ways.set_xscale("log")
    ways.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ways.set_xticks([], minor=True)
    ways.set_xlabel("time / plain, batch 4")
    for axes in (batches, ways):
        axes.axvline(1, linewidth=1, linestyle="--", color="gray", zorder=0)
        axes.grid(axis="x", alpha=0.2)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    batches.set_ylim(len(nets) - 0.5, -0.5)
    return figure


def op() -> Figure:
    """The op's time beside TensorFlow's own ops, and the time to read the same bytes once."""
    rows = _rows("op.json")
    names = [f"{row['net']}\n{row['rescale']}" for row in rows]
    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    axes = figure.subplots()
    height = 0.26
    for shift, (key, label, colour) in enumerate(
        (
            ("native ms", "native op", _OURS),
            ("XLA ms", "XLA", _XLA),
            ("tf.function ms", "tf.function", _TENSORFLOW),
        )
    ):
        at = [index + (shift - 1) * height for index in range(len(rows))]
        bars = axes.barh(at, [row[key] for row in rows], height, color=colour, label=label)
        axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    for index, row in enumerate(rows):
        label = "read once: the floor" if index == 0 else None
        axes.vlines(row["read ms"], index - 0.45, index + 0.45, color="gray", linewidth=2, label=label)
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds")
    axes.grid(axis="x", alpha=0.2)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4)
    return figure


PLOTS: dict[str, tuple[Callable[[], Figure], str]] = {
    "whole-nets": (whole_nets, "Time of a whole map, in units of the plain gradient's, for seven nets"),
    "op": (op, "Milliseconds of the op, of XLA and of tf.function, and the time to read the gradients once"),
}
"""Each plot by its name, with what it shows in words."""


def svg(plot: Callable[[], Figure], ink: str) -> bytes:
    """Draws a plot without a background, the same bytes each time."""
    inks = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: dict[str, Any] = dict.fromkeys(inks, ink) | {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 10,
        "legend.frameon": False,
        "svg.hashsalt": "keras-fullgrad",
    }
    buffer = io.BytesIO()
    with rc_context(style):
        plot().savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def _rows(name: str) -> list[dict[str, Any]]:
    return json.loads((RESULTS / name).read_text())["rows"]
