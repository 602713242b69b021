"""Sweeps with planted results: specifications and records as the engine writes them, no training.

The planted losses have their minimum at a known size for every rate, and their best rate inside
those planned.
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scaling.record import RunRecord, failed_record, write_record, write_spec
from scaling.spec import Model, Patching, RunSpec, Training, steps_for_budget
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.train.metrics import METRICS
from tests.reports.folders import HOSTILE

SHARDS = "0" * 16
BUDGETS = (1e12, 3e12)
RATES = (1.0, 2.0, 4.0, 8.0)
SIZES = ((1, 16), (1, 24), (1, 32), (2, 32), (2, 48))
BEST_SIZE, BEST_RATE, FLOOR = (1, 32), 4.0, 2.0
HELD_OUT = 100_000

Planted = Callable[[RunSpec], float]


def spec_of(
    size: tuple[int, int] = (1, 32),
    rate: float = 4.0,
    budget: float = 1e12,
    kind: str = "static",
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> RunSpec:
    """Return a run of the micro grid; of kind `tokens`, a subword model."""
    blt = kind != "tokens"
    layers, dim = size
    model = (
        Model(family="blt", layers=layers, dim=dim, local_layers=1, local_dim=32, cross_factor=1)
        if blt
        else Model(family="subword", layers=layers, dim=dim, vocabulary_size=512)
    )
    patching = Patching(kind=kind, compression_rate=rate) if blt else None  # type: ignore[arg-type]
    spec = RunSpec(
        model=model,
        patching=patching,
        training=Training(steps=1, batch_bytes=4096, learning_rate=learning_rate),
        shards=SHARDS,
        # Found patches and tokens are never quite as long as was asked for.
        compression_rate=rate if kind == "static" else rate * 0.98,
        context_bytes=512,
        window_bytes=64,
        seed=seed,
        compute_flops=budget,
    )
    steps = steps_for_budget(budget, model, spec.cost_context, 4096)
    return replace(spec, training=replace(spec.training, steps=steps))


def bowl(spec: RunSpec) -> float:
    """Return bits per byte that are lowest at `BEST_RATE` and, in ln B, at `BEST_SIZE`."""
    assert spec.compute_flops is not None
    best = replace(spec.model, layers=BEST_SIZE[0], dim=BEST_SIZE[1])
    steps = steps_for_budget(spec.compute_flops, best, spec.cost_context, 4096)
    away = math.log(spec.training.steps / steps)
    return (
        FLOOR
        + 0.3 * away**2
        + 0.03 * math.log(spec.compression_rate / BEST_RATE) ** 2
        - 0.05 * math.log(spec.compute_flops / 1e12)
        + 0.2 * math.log(spec.training.learning_rate / 3e-3) ** 2
    )


def slope(spec: RunSpec) -> float:
    """Return bits per byte that are the lower the smaller the model and the higher the rate."""
    params = spec.model.shape.global_params
    return FLOOR + 0.1 * math.log(params) - 0.1 * math.log(spec.compression_rate)


def grid(kinds: tuple[str, ...] = ("static", "entropy")) -> list[RunSpec]:
    """Return every size at every rate and budget."""
    return [
        spec_of(size, rate, budget, kind)
        for kind in kinds
        for rate in RATES
        for budget in BUDGETS
        for size in SIZES
    ]


def ended(spec: RunSpec, bits_per_byte: float) -> RunRecord:
    """Return the record of a run that finished."""
    data = spec.training.steps * spec.training.batch_bytes
    return replace(
        failed_record(spec, ""),
        status="finished",
        steps=spec.training.steps,
        train_bytes=data,
        unique_bytes=10 * data,
        epochs=0.1,
        validation_nats=bits_per_byte * math.log(2) * HELD_OUT,
        validation_bytes=HELD_OUT,
        validation_interval=(bits_per_byte - 0.05, bits_per_byte + 0.06),
        seconds=30.0,
        device="cpu",
    )


def planted_sweep(
    path: Path,
    specs: list[RunSpec],
    planted: Planted = bowl,
    *,
    name: str = "planted",
    text: str = "novels",
    label: str | None = None,
    marks: tuple[str, ...] = (),
) -> SweepFolder:
    """Write a sweep whose runs have all finished, with a loss curve for each."""
    folder = SweepFolder(path)
    jobs = []
    for spec in specs:
        run = folder.run(spec.run_id)
        write_spec(run, spec)
        write_record(run, ended(spec, planted(spec)))
        write_curve(folder, spec, planted(spec))
        shown = label if label is not None else arm_of(spec)
        jobs.append(Job(run_id=spec.run_id, shards=SHARDS, text=text, label=shown, marks=marks))
    write_sweep(folder, Sweep(name, tuple(jobs), {}))
    return folder


def arm_of(spec: RunSpec) -> str:
    """Return what a plan calls a run's tokenization."""
    return f"bpe:{spec.model.vocabulary_size}" if spec.patching is None else spec.patching.kind


def write_curve(folder: SweepFolder, spec: RunSpec, end: float, share: float = 1.0) -> None:
    """Write metrics that fall to `end` like a power of the steps, as far as a share of them."""
    lines = []
    for step in range(1, max(2, int(share * spec.training.steps)) + 1):
        read = step * spec.training.batch_bytes
        loss = end + 5 * step**-0.7
        value = {"step": step, "train_bytes": read, "bits_per_byte": loss, "seconds": step / 10}
        lines.append(json.dumps(value))
    (folder.run(spec.run_id) / METRICS).write_text("\n".join(lines) + "\n", "utf-8")


def unfinished_sweep(path: Path) -> SweepFolder:
    """Write a sweep in which runs stand in every way that they can."""
    specs = [spec_of(size, rate) for rate in RATES for size in SIZES[:3]]
    folder = planted_sweep(path, specs)
    gone, diverged, failed, running, torn, blank = specs[:6]
    for spec in (gone, running, blank):
        (folder.run(spec.run_id) / "record.json").unlink()
    (folder.run(gone.run_id) / METRICS).unlink()
    reason = "the loss is not finite & <b>was</b> 9.1"
    write_record(
        folder.run(diverged.run_id),
        replace(failed_record(diverged, reason), status="diverged", steps=40),
    )
    write_record(folder.run(failed.run_id), failed_record(failed, "out of memory"))
    write_curve(folder, running, 2.5, 0.5)
    (folder.run(torn.run_id) / "record.json").write_text('{"version": 1, "spec": {', "utf-8")
    for file in folder.run(blank.run_id).iterdir():
        file.unlink()
    return folder


def hostile_sweep(path: Path) -> SweepFolder:
    """Write a sweep in which every name that a user gives is an attack."""
    script, style, quotes, controls = HOSTILE
    specs = [spec_of(size, rate) for rate in RATES for size in SIZES]
    folder = planted_sweep(
        path, specs, name=script, text=style, label=quotes, marks=(controls, script)
    )
    for spec in specs[:2]:
        write_record(folder.run(spec.run_id), failed_record(spec, script + controls))
    return folder
