"""What tests of a sweep's files share: runs that ended as they were told to, without training."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaling.flops import training_flops_per_byte
from scaling.record import RECORD, RunRecord, write_record, write_spec
from scaling.spec import Model, RunSpec
from scaling.sweep.folder import SWEEP, Job, SweepFolder
from tests.scaling.sweep.sweeps import tiny

STEPS = 1000


def record_of(spec: RunSpec, bits_per_byte: float = 2.0, **other: Any) -> RunRecord:
    """Return the record of a run that finished, but for what is said of it."""
    shape, read = spec.model.shape, spec.training.steps * spec.training.batch_bytes
    counts = {"global": shape.global_params, "local": shape.local_params}
    record = RunRecord(
        spec=spec,
        status="finished",
        reason="",
        params={**counts, "total": shape.total_params},
        steps=spec.training.steps,
        train_bytes=read,
        train_tokens=round(read / spec.compression_rate),
        unique_bytes=27_000,
        epochs=read / 27_000,
        validation_nats=bits_per_byte * 3000 * 0.6931471805599453,
        validation_bytes=3000,
        validation_tokens=750,
        validation_interval=(bits_per_byte - 0.1, bits_per_byte + 0.1),
        patching_flops=0.0,
        seconds=10.0,
        device="cpu",
        versions={},
        commit="",
        host="here",
    )
    return replace(record, **other)


def sized(dim: int, budget: float, rate: float, seed: int = 0) -> RunSpec:
    """Return a run of STEPS steps that spends about a budget, as a grid's runs do."""
    model = Model(family="blt", layers=1, dim=dim, local_layers=1, local_dim=16, cross_factor=1)
    spec = replace(tiny(seed, STEPS), model=model, compression_rate=rate, compute_flops=budget)
    per_step = STEPS * training_flops_per_byte(model.shape, spec.cost_context)
    rows = max(1, round(budget / per_step / spec.context_bytes))
    training = replace(spec.training, batch_bytes=rows * spec.context_bytes)
    return replace(spec, training=training)


def ended(folder: SweepFolder, record: RunRecord, **job: Any) -> Job:
    """Write a run and its record, and return its job."""
    spec = record.spec
    write_spec(folder.run(spec.run_id), spec)
    write_record(folder.run(spec.run_id), record)
    return Job(run_id=spec.run_id, shards=spec.shards, **{"text": "planted", **job})


def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often lists of jobs and records are read from now on, by the file's name."""
    counts: Counter[str] = Counter()
    whole = Path.open

    def counted(self: Path, *rest: Any, **others: Any) -> Any:
        counts.update({self.name} & {SWEEP, RECORD})
        return whole(self, *rest, **others)

    monkeypatch.setattr(Path, "open", counted)
    return counts
