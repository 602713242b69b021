"""Which runs do not fit into a device's memory beside the others that run there at once."""

from collections.abc import Sequence
from dataclasses import replace

from scaling.sweep.plan import PlannedRun
from scaling.train.available import available_bytes
from scaling.train.machine import Machine
from scaling.train.memory import state_bytes, step_bytes


def with_memory_marks(
    runs: Sequence[PlannedRun], machine: Machine, workers: int
) -> list[PlannedRun]:
    """Return the runs, those marked that need more than one worker's share of the free memory.

    Args:
        workers: at once on the device.
    """
    free = available_bytes(machine.torch_device()) / workers
    out = []
    for run in runs:
        needed = state_bytes(run.spec) + step_bytes(run.spec, 1)
        if needed > free:
            mark = f"does not fit: {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB for each worker"
            run = replace(run, fits=False, marks=(*run.marks, mark))
        out.append(run)
    return out
