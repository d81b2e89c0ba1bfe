"""`keras-fullgrad explain --engine ray` gives what this process gives, to the bit, whatever happens."""

import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cli.running import contents, photograph
from keras_fullgrad.demo.show import NET

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("cluster"),  # Started by one process.
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'"
    ),
]

IMAGES, UNREADABLE = (
    301,
    50,
)  # With batches of 8 the last one is uneven, and so is the one with the unreadable.
FORMATS = ["overlay", "npy", "parquet", *(["zarr"] if importlib.util.find_spec("zarr") else [])]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(IMAGES):
        photograph(seed).save(folder / f"{seed:03}.png")
    (folder / f"{UNREADABLE:03}.png").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def tables(photos, tmp_path_factory):
    """The same images in Parquet files whose lengths fit no batch."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    folder = tmp_path_factory.mktemp("tables")
    files = sorted(photos.iterdir())
    cuts = [0, 3, 20, 21, 170, IMAGES]
    for start, stop in itertools.pairwise(cuts):
        images, paths = [f.read_bytes() for f in files[start:stop]], [str(f) for f in files[start:stop]]
        table = pa.table({"image": images, "path": paths})
        parquet.write_table(table, folder / f"{start:03}.parquet", row_group_size=7)
    return folder


@pytest.fixture(scope="module")
def local(photos, tmp_path_factory):
    """What this process gives."""
    out = tmp_path_factory.mktemp("local") / "out"
    assert finish(photos, out)["explained"] == IMAGES - 1
    return out


def command(images, out, *options):
    arguments = ["explain", NET, images, "--out", out, "--preprocessing", "unit", "--batch-size", 8, "--json"]
    formats = [option for name in FORMATS for option in ("--format", name)]
    return [sys.executable, "-m", "keras_fullgrad_cli", *map(str, [*arguments, *formats, *options])]


def explain(images, out, *options, status, env=None):
    arguments = command(images, out, *options)
    said = subprocess.run(arguments, capture_output=True, text=True, check=False, env=env, timeout=300)
    assert said.returncode == status, said.stderr
    assert "core_worker" not in said.stderr  # What Ray logs to itself.
    return said


def finish(images, out, *options, env=None):
    """Explains all images but the one that cannot be read, and returns what was counted."""
    said = explain(images, out, *options, status=3, env=env)
    facts = json.loads(said.stdout)
    (skipped,) = facts["skipped"]
    assert skipped["path"].endswith(f"{UNREADABLE:03}.png")
    assert f"skipped {skipped['path']}: expected an image" in said.stderr
    return facts


def on(cluster, actors=2):
    return ["--engine", "ray", "--address", cluster.address, "--num-actors", actors]


def started(*arguments, env=None, images=40):
    """A run that has done some images."""
    process = subprocess.Popen(
        command(*arguments), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    index = arguments[1] / "results.jsonl"
    while not index.exists() or index.read_bytes().count(b"\n") < images:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)
    return process


def check_same(out, expected):
    """All files hold the same; lines of the index may have come in any order."""
    found, wanted = contents(out), contents(expected)
    for name in ("results.jsonl", "skipped.jsonl"):
        assert sorted(found.pop(name).splitlines()) == sorted(wanted.pop(name).splitlines())
    assert found.keys() == wanted.keys()
    assert [name for name in found if found[name] != wanted[name]] == []


@pytest.mark.parametrize("actors", [1, 2])
def test_bits_are_those_of_this_process(cluster, photos, local, tmp_path, actors):
    facts = finish(photos, tmp_path / "out", *on(cluster, actors), env=cluster.env)
    assert (facts["images"], facts["explained"], facts["interrupted"]) == (IMAGES, IMAGES - 1, False)
    check_same(tmp_path / "out", local)


def test_a_run_goes_on_without_an_actor_that_died(cluster, photos, local, tmp_path):
    with started(photos, tmp_path / "out", *on(cluster), env=cluster.env) as run:
        actor, *_ = (process for process, name in cluster.processes() if name.startswith("ray::MapWorker"))
        os.kill(actor, signal.SIGKILL)
        assert run.poll() is None
        assert run.wait(300) == 3, run.stderr.read()
    check_same(tmp_path / "out", local)


def test_a_run_goes_on_without_a_machine_that_died(cluster, photos, local, tmp_path):
    machine = cluster.start()
    with started(photos, tmp_path / "out", *on(cluster, 3), env=cluster.env) as run:
        for process, _ in cluster.processes():
            if os.getsid(process) == machine.pid:
                os.kill(process, signal.SIGKILL)
        assert run.poll() is None
        assert run.wait(300) == 3, run.stderr.read()
    check_same(tmp_path / "out", local)


def test_an_interrupted_run_goes_on_in_this_process(cluster, photos, local, tmp_path):
    with started(photos, tmp_path / "out", *on(cluster), env=cluster.env) as run:
        run.terminate()
        assert run.wait(60) == 130, run.stderr.read()
    facts = finish(photos, tmp_path / "out", "--resume")
    assert facts["done before"] >= 40
    check_same(tmp_path / "out", local)


def test_parquet_files_and_a_run_that_this_process_began(cluster, tables, local, tmp_path):
    with started(tables, tmp_path / "out") as run:
        run.kill()
    facts = finish(tables, tmp_path / "out", "--resume", *on(cluster, 1), env=cluster.env)
    assert facts["done before"] >= 40
    check_same(tmp_path / "out", local)


def test_errors_are_told_as_by_this_process(cluster, photos, tables, tmp_path):
    said = explain(photos, tmp_path / "strict", "--strict", *on(cluster), status=1, env=cluster.env)
    assert f"error: {photos / f'{UNREADABLE:03}.png'}: expected an image" in said.stderr
    assert said.stdout == ""

    (tmp_path / "blocked" / "000.npy").mkdir(parents=True)
    said = explain(photos, tmp_path / "blocked", *on(cluster), status=1, env=cluster.env)
    assert f"error: cannot write {tmp_path / 'blocked'}" in said.stderr
    assert "--resume goes on" in said.stderr

    said = explain(tables, tmp_path / "many", *on(cluster, 2), status=1, env=cluster.env)
    limit = "expected --num-actors of at most 1 for 2 CPUs, and a CPU to read Parquet files, got 2"
    assert limit in said.stderr


def test_a_cluster_that_is_none(photos, tmp_path):
    options = ["--engine", "ray", "--address", "127.0.0.2:1"]
    said = explain(photos, tmp_path / "out", *options, status=1)
    assert "error: expected a Ray cluster at 127.0.0.2:1" in said.stderr
    assert not (tmp_path / "out").exists()


MAPPED = """
import keras, numpy as np, ray, sys
import keras_fullgrad as ke
from keras_fullgrad.integrations.ray import FullGrad

ray.init(sys.argv[1], logging_level="ERROR")
x = np.random.default_rng(0).random([20, 96, 96, 1], np.float32)
rows = ray.data.from_items([{"image": image, "class": i % 3, "number": i} for i, image in enumerate(x)])
mapped = rows.map_batches(
    FullGrad,
    fn_constructor_args=[sys.argv[2]],
    fn_constructor_kwargs={"preset": "paper"},
    batch_size=8,
    compute=ray.data.ActorPoolStrategy(size=2),
    num_cpus=1,
)
found = sorted(mapped.take_all(), key=lambda row: row["number"])
model = keras.models.load_model(sys.argv[2])
logits, maps = ke.full_gradients(model, x, y=np.arange(20) % 3, preset="paper", verbose=0)
np.testing.assert_allclose([row["logits"] for row in found], logits, rtol=1e-5)
np.testing.assert_allclose([row["map"] for row in found], maps, atol=1e-5)
assert [row["classes"].tolist() for row in found] == [[i % 3] for i in range(20)]
"""


def test_full_grad_in_an_actor_pool(cluster):
    command = [sys.executable, "-c", MAPPED, cluster.address, str(NET)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=cluster.env, timeout=300)
    assert said.returncode == 0, said.stderr
