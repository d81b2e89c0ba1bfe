"""What Ray costs: `keras-fullgrad explain` in one process, and with one and two actors of Ray on a machine.

Each run is a command as a user gives it, of images of ImageNet's usual size, whose maps go to Parquet. Images
per second are those of the last three quarters, by the lines of results.jsonl; what is left of a run is its
start. Maps are compared first.

    python benchmarks/bench_cluster.py --repeats 3 --json benchmarks/results/cluster.json
"""

import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import measuring
from keras_fullgrad.demo.show import NET

ENGINES = {
    "this process": [],
    "Ray, 1 actor": ["--engine", "ray", "--num-actors", "1"],
    "Ray, 2 actors": ["--engine", "ray", "--num-actors", "2"],
}


class Run(NamedTuple):
    rate: float
    start: float
    gigabytes: float


def draw(folder, images):
    """JPEG files of 500x375 with structure."""
    rng = np.random.default_rng(0)
    for number in range(images):
        small = Image.fromarray(rng.integers(0, 256, [94, 125, 3], np.uint8))
        small.resize((500, 375), Image.Resampling.BICUBIC).save(folder / f"{number:05}.jpg", quality=90)


def explain(photos, out, images, options):
    """Explains images, and measures meanwhile."""
    command = [sys.executable, "-m", "keras_fullgrad_cli", "explain", NET, photos, "--out", out]
    command += ["--preprocessing", "unit", "--format", "parquet", *options]
    ray = {"RAY_TMPDIR": str(out.parent), "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    peak, quarter, all_done, sampled = 0.0, None, None, 0.0
    began = time.perf_counter()
    with subprocess.Popen(
        map(str, command), env=os.environ | ray, start_new_session=True, **streams
    ) as process:
        while process.poll() is None:
            now = time.perf_counter()
            done = lines(out / "results.jsonl")
            if quarter is None and done >= images / 4:
                quarter = now, done
            if all_done is None and done == images:
                all_done = now
            if now - sampled > 1:
                sampled, peak = now, max(peak, gigabytes_of_session(process.pid))
            time.sleep(0.01)
        if process.returncode:
            raise RuntimeError(process.stderr.read().decode())
    rate = (images - quarter[1]) / (all_done - quarter[0])
    return Run(rate, time.perf_counter() - began - images / rate, peak)


def lines(file):
    return file.read_bytes().count(b"\n") if file.exists() else 0


def gigabytes_of_session(session):
    """The memory of all processes of a session; of pages that some share each its part."""
    kilobytes = 0
    for each in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.getsid(int(each)) == session:
                rollup = Path("/proc", each, "smaps_rollup").read_text()
                kilobytes += sum(
                    int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")
                )
        except OSError:
            continue  # It ended.
    return kilobytes * 1024 / 1e9


def maps(out):
    return {file.name: file.read_bytes() for file in (out / "maps.parquet").iterdir()}


def main():
    parser = measuring.arguments(__doc__.split("\n")[0])
    parser.set_defaults(repeats=3)
    parser.add_argument("--images", type=int, default=2000)
    options = parser.parse_args()

    runs = {engine: [] for engine in ENGINES}
    with tempfile.TemporaryDirectory(prefix="ray-") as name:
        folder = Path(name)
        photos = folder / "photos"
        photos.mkdir()
        draw(photos, options.images)
        expected = None
        # The first round warms up, and is compared.
        for repeat in range(1 + options.repeats):
            for engine, arguments in ENGINES.items():
                out = folder / f"{engine} {repeat}"
                run = explain(photos, out, options.images, arguments)
                if repeat:
                    runs[engine].append(run)
                    continue
                expected = expected or maps(out)
                if maps(out) != expected:
                    raise ValueError(f"expected the maps of this process, got others: {engine}")

    rows = []
    for engine, measured in runs.items():
        rate, start, gigabytes = map(statistics.median, zip(*measured, strict=True))
        rows.append(
            {
                "computed by": engine,
                "images/s": rate,
                "of this process": rate / (rows[0]["images/s"] if rows else rate),
                "start, s": start,
                "GB": gigabytes,
                "kB a map": sum(map(len, expected.values())) / options.images / 1000,
            }
        )
    measuring.report(f"{options.images} images through the demo's net, medians", rows, options.json)


if __name__ == "__main__":
    main()
