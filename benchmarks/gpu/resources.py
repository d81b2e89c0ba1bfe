"""What each kernel takes of the GPU, as the compiler reports it; ends with status 1 where one spills.

Needs nvcc, and no GPU. A spill, or a stack frame, means memory traffic that nobody counted.

    python benchmarks/gpu/resources.py [--architectures 80 90] [--report FILE]
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ARCHITECTURES = ["80", "90", "100", "120"]
RESCALES = ["none", "per_channel", "per_sample"]
LAYOUTS = ["channels_last", "channels_first"]


def compile_for(architecture: str) -> str:
    """The compiler's own words."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["-std=c++17", "-O3", "-fmad=false", "--expt-relaxed-constexpr", "-Werror=all-warnings"]
        target = ["-cubin", f"-arch=sm_{architecture}", "-Xptxas=-v", f"-I{REPOSITORY / 'csrc'}"]
        source = REPOSITORY / "csrc" / "core" / "saliency_cuda.cu"
        result = subprocess.run(
            ["nvcc", *flags, *target, source, "-o", f"{folder}/kernels.cubin"],
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode != 0:
        sys.exit(f"nvcc failed for sm_{architecture}:\n{result.stdout}{result.stderr}")
    return result.stderr


def readable(name: str) -> str:
    found = re.search(r"saliency_kernelI([fd])LNS_7RescaleE(\d)ELNS_6LayoutE(\d)E", name)
    if not found:
        return "copy_piece" if "copy_piece" in name else name
    kind, rescale, layout = found.groups()
    maps = {"f": "float32", "d": "float64"}[kind]
    return f"{maps}, {RESCALES[int(rescale)]}, {LAYOUTS[int(layout)]}"


def kernels(report: str) -> list[tuple[str, dict[str, int]]]:
    """The name and the figures of each kernel in a report."""
    found = []
    for part in report.split("Compiling entry function ")[1:]:
        figures = {
            what: int(match.group(1)) if (match := re.search(pattern, part)) else 0
            for what, pattern in {
                "registers": r"Used (\d+) registers",
                "shared bytes": r"(\d+) bytes smem",
                "stack bytes": r"(\d+) bytes stack frame",
                "spilled bytes": r"(\d+) bytes spill stores",
            }.items()
        }
        found.append((readable(part.split("'")[1]), figures))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--architectures", nargs="+", default=ARCHITECTURES)
    parser.add_argument("--report", type=Path, help="keep the compiler's words in this file")
    options = parser.parse_args()
    reports = {architecture: compile_for(architecture) for architecture in options.architectures}
    if options.report:
        options.report.write_text("\n".join(f"sm_{name}\n{text}" for name, text in reports.items()))
    bad = 0
    for architecture, report in reports.items():
        found = kernels(report)
        if not found:
            sys.exit(f"no kernel in the compiler's report for sm_{architecture}:\n{report}")
        for name, figures in found:
            bad += figures["stack bytes"] > 0 or figures["spilled bytes"] > 0
            print(f"sm_{architecture}  {name:38}", *(f"{value:6} {what}" for what, value in figures.items()))
    if bad:
        sys.exit(f"{bad} kernels spill or have a stack frame")


if __name__ == "__main__":
    main()
