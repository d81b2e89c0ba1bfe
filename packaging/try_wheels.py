"""Installs wheels as a user does, for each Python and TensorFlow, and tries them.

    python packaging/try_wheels.py WHEELS [3.10=2.18 3.13=2.21 ...] [--json FILE] [--docs FILE]

Each pair, all where none is named, gets a fresh environment with no compiler on the PATH: TensorFlow from
PyPI, then `pip install keras-fullgrad` from the folder of wheels, timed; the import, beside TensorFlow's own;
the maps of two published implementations by the native op and without it; the demo.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
IMPORT = """
import time, keras, tensorflow
start = time.perf_counter()
import keras_fullgrad
print(time.perf_counter() - start, keras_fullgrad.maps.native_available(), keras_fullgrad.__file__)
"""
MARK = re.compile(r"(<!-- wheels -->\n).*?(<!-- /wheels -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheels", type=Path)
    parser.add_argument("pairs", nargs="*", help="as 3.10=2.18; all where none is named")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    parser.add_argument("--docs", type=Path, help="a page whose table to write anew")
    options = parser.parse_args()
    rows = []
    for pair in options.pairs or every_pair():
        python, tensorflow = pair.split("=")
        rows.append(tried(options.wheels.resolve(), python, tensorflow))
        print(rows[-1], flush=True)
        if options.json:  # At once: the next pair may fail.
            options.json.write_text(json.dumps(rows, indent=2) + "\n")
    if options.docs:
        text = options.docs.read_text()
        options.docs.write_text(MARK.sub(lambda match: match[1] + table(rows) + match[2], text))


def every_pair() -> list[str]:
    lines = (ROOT / "packaging" / "pairs.txt").read_text().splitlines()
    known = [line.split() for line in lines if not line.startswith("#")]
    return [f"{python}={tensorflow}" for python, *tensorflows in known for tensorflow in tensorflows]


def tried(wheels: Path, python: str, tensorflow: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        find = ["bash", ROOT / "packaging" / "find_python.sh", python]
        found = subprocess.run(find, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        subprocess.run([found, "-m", "venv", home / "venv"], check=True)
        bin_ = home / "venv" / "bin"
        # No compiler, and no package but those of the environment.
        environment = {"PATH": str(bin_), "HOME": folder, "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "agg"}
        environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}

        def run(*command: str | Path) -> str:
            done = subprocess.run(
                command, cwd=home, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"{python}, TensorFlow {tensorflow}: {command}\n{done.stdout}\n{done.stderr}")
            return done.stdout

        pip = [bin_ / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        run(*pip, f"tensorflow-cpu=={tensorflow}.*", "pytest")
        start = time.perf_counter()
        run(*pip, "--find-links", wheels, "keras-fullgrad[cpu]")
        seconds = time.perf_counter() - start
        run(bin_ / "python", "-c", IMPORT)  # Compiles the modules.
        imports = [run(bin_ / "python", "-c", IMPORT).split() for _ in range(3)]
        assert all(native == "True" and str(home) in file for _, native, file in imports), imports
        tests = ["-q", "-W", "default", "-p", "no:cacheprovider", "tests/methods/test_published.py"]
        shutil.copytree(ROOT / "tests", home / "tests", ignore=shutil.ignore_patterns("build"))
        shutil.copy(ROOT / "pyproject.toml", home)
        maps = re.search(r"\d+ passed", run(bin_ / "pytest", *tests))
        run(bin_ / "keras-fullgrad", "demo")
        assert (home / "fullgrad-demo.png").stat().st_size > 0
        installed = run(bin_ / "python", "-m", "pip", "list", "--format", "json")
    versions = {package["name"]: package["version"] for package in json.loads(installed)}
    return {
        "python": python,
        "tensorflow": versions.get("tensorflow-cpu") or versions["tensorflow_cpu"],
        "keras": versions["keras"],
        "install_s": round(seconds, 1),
        "import_s": round(statistics.median(float(each[0]) for each in imports), 2),
        "published_maps": maps[0],
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    head = ["Python", "TensorFlow", "Keras", "install, s", "import, s", "published maps"]
    lines = [head, ["--", "--", "--", "--:", "--:", "--"], *([*map(str, row.values())] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
