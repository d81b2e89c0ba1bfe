"""The CUDA kernel on the terms of real nets, against the memory's speed and PyTorch. Needs no TensorFlow.

Checks the maps, then times, with CUDA events, in turns, and with the GPU asleep until the host has put all
on its way: reading the same bytes once (by what adds them up fastest), the kernel, the same maps in PyTorch,
eager and compiled, and the naive order, where every channel is resized. What the kernel takes of the host has
a column of its own. A row that fails, or does not fit the memory or the time left, is named, and left out.

    FULLGRAD_CUDA_MODULE=build/gpu/_cuda.so python benchmarks/gpu/bench_kernel.py --json FILE
"""

import argparse
import functools
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import torch

SHAPES = json.loads(Path(__file__).with_name("shapes.json").read_text())
CASES = [
    # net, batch, type
    ("Xception 299", 32, torch.float32),
    ("Xception 512", 32, torch.float32),
    ("ResNet50 224", 32, torch.float32),
    ("EfficientNetB0 224", 32, torch.float32),
    ("VGG16 224", 32, torch.float32),
    ("Xception 299", 1, torch.float32),
    ("Xception 299", 32, torch.float16),
]
SLEEP_CYCLES = 40_000_000  # 20 ms or so: longer than the host takes for anything here.
RESCALES = ["none", "per_channel", "per_sample"]
COMPILED = ("Xception 299", 32, torch.float32)  # Compiling takes a minute; one net says enough.
READS = {
    "sum": torch.sum,
    "amax": torch.amax,
    "norm": lambda t: torch.linalg.vector_norm(t, 1, dtype=torch.float32),
}


def load_kernel():
    path = os.environ["FULLGRAD_CUDA_MODULE"]
    spec = importlib.util.spec_from_file_location("_cuda", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw(net, batch, dtype):
    shapes = [(batch, *shape) for shape in SHAPES[net]]
    gradients = [torch.randn(shape, device="cuda", dtype=dtype) for shape in shapes]
    weights = [torch.randn(shapes[0], device="cuda", dtype=dtype)]
    weights += [torch.randn(shape[-1], device="cuda") for shape in shapes[1:]]
    return gradients, weights


def torch_map(gradient, weight, size, rescale, naive=False):
    t = (gradient.float() * weight.float()).abs()
    if rescale == "per_channel":
        low, high = t.amin((1, 2), keepdim=True), t.amax((1, 2), keepdim=True)
        t = (t - low) * torch.where(high > low, 1 / (high - low), 0)
    if rescale == "per_sample":
        low, high = t.amin((1, 2, 3), keepdim=True), t.amax((1, 2, 3), keepdim=True)
        t = (t - low) / (high - low + 1e-6)
    resize = functools.partial(
        torch.nn.functional.interpolate, size=size, mode="bilinear", align_corners=False
    )
    if naive:
        return resize(t.permute(0, 3, 1, 2)).mean(1)
    return resize(t.mean(-1)[:, None])[:, 0]


def torch_maps(gradients, weights, size, rescale, term=torch_map):
    maps = 0
    for gradient, weight in zip(gradients, weights, strict=True):
        maps = maps + term(gradient, weight, size, rescale)
    return maps


class Kernel:
    """The kernel, its maps and its workspace."""

    def __init__(self, module, gradients, weights, size, rescale):
        self.module, self.arguments = module, (gradients, weights, size)
        self.options = {"rescale": rescale, "stream": torch.cuda.current_stream().cuda_stream}
        needed = module.workspace(*self.arguments, rescale=rescale)
        self.workspace = torch.empty(needed, dtype=torch.uint8, device="cuda")
        self.maps = torch.full((gradients[0].shape[0], *size), float("nan"), device="cuda")

    def __call__(self):
        self.module.saliency_map(
            *self.arguments, self.maps, self.workspace.data_ptr(), self.workspace.numel(), **self.options
        )
        return self.maps


class Timing(NamedTuple):
    """Milliseconds."""

    gpu: float
    host: float  # Until all is on its way.
    late: bool  # The GPU had to wait for the host.


def timed(run):
    """Puts the work behind a sleep of the GPU, so that it need not wait for the host."""
    start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    torch.cuda._sleep(SLEEP_CYCLES)
    start.record()
    begin = time.perf_counter()
    run()
    host = 1e3 * (time.perf_counter() - begin)
    stop.record()
    late = start.query()
    stop.synchronize()
    return Timing(start.elapsed_time(stop), host, late)


def interleaved(runs, seconds):
    """The median of each run, in turns: five rounds at least, and until the seconds are over."""
    for run in list(runs.values()) * 2:
        run()
    times = {name: [] for name in runs}
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(next(iter(times.values()))) < 5:
        for name, run in runs.items():
            times[name].append(timed(run))
    return {
        name: Timing(*map(statistics.median, zip(*of_run, strict=True))) for name, of_run in times.items()
    }


def reads(gradients, weights):
    """Ways to read as many bytes as the terms have, in one tensor, and how many those are."""
    total = sum(t.numel() * t.element_size() for t in [*gradients, weights[0]])
    whole = torch.zeros(total // gradients[0].element_size(), dtype=gradients[0].dtype, device="cuda")
    return {name: functools.partial(read, whole) for name, read in READS.items()}, total


def bench(module, net, batch, dtype, rescale, seconds, compiled=False):
    gradients, weights = draw(net, batch, dtype)
    size = tuple(SHAPES[net][0][:2])
    kernel = Kernel(module, gradients, weights, size, rescale)
    eager = functools.partial(torch_maps, gradients, weights, size, rescale)
    expected = eager()
    error = float((kernel() - expected).norm() / expected.norm())
    if not error < 1e-4:
        raise AssertionError(f"the kernel's maps are off by {error}")
    reading, total = reads(gradients, weights)
    runs = {f"read by {name}": run for name, run in reading.items()} | {"kernel": kernel, "eager": eager}
    if compiled:
        term = torch.compile(torch_map, dynamic=False)
        torch._dynamo.config.cache_size_limit = 256
        runs["compiled"] = functools.partial(torch_maps, gradients, weights, size, rescale, term)
    largest = max(4 * batch * size[0] * size[1] * shape[-1] for shape in SHAPES[net])
    fits = (
        3 * largest < torch.cuda.mem_get_info()[0] and largest < 4 * 2**31
    )  # PyTorch resizes no more elements.
    if rescale == "none" and fits:
        naive = functools.partial(torch_map, naive=True)
        runs["naive"] = functools.partial(torch_maps, gradients, weights, size, rescale, naive)
    times = interleaved(runs, seconds)
    gpu = {name: timing.gpu for name, timing in times.items()}
    read = min(gpu[f"read by {name}"] for name in reading)
    return {
        "net": f"{net}, batch {batch}, {str(dtype).removeprefix('torch.')}",
        "rescale": rescale.replace("_", " "),
        "MB": total / 1e6,
        "read ms": read,
        "kernel ms": gpu["kernel"],
        "eager ms": gpu["eager"],
        "compiled ms": gpu.get("compiled"),
        "naive ms": gpu.get("naive"),
        "GB/s": total / 1e6 / gpu["kernel"],
        "share of read": read / gpu["kernel"],
        "eager / kernel": gpu["eager"] / gpu["kernel"],
        "host us of kernel": 1e3 * times["kernel"].host,
        "waited for the host": [name for name, timing in times.items() if timing.late],
        "error": error,
    }


def machine():
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    return {
        "gpu": subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip(),
        "torch": torch.__version__,
        "cuda of torch": torch.version.cuda,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def cases():
    """Each row's: the quick ones first."""
    for net, batch, dtype in CASES:
        for rescale in RESCALES:
            yield net, batch, dtype, rescale, False
    for rescale in RESCALES:
        yield *COMPILED, rescale, True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="write the table to this file too")
    parser.add_argument("--seconds", type=float, default=1.0, help="to time each row for")
    parser.add_argument("--budget", type=float, default=300.0, help="seconds after which no row is begun")
    options = parser.parse_args()
    module, start = load_kernel(), time.monotonic()
    rows, left_out = [], []
    for case in cases():
        net, batch, dtype, rescale, compiled = case
        name = f"{net}, batch {batch}, {dtype}, {rescale}{', compiled' * compiled}"
        if time.monotonic() - start > options.budget:
            left_out.append(f"{name}: no time left")
            continue
        try:
            row = bench(module, net, batch, dtype, rescale, options.seconds, compiled)
        except Exception as error:  # Costs its row, and not those that come.
            left_out.append(f"{name}: {type(error).__name__}: {error}")
            print(left_out[-1], flush=True)
            continue
        finally:
            torch.cuda.empty_cache()
        rows.append(row)
        print(
            "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{v}" for k, v in row.items()),
            flush=True,
        )
        if options.json:  # After each row, so that a run that is cut off leaves what it has.
            result = {"machine": machine(), "rows": rows, "left out": left_out}
            options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(f"left out: {left_out}")
    if not rows or any("no time left" not in line for line in left_out):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
