"""What driving a sweep costs, and what a second worker brings.

    python bench/sweep.py [--cells N] [--steps N] [--long-steps N]

Two ratios. The first, over N cells of a few steps each with one worker: seconds of the sweep that
were spent outside of any run (starting the worker, dealing, reporting, clearing up), over the sum
of the runs' seconds. The second, over 8 longer cells: seconds of the sweep with two workers over
those with one, asked to be .6 at most where there are two free cores.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.synthetic import MarkovSource
from scaling.data.build_text import build_text
from scaling.spec import Model, Patching, RunSpec, Training
from scaling.spec_json import write_spec
from scaling.sweep.folder import Job, Sweep, SweepFolder, write_sweep
from scaling.sweep.local import run_local
from scaling.sweep.state import SweepState


def planned(path: Path, cells: int, steps: int) -> tuple[SweepFolder, list[Job]]:
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
    return folder, jobs


def driven(cells: int, steps: int, workers: int) -> tuple[SweepState, float, float]:
    """Return how a sweep ended, its seconds, and the CPU seconds of its driver."""
    with tempfile.TemporaryDirectory() as path:
        folder, jobs = planned(Path(path), cells, steps)
        begun, busy = time.monotonic(), time.process_time()
        state = run_local(folder, jobs, workers_per_device=workers, watch=lambda _: None)
        seconds, busy = time.monotonic() - begun, time.process_time() - busy
    if state.counts["finished"] != cells:
        raise SystemExit(f"not all cells finished: {state.counts}")
    return state, seconds, busy


def main() -> None:
    """Print the two ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--steps", type=int, default=2, help="of each of the many cells")
    parser.add_argument("--long-steps", type=int, default=400, help="of each of the 8 longer cells")
    asked = parser.parse_args()
    state, seconds, busy = driven(asked.cells, asked.steps, 1)
    runs = sum(cell.seconds for cell in state.runs.values())
    print(
        f"{asked.cells} cells of {runs / asked.cells:.3f} s: outside of runs"
        f" {seconds - runs:.2f} s of {seconds:.1f} s, ratio {(seconds - runs) / runs:.3f};"
        f" CPU of the driver {busy:.2f} s, {1000 * busy / asked.cells:.1f} ms a cell"
    )
    one, two = (driven(8, asked.long_steps, workers)[1] for workers in (1, 2))
    print(
        f"8 longer cells on {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}): one worker"
        f" {one:.1f} s, two {two:.1f} s, ratio {two / one:.2f}"
    )


if __name__ == "__main__":
    main()
