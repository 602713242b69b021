"""The device a run computes on, and the processes that share the run: what PyTorch knows of them.

Several processes train one model where `torchrun` started them; it says who is who.
"""

import functools
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed

from corpora.errors import InputError

_PEAK_SIDE = {"cpu": 1024, "cuda": 8192}  # of the square matrices that measure the peak


def device_names(name: str) -> list[str]:
    """Return the devices that `name` stands for: of `auto`, all GPUs there are, else the CPU."""
    if name == "auto" and torch.cuda.is_available():
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu"] if name == "auto" else [name]


@functools.cache
def peak_flops(device: torch.device, dtype: torch.dtype | None) -> float:
    """Return FLOPs per second of a large square matrix product, the best of a few."""
    side = _PEAK_SIDE[device.type]
    with torch.no_grad():
        a = torch.ones(side, side, device=device, dtype=dtype)
        best = float("inf")
        for _ in range(5):
            synchronize(device)
            begun = time.perf_counter()
            torch.mm(a, a)
            synchronize(device)
            best = min(best, time.perf_counter() - begun)
    return float(2 * side**3 / best)


def synchronize(device: torch.device) -> None:
    """Wait for what was asked of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_name(device: torch.device) -> str:
    """Return the device's name, for records."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()}, {os.cpu_count()} cores)"


def versions() -> Mapping[str, str]:
    """Return the versions that decide what a run computes."""
    return {"python": platform.python_version(), "torch": str(torch.__version__)}


def commit() -> str:
    """Return the commit of the source tree this runs from; empty where none can be told."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return ""
    words = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:  # no git on this machine: no reason to lose a run that has been trained
        return ""
    return done.stdout.strip()


@dataclass(frozen=True)
class World:
    """The processes of a run. rank: which this is; size: how many; local: which on its machine."""

    rank: int = 0
    size: int = 1
    local: int = 0

    def share(self, rows: int) -> tuple[int, int]:
        """Return the rows of a batch that are this process's: the first, and one past the last.

        Raises:
            InputError: they cannot be shared evenly.
        """
        if rows % self.size:
            what = f"batches of {rows} rows cannot be shared by {self.size} processes"
            way = "make batch_bytes a multiple of context_bytes times the processes"
            raise InputError(f"{what}; {way}")
        each = rows // self.size
        return self.rank * each, (self.rank + 1) * each


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Join the other processes, where `torchrun` started several; alone otherwise."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    world = World(int(os.environ["RANK"]), size, int(os.environ["LOCAL_RANK"]))
    if device.type == "cuda":
        torch.cuda.set_device(world.local)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield world
    finally:
        torch.distributed.destroy_process_group()


def summed(values: list[float], world: World, device: torch.device) -> list[float]:
    """Return each value summed over all processes."""
    if world.size == 1:
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(tensor)
    return [float(value) for value in tensor]
