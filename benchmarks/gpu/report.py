"""Turns the results of `run.sh` into a table for the README and a plot.

python benchmarks/gpu/report.py benchmarks/results/gpu/kernel.json --plot docs/gpu.png
"""

import argparse
import json
from pathlib import Path
from typing import Any

COLUMNS = {
    "net": "{}",
    "rescale": "{}",
    "MB": "{:.0f}",
    "read ms": "{:.3f}",
    "kernel ms": "{:.3f}",
    "eager ms": "{:.2f}",
    "compiled ms": "{:.2f}",
    "naive ms": "{:.0f}",
    "GB/s": "{:.0f}",
    "share of read": "{:.0%}",
    "eager / kernel": "{:.1f}",
}


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table; what was not measured is a dash."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|" + "--:|" * (len(COLUMNS) - 2)]
    for row in rows:
        cells = ("-" if row[name] is None else form.format(row[name]) for name, form in COLUMNS.items())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(result: dict[str, Any], path: Path) -> None:
    """The share of the measured read bandwidth, a group of bars for each net."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import matplotlib.ticker

    nets = list(dict.fromkeys(row["net"] for row in result["rows"]))
    rescales = list(dict.fromkeys(row["rescale"] for row in result["rows"]))
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.7 * len(nets)), layout="constrained")
    for i, rescale in enumerate(rescales):
        shares = {row["net"]: row["share of read"] for row in result["rows"] if row["rescale"] == rescale}
        positions = [nets.index(net) + (i - (len(rescales) - 1) / 2) * 0.25 for net in shares]
        bars = axes.barh(positions, list(shares.values()), height=0.22, label=f"rescale {rescale}")
        axes.bar_label(bars, fmt="{:.0%}", padding=2, fontsize=8)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(nets)), nets)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1)
    axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
    axes.set_xlabel("share of the measured read bandwidth, each byte counted once")
    axes.set_title(result["machine"]["gpu"], fontsize=10)
    figure.legend(loc="outside lower center", ncols=len(rescales), fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("result", type=Path, help="the kernel.json that run.sh wrote")
    parser.add_argument("--plot", type=Path, help="draw a picture into this file")
    options = parser.parse_args()
    result = json.loads(options.result.read_text())
    print(markdown(result["rows"]))
    for line in result["left out"]:
        print(f"left out: {line}")
    if options.plot:
        plot(result, options.plot)


if __name__ == "__main__":
    main()
