"""Runs that share their first steps: a trunk leaves what each of the others goes on from.

Under a warmup-stable-decay schedule runs that differ in their length alone are one run until the
shorter one's rate begins to fall (Hu et al. 2024). So the longest trains, and at that step puts
into the folder of each shorter one what a run that was stopped there would have left: metrics,
record and checkpoint. Whoever trains that run goes on with it as with any that was stopped, and on
a CPU ends with the bits of one that was trained alone.
"""

import json
from dataclasses import replace
from pathlib import Path

from torch import nn

from corpora.errors import InputError
from corpora.files import write_text
from scaling.record import SPEC, RunRecord, read_record, read_spec, write_record
from scaling.spec import RunSpec
from scaling.train.adamw import Optimizer
from scaling.train.checkpoint import CHECKPOINT, RunProgress, save_checkpoint
from scaling.train.metrics import METRICS, lines_of, values_of


def leave_branch(
    branch: Path,
    trunk: RunRecord,
    metrics: Path,
    model: nn.Module,
    optimizer: Optimizer,
    progress: RunProgress,
) -> None:
    """Put the state of a trunk into the folder of a run that goes on from it.

    One that has been left there before, and may have gone on since, stays as it is. The checkpoint
    comes last: where it is, the rest is, too.

    Args:
        trunk: what its record would say if it were stopped here. metrics: its own.

    Raises:
        InputError: the folder holds no specification that goes on from this run, or cannot be
            written.
    """
    ended = read_record(branch)
    if (branch / CHECKPOINT).exists() or (ended is not None and ended.status != "interrupted"):
        return
    spec = read_spec(branch / SPEC)
    if spec.training.branch_step != progress.step or _shared(spec) != _shared(trunk.spec):
        raise InputError(
            f"{branch}: holds no run that goes on from {trunk.spec.run_id}; plan again"
        )
    lines = []
    for line in lines_of(metrics):
        values = values_of(line)
        if values is not None and values["step"] <= progress.step:
            lines.append(json.dumps({**values, "seconds": 0.0}) + "\n")
    write_text(branch / METRICS, "".join(lines))
    reason = f"goes on from run {trunk.spec.run_id} at step {progress.step:,}"
    write_record(branch, replace(trunk, spec=spec, reason=reason, seconds=0.0))
    # What the steps took is the trunk's.
    own = replace(progress, seconds=0.0)
    save_checkpoint(branch / CHECKPOINT, spec.run_id, model, optimizer, own)


def _shared(spec: RunSpec) -> RunSpec:
    """Return what runs have in common that differ in their length alone."""
    training = replace(spec.training, steps=0, warmup=0.0, warmup_steps=spec.training.rising_steps)
    return replace(spec, training=training, compute_flops=None, name="")
