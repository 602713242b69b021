"""What driving a sweep costs, and what a second worker brings.

    python bench/sweep.py [--cells N] [--steps N] [--long-steps N] [--rounds N]

Two ratios. The first, over N cells of a few steps each with one worker: seconds of the sweep that
were spent outside of any run over the sum of the runs' seconds; those of a sweep of one cell,
which are the worker's start and end, are told apart from dealing and reporting. The second, over 8
longer cells: seconds of the sweep with two workers over those with one, the least of the rounds,
asked to be .6 at most where two cores are free. The workers' CPU seconds tell whether they were.
"""

import argparse
import os
import resource
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.synthetic import MarkovSource
from scaling.data.build_text import build_text
from scaling.record import write_spec
from scaling.spec import Model, Patching, RunSpec, Training
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.local import run_local


def planned(path: Path, cells: int, steps: int) -> SweepFolder:
    """Plan a sweep of cells that differ in their seed only."""
    folder = SweepFolder(path)
    texts = MarkovSource(order=1, alphabet="abcdefgh", document_bytes=300).texts(200)
    corpus = DocumentCorpus("planted", [Document(text, "zxx") for text in texts])
    shards = build_text([corpus], folder.shards, held_out_bytes=3000)
    spec = RunSpec(
        model=Model(family="blt", layers=1, dim=32, local_layers=1, local_dim=16, cross_factor=2),
        patching=Patching(kind="static", compression_rate=4.0),
        training=Training(steps=steps, batch_bytes=1024, learning_rate=3e-3),
        shards=shards.name,
        compression_rate=4.0,
        context_bytes=128,
        window_bytes=16,
    )
    specs = [replace(spec, seed=seed) for seed in range(cells)]
    for spec in specs:
        write_spec(folder.run(spec.run_id), spec)
    jobs = [Job(run_id=spec.run_id, shards=shards.name, text="planted") for spec in specs]
    write_sweep(folder, Sweep("bench", tuple(jobs), {}))
    return folder


@dataclass(frozen=True)
class Driven:
    """Seconds of a sweep: in all, in its runs, and of CPU, the driver's and the workers'."""

    seconds: float
    runs: float
    driver_cpu: float
    workers_cpu: float

    @property
    def outside(self) -> float:
        """Seconds of one worker outside of any run."""
        return self.seconds - self.runs


def driven(cells: int, steps: int, workers: int) -> Driven:
    """Run a sweep."""
    with tempfile.TemporaryDirectory() as path:
        folder = planned(Path(path), cells, steps)
        children = _children()
        begun, busy = time.monotonic(), time.process_time()
        state = run_local(folder, workers_per_device=workers, watch=lambda _: None)
        seconds, busy = time.monotonic() - begun, time.process_time() - busy
    if state.counts["finished"] != cells:
        raise SystemExit(f"not all cells finished: {state.counts}")
    assert state.worker_seconds is not None
    return Driven(seconds, state.worker_seconds, busy, _children() - children)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the two ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--steps", type=int, default=2, help="of each of the many cells")
    parser.add_argument("--long-steps", type=int, default=200, help="of each of the 8 longer cells")
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    bare, many = driven(1, asked.steps, 1), driven(asked.cells, asked.steps, 1)
    print(
        f"{asked.cells} cells of {many.runs / asked.cells:.3f} s: outside of runs"
        f" {many.outside:.2f} s, ratio {many.outside / many.runs:.3f}; less a worker's start and"
        f" end {max(0.0, many.outside - bare.outside) / many.runs:.3f}; CPU of the driver"
        f" {1000 * many.driver_cpu / asked.cells:.1f} ms a cell"
    )
    rounds = [[driven(8, asked.long_steps, n) for n in (1, 2)] for _ in range(asked.rounds)]
    one, two = (min(each.seconds for each in column) for column in zip(*rounds, strict=True))
    cpu = [min(each.workers_cpu for each in column) for column in zip(*rounds, strict=True)]
    print(
        f"8 longer cells, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}: one worker"
        f" {one:.1f} s, two {two:.1f} s, ratio {two / one:.2f}; CPU of the workers"
        f" {cpu[0]:.1f} s and {cpu[1]:.1f} s"
    )


if __name__ == "__main__":
    main()
