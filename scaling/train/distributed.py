"""Several processes, one model: started by `torchrun`, which says who is who."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed

from corpora.errors import InputError


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
            raise InputError(
                f"batches of {rows} rows cannot be shared by {self.size} processes; make"
                " batch_bytes a multiple of context_bytes times the processes"
            )
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
