"""Peak memory of real training steps on a CPU beside what `scaling.train.memory` reckons.

    python bench/step_memory.py              every shape, each in a process of its own
    python bench/step_memory.py --case mid

What is counted is resident memory above that of a process that has trained a small model already.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from scaling.data.windows import TokenBatch
from scaling.model.weights import build_model
from scaling.spec import Model, Patching, RunSpec, Training
from scaling.train.memory import state_bytes, step_bytes
from scaling.train.optimiser import optimiser_of
from scaling.train.step import computing, loss_of

STEPS = 3
CPU = torch.device("cpu")


class Case(NamedTuple):
    """A model (L, d and V, or L, d, l, h and k), `rows` of `width` units, and what they hold.

    Attributes:
        rate: T of a byte latent model. most: bytes of the longest patch, of irregular ones.
        documents: of a row. parts: of a batch. reduced: whether products are in bfloat16.
    """

    sizes: tuple[int, ...]
    width: int
    window: int
    rows: int
    rate: float = 1
    most: int = 0
    documents: int = 1
    parts: int = 1
    reduced: bool = False

    @property
    def spec(self) -> RunSpec:
        """The run whose steps these are."""
        if len(self.sizes) == 3:
            layers, dim, vocabulary = self.sizes
            model = Model(family="subword", layers=layers, dim=dim, vocabulary_size=vocabulary)
            patching = None
        else:
            layers, dim, local_layers, local_dim, slots = self.sizes
            model = Model(
                family="blt",
                layers=layers,
                dim=dim,
                local_layers=local_layers,
                local_dim=local_dim,
                cross_factor=slots,
            )
            patching = Patching(
                kind="entropy" if self.most else "static",
                compression_rate=self.rate,
                most_bytes=self.most or 64,
            )
        return RunSpec(
            model=model,
            patching=patching,
            training=Training(steps=STEPS, batch_bytes=self.rows * self.width, learning_rate=1e-3),
            shards="",
            compression_rate=self.rate,
            context_bytes=self.width,
            window_bytes=self.window,
        )


MICRO, MID = (2, 32, 1, 32, 1), (3, 192, 1, 128, 2)
CASES = {
    "micro": Case(MICRO, 512, 64, 64, 4),
    "micro, documents": Case(MICRO, 512, 64, 64, 4, documents=4),
    "micro, entropy": Case(MICRO, 512, 64, 64, 4, most=64, documents=2),
    "mid": Case(MID, 512, 64, 32, 4),
    "mid, documents": Case(MID, 512, 64, 32, 4, documents=3),
    "mid, entropy": Case(MID, 512, 64, 32, 4, most=64, documents=3),
    "mid, T 1": Case(MID, 512, 64, 32, 1, documents=2),
    "mid, T 16": Case(MID, 512, 64, 32, 16, documents=2),
    "mid, bfloat16": Case(MID, 512, 64, 32, 4, documents=3, reduced=True),
    "long": Case(MID, 4096, 256, 4, 4),
    "long, documents": Case(MID, 4096, 256, 4, 4, documents=4),
    "long, window 512": Case((3, 192, 2, 128, 2), 8192, 512, 2, 4, documents=4),
    "long, T 1": Case(MID, 4096, 256, 4, 1, documents=4),
    "bytes": Case((2, 128, 256), 512, 512, 32),
    "bytes, documents": Case((2, 128, 256), 512, 512, 32, documents=4),
    "bytes, long": Case((4, 128, 256), 4096, 4096, 4),
    "bytes, long, documents": Case((4, 128, 256), 4096, 4096, 4, documents=4),
    "bytes, longer, documents": Case((2, 64, 256), 16384, 16384, 1, documents=4),
    "V 32,000": Case((4, 256, 32000), 512, 512, 16, documents=3),
    "V 32,000, bfloat16": Case((4, 256, 32000), 512, 512, 8, documents=3, reduced=True),
    "V 128,000": Case((2, 256, 128000), 128, 128, 1),
    "43 million": Case((6, 768, 256), 64, 64, 1),
    "43 million, in parts": Case((6, 768, 256), 64, 64, 1, parts=2),
    "wide": Case((2, 1024, 256), 512, 512, 4),
}


def batch(case: Case, random: np.random.Generator) -> TokenBatch:
    """Return noise with as many documents and patches as the case asks for."""
    shape, most_id = (case.rows, case.width), case.spec.model.vocabulary_size
    inputs, targets = random.integers(0, most_id, (2, *shape))
    segments = np.zeros(shape, np.int32)
    for row in segments:
        for cut in random.choice(np.arange(1, case.width), case.documents - 1, replace=False):
            row[cut:] += 1
    if case.spec.patching is None:
        return TokenBatch(inputs, targets, segments, None, inputs.size)
    at = np.arange(case.width)
    opens = random.random(shape) < 1 / case.rate if case.most else at % round(case.rate) == 0
    starts = np.broadcast_to(opens, shape) | (at % (case.most or case.width) == 0)
    starts[:, 1:] |= segments[:, 1:] != segments[:, :-1]
    return TokenBatch(inputs, targets, segments, starts, inputs.size)


def train(case: Case) -> None:
    """Take a few steps as `scaling.train.step` does."""
    random, spec = np.random.default_rng(0), case.spec
    model = build_model(spec)
    optimizer = optimiser_of(model, spec.training)
    for _ in range(STEPS):
        optimizer.zero_grad()
        for _ in range(case.parts):
            with computing(CPU, torch.bfloat16 if case.reduced else None):
                nats, count = loss_of(model, batch(case, random), CPU)
            (nats / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def peak(case: Case) -> int:
    """Return bytes of this process's peak above what it held before."""
    small = (1, 16, 256) if len(case.sizes) == 3 else (1, 16, 1, 16, 1)
    train(case._replace(sizes=small, width=64, window=16, rows=1, documents=1, parts=1))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    before = _status("VmRSS")
    train(case)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.measure:
        print(json.dumps(peak(CASES[asked.measure])))
        return
    print(f"{'':26}{'peak MB':>10}{'reckoned':>10}{'ratio':>8}")
    for name in asked.case or CASES:
        case = CASES[name]
        done = subprocess.run(
            [sys.executable, __file__, "--measure", name], capture_output=True, check=True
        )
        seen = json.loads(done.stdout)
        spec = case.spec
        reckoned = state_bytes(spec) + step_bytes(spec, case.rows, not case.reduced)
        print(f"{name:26}{seen / 1e6:10.1f}{reckoned / 1e6:10.1f}{reckoned / seen:8.2f}")


if __name__ == "__main__":
    main()
