"""How much memory can still be had."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import torch

_GROUPS = Path("/sys/fs/cgroup")


def available_bytes(device: torch.device) -> float:
    """Return the bytes that can still be had on `device`; infinity where nobody says.

    On a CPU the machine's, or what a control group's limit (that of a container or of a batch job)
    leaves, if that is less.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(free + cached)
    return min([_of_the_machine(), *_of_groups()])


def _of_the_machine() -> float:
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * float(line.split()[1])
    except (OSError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def _of_groups() -> Iterator[float]:
    """Yield what is left of the limits of this process's group and of those around it."""
    try:
        groups = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in groups:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            folder, limit, usage = _GROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            folder = _GROUPS / "memory"
            limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # In a container the group at the top is its own, and `path` leads nowhere.
        for part in ["", *path.split("/")]:
            folder /= part
            yield _left(folder, limit, usage)


def _left(folder: Path, limit: str, usage: str) -> float:
    try:
        most = float((folder / limit).read_text("ascii"))  # `max` is no number
        used = float((folder / usage).read_text("ascii"))
        stat = (folder / "memory.stat").read_text("ascii").splitlines()
    except (OSError, ValueError):
        return math.inf
    numbers = dict(line.split()[:2] for line in stat)
    # Files that were read are dropped when memory is wanted.
    cached = numbers.get("total_inactive_file") or numbers.get("inactive_file", "0")
    return max(0.0, most - used + float(cached))
