"""Drivers in processes of their own, and workers with planted faults."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scaling.sweep import local as worker_process
from scaling.sweep.folder import SweepFolder
from scaling.train.machine import MachineSettings
from tests.scaling.train.runs import python, started

FULL, DEADLY, BROKEN = 1001, 1002, 1003  # seeds of runs that meet with a fault

# A worker in which runs of those seeds find a full disk, are killed, or raise.
FAULTY = f"""
import os, resource, signal, sys
import scaling.sweep.worker as worker
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails, as on a full disk
whole = worker.train
def train(spec, *rest):
    if spec.seed == {DEADLY}:
        os.kill(os.getpid(), signal.SIGKILL)
    if spec.seed == {BROKEN}:
        raise RuntimeError("planted")
    if spec.seed != {FULL}:
        return whole(spec, *rest)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        return whole(spec, *rest)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
worker.train = train
sys.exit(worker.main(sys.argv[1:]))
"""

# Arguments: the sweep, workers, the code of a worker.
DRIVER = """
import sys
from pathlib import Path
import scaling.sweep.local as processes
from scaling.sweep.folder import SweepFolder
from scaling.sweep.local import run_local
from scaling.train.machine import MachineSettings
from scaling.train.progress import stop_on_signal
path, workers, code = sys.argv[1:]
if code:
    plain = processes.command
    processes.command = lambda *asked: [sys.executable, "-c", code, *plain(*asked)[4:]]
folder = SweepFolder(Path(path))
settings = MachineSettings(threads=1, checkpoint_seconds=0.05)
with stop_on_signal() as stop:
    status = run_local(folder, workers_per_device=int(workers), settings=settings, stop=stop)
assert "torch" not in sys.modules
print(status.counts)
if stop.signal is not None:
    sys.exit(stop.exit_code)
"""


@pytest.fixture
def faulty_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have drivers of this process start workers with planted faults."""
    plain = worker_process.command

    def faulty(folder: SweepFolder, settings: MachineSettings) -> list[str]:
        return [sys.executable, "-c", FAULTY, *plain(folder, settings)[4:]]

    monkeypatch.setattr(worker_process, "command", faulty)


def drive(sweep: Path, workers: int = 2, code: str = "") -> "subprocess.Popen[str]":
    """Start a driver."""
    return started(python("-c", DRIVER, str(sweep), str(workers), code))


def workers_of(driver: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return a driver's workers."""
    try:
        return [child for child in psutil.Process(driver.pid).children() if _is_worker(child)]
    except psutil.NoSuchProcess:
        return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "--checkpoint-seconds" in process.cmdline()
    except psutil.Error:
        return False
