"""How long it takes to say how a large sweep stands, and to collect its rows.

    python bench/sweep_status.py --runs 10000

The folder is made up: records of finished runs, and, in equal parts, runs under way (with 1,000
lines of metrics) and waiting ones.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from corpora.output import drawn
from scaling.record import RECORD, SPEC, RunRecord
from scaling.spec import Model, Patching, RunSpec, Training
from scaling.sweep.collect import load_runs
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.status import sweep_status
from scaling.sweep.text import status_text
from scaling.train.metrics import METRICS

TEXT = "0" * 16
STEPS = 2000


def spec(seed: int) -> RunSpec:
    """Return one run of many."""
    model = Model(family="blt", layers=2, dim=32, local_layers=1, local_dim=32, cross_factor=1)
    return RunSpec(
        model=model,
        patching=Patching(kind="static", compression_rate=4),
        training=Training(steps=STEPS, batch_bytes=4096, learning_rate=3e-3),
        shards=TEXT,
        compression_rate=4,
        context_bytes=512,
        window_bytes=64,
        seed=seed,
    )


def record(run: RunSpec) -> RunRecord:
    """Return what became of it."""
    shape = run.model.shape
    return RunRecord(
        spec=run,
        status="finished",
        reason="",
        params={
            "global": shape.global_params,
            "local": shape.local_params,
            "total": shape.total_params,
        },
        steps=STEPS,
        train_bytes=STEPS * 4096,
        train_tokens=STEPS * 1024,
        unique_bytes=10**7,
        epochs=0.8,
        validation_nats=1e5 + run.seed,
        validation_bytes=10**5,
        validation_tokens=25_000,
        validation_interval=(1.4, 1.5),
        patching_flops=0.0,
        seconds=100.0,
        device="cpu",
        versions={},
        commit="",
        host="",
    )


def make(folder: SweepFolder, runs: int, finished: float) -> None:
    """Make up a sweep."""
    jobs = []
    line = '{{"step": {0}, "train_bytes": 4096, "bits_per_byte": 2.5, "seconds": {0}.5}}\n'
    metrics = "".join(line.format(step) for step in range(1, 1001))
    for seed in range(runs):
        one = spec(seed)
        jobs.append(Job(run_id=one.run_id, shards=TEXT, text=f"text {seed % 3}", seconds=90.0))
        place = folder.run(one.run_id)
        place.mkdir(parents=True)
        (place / SPEC).write_text(json.dumps(one.to_json(), indent=1))
        if seed < finished * runs:
            (place / RECORD).write_text(json.dumps(record(one).to_json(), indent=1))
        elif seed % 2:
            (place / METRICS).write_text(metrics)
    write_sweep(folder, Sweep("bench", tuple(jobs), {}))


def timed(name: str, folder: SweepFolder, work: Callable[[SweepFolder], object]) -> None:
    """Print the best of three."""
    best, cpu = float("inf"), float("inf")
    for _ in range(3):
        used, begun = _cpu_seconds(), time.perf_counter()
        work(folder)
        best = min(best, time.perf_counter() - begun)
        cpu = min(cpu, _cpu_seconds() - used)
    print(f"  {name:28} {best:6.2f} s  ({cpu:.2f} s of CPU)")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the seconds of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=10_000)
    asked = parser.parse_args()
    for finished in (1.0, 0.5, 0.0):
        with tempfile.TemporaryDirectory() as name:
            folder = SweepFolder(Path(name))
            make(folder, asked.runs, finished)
            print(f"{asked.runs:,} runs, {100 * finished:.0f} % finished")
            timed("status", folder, lambda folder: list(drawn(status_text(sweep_status(folder)))))
            timed(
                "status as JSON", folder, lambda folder: json.dumps(sweep_status(folder).to_json())
            )
            if finished:
                timed("rows of all that ended", folder, load_runs)


if __name__ == "__main__":
    main()
