"""A cluster of two machines, both of them this one, started and stopped as a user would."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

HOST = "127.0.0.2"  # Ray takes 127.0.0.1 for this machine's address in its network.


class Cluster:
    """Machines that run Ray; `env` is what the environment must say to join them."""

    def __init__(self, folder):
        self._folder = folder
        self._machines = []
        self.env = os.environ | {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        }
        self.address = f"{HOST}:{free_port()}"

    def start(self):
        """Starts a machine, the first one as the head, and returns its process."""
        arguments = ["--address", self.address]
        if not self._machines:
            arguments = ["--head", "--port", self.address.split(":")[1], "--temp-dir", self._folder]
            arguments += ["--ray-client-server-port", free_port(), "--include-dashboard=false"]
        arguments += ["--num-cpus", 1, "--object-store-memory", 200_000_000, "--node-ip-address", HOST]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *map(str, arguments)]
        log = self._folder / f"{len(self._machines)}.log"
        with log.open("wb") as file:
            streams = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
            machine = subprocess.Popen(command, env=self.env, start_new_session=True, **streams)
        self._machines.append(machine)
        deadline = time.monotonic() + 60
        while "Ray runtime started" not in log.read_text():
            assert machine.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return machine

    def processes(self):
        """The processes of all machines: the number and the command of each."""
        sessions = {machine.pid for machine in self._machines}
        for each in filter(str.isdecimal, os.listdir("/proc")):
            try:
                if os.getsid(int(each)) in sessions:
                    yield int(each), Path("/proc", each, "cmdline").read_text()
            except (ProcessLookupError, FileNotFoundError):
                continue

    def stop(self):
        """Ends all machines and what they started, however that goes."""
        for machine in self._machines:
            machine.terminate()
        for machine in self._machines:
            try:
                machine.wait(10)
            except subprocess.TimeoutExpired:
                machine.kill()
        for process, _ in self.processes():
            os.kill(process, signal.SIGKILL)
        for machine in self._machines:
            machine.wait()


def free_port():
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        return unused.getsockname()[1]


@pytest.fixture(scope="module")
def cluster():
    # Ray's sockets lie in this folder, and their names must be short.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    cluster = Cluster(folder)
    try:
        cluster.start()
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
