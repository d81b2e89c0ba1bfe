"""What the benchmarks share: interleaved timing, the machine, and tables."""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table
from scipy.stats import bootstrap

from keras_fullgrad.native import libraries


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls the function in a new process, whose memory is its own."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def gigabytes(of: str = "VmHWM") -> float:
    """This process's memory: its peak, or, of ``VmRSS``, now."""
    # Not `ru_maxrss`, which a process may inherit from the one that started it.
    found = re.search(rf"{of}:\s*(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 / 1e9


def gpus() -> list[str]:
    """The name and the driver of each GPU."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    cpu = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":")[1].strip()
            break
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "gpus": gpus(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "library": libraries.build_facts(libraries.PACKAGE),
        "date": time.strftime("%Y-%m-%d"),
    }


def report(title: str, rows: Sequence[dict[str, Any]], path: Path | None) -> None:
    """Prints a table, and writes it as JSON beside the machine where there is a path."""
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=140).print(table)
    if path is not None:
        save(rows, path)


def save(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes rows as JSON beside the machine that they were measured on."""
    path.write_text(json.dumps({"machine": machine(), "rows": list(rows)}, indent=1) + "\n")


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the table to this file too")
    parser.add_argument("--repeats", type=int, default=15, help="timed runs of each row")
    return parser


def confidence(values: np.ndarray, centre: Callable[..., Any] = np.mean) -> Any:
    """The 95% confidence interval of the mean, or another centre, over the first axis by a bootstrap."""
    found = bootstrap(
        (values,),
        centre,
        axis=0,
        method="percentile",
        n_resamples=4999,
        batch=100,
        rng=np.random.default_rng(0),
    )
    return found.confidence_interval


def write_table(rows: Sequence[dict[str, Any]], path: Path, name: str) -> None:
    """Puts a table into a Markdown file, between two marks of that name."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    lines += ["| " + " | ".join(map(str, row.values())) + " |" for row in rows]
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, rest = path.read_text().split(begin)
    path.write_text("\n".join([before + begin, *lines, end + rest.split(end)[1]]))
