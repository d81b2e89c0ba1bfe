"""Where the time of a net goes, by TensorFlow's operations: the plain input gradient beside a FullGrad map.

A net is one of keras.applications, its weights drawn, or a file that Keras loads. Operations that run side by
side both count, and slow each other down, so they may add up to more than the wall does. The two sides are
profiled one after the other; before that they are timed in turns, without the profiler.

    python benchmarks/profile.py MobileNetV2
    python benchmarks/profile.py my-net.keras --batch 8
"""

import argparse
import collections
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import measuring
from bench_end_to_end import drawn, drawn_batch, plain_and_full
from keras_fullgrad_cli.timing import interleaved

# As the profiler names what an operation did: its own name, and its type.
OPERATION = re.compile(r"[^:\s]+:(\w+(?:>\w+)?)")
SHOWN = 14


def load(net: str) -> keras.Model:
    """A net of keras.applications by its name, or one of a file."""
    return keras.models.load_model(net) if Path(net).exists() else drawn(net)


def milliseconds(run: Callable[[], Any], repeats: int) -> collections.Counter[str]:
    """Of each type of operation, in one call."""
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(repeats):
                run()
        (file,) = Path(folder).glob("**/*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    found: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                operation = OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
                if operation:
                    found[operation[1]] += event.duration_ps / 1e9 / repeats
    return found


def profile(net: str, batch: int, repeats: int) -> list[dict[str, Any]]:
    """The rows of a net's table."""
    model = load(net)
    size = [size or 224 for size in model.inputs[0].shape[1:3]]
    runs = plain_and_full(model, *drawn_batch(batch, size))
    wall = interleaved(runs, repeats)
    spent = {side: milliseconds(run, repeats) for side, run in runs.items()}
    names = sorted(set().union(*spent.values()), key=lambda name: -max(s[name] for s in spent.values()))
    shown = {name: {side: spent[side][name] for side in runs} for name in names[:SHOWN]}
    shown[f"{len(names[SHOWN:])} others"] = {
        side: sum(spent[side][name] for name in names[SHOWN:]) for side in runs
    }
    shown["all operations"] = {side: spent[side].total() for side in runs}
    rows = [
        {
            "operation": name,
            **{f"{side} ms": values[side] for side in runs},
            **{f"{side} %": 100 * values[side] / spent[side].total() for side in runs},
        }
        for name, values in shown.items()
    ]
    percent = {"plain %": 100.0, "full %": 100 * wall["full"] / wall["plain"]}
    return [*rows, {"operation": "wall", **{f"{side} ms": 1e3 * wall[side] for side in runs}, **percent}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="+", metavar="NET", help="a name of keras.applications, or a file")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7, help="timed and profiled calls of each side")
    parser.add_argument("--json", type=Path, help="write the tables to this file too")
    options = parser.parse_args()
    tables = []
    for net in options.nets:
        rows = measuring.apart(profile, net, options.batch, options.repeats)
        measuring.report(f"{net}, batch {options.batch}", rows, None)
        tables.append({"net": net, "batch": options.batch, "operations": rows})
        if options.json:
            measuring.save(tables, options.json)


if __name__ == "__main__":
    main()
