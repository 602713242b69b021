"""What the checks of a GPU are done with: the machine, sizes, a text in memory, steps of a run."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.train_blt import CASES, TRAINING, Case
from scaling.data.order import Windows
from scaling.data.shards import Stream
from scaling.data.windows import Patches
from scaling.flops import micro_blt
from scaling.model.weights import build_model
from scaling.spec import Model, Patching, RunSpec
from scaling.train.counted import ALL
from scaling.train.device import World, synchronize
from scaling.train.machine import MachineSettings, Shortcut
from scaling.train.optimiser import optimiser_of, set_learning_rate
from scaling.train.step import StepResult, stepper_of

CPU = MachineSettings(device="cpu", threads=1)


class Sizes(NamedTuple):
    """How large the checks are.

    Attributes:
        context, window, rows: of a batch. steps: compared.
        grid: (L, d) of a byte latent model with local modules of width `local`.
        seconds: that each speed is timed for.
        cases: of `bench.train_blt`, beside which others are timed.
    """

    context: int
    window: int
    rows: int
    steps: int
    local: int
    grid: tuple[tuple[int, int], ...]
    seconds: float
    cases: Mapping[str, Case]


_OTHERS = {name: CASES[name] for name in ("d384", "100m")}
_TINY = {"tiny": Case(micro_blt(1, 16, 1, 16, 1), 64, 16, 2)}
FULL = Sizes(4096, 256, 16, 20, 128, ((2, 96), (4, 256), (6, 384)), 2.0, _OTHERS)
SMALL = Sizes(64, 16, 4, 6, 32, ((1, 16), (1, 32)), 0.0, _TINY)


@dataclass(frozen=True)
class Box:
    """The machine, and what is asked of it.

    Attributes:
        deadline: of the clock. sweep: a folder of prepared runs, if there is one.
    """

    device: torch.device
    sizes: Sizes
    small: bool
    out: Path
    sweep: Path | None
    deadline: float

    @property
    def left(self) -> float:
        """Seconds."""
        return self.deadline - time.monotonic()

    def machine(self, taken: tuple[Shortcut, ...] | None = ALL, **more: Any) -> MachineSettings:
        """Return settings of the device, with shortcuts, compiled unless told otherwise."""
        usual = MachineSettings(device=str(self.device), threads=1, compile=True, read_every=4)
        return replace(usual, shortcuts=taken, **more)


def text(documents: int, size: int = 400_000) -> Stream:
    """Return words in which each letter but the first follows from the one before, mostly."""
    rng = np.random.default_rng(0)
    letters = (np.cumsum(rng.integers(0, 3, size)) % 26 + 97).astype(np.uint8)
    letters[rng.random(size) < 0.18] = 32
    ends = np.sort(rng.choice(np.arange(1, size), documents - 1, replace=False))
    offsets = np.concatenate([[0], ends, [size]]).astype(np.int64)
    return Stream("synthetic", letters, offsets, offsets, np.zeros(documents, np.uint16))


def spec_of(sizes: Sizes, size: tuple[int, int], rate: float = 4.0, family: str = "blt") -> RunSpec:
    """Return a run of this size; its number of steps is no matter."""
    layers, dim = size
    local = sizes.local
    model = Model(family="subword", layers=layers, dim=dim)
    if family == "blt":
        model = Model(
            family="blt", layers=layers, dim=dim, local_layers=1, local_dim=local, cross_factor=2
        )
    return RunSpec(
        model=model,
        patching=Patching(kind="static", compression_rate=rate) if family == "blt" else None,
        training=replace(TRAINING, batch_bytes=sizes.rows * sizes.context, optimiser="muon"),
        shards="0" * 16,
        compression_rate=rate if family == "blt" else 1.0,
        context_bytes=sizes.context,
        window_bytes=sizes.window,
    )


class Trainer:
    """Takes steps of a run on text in memory."""

    def __init__(
        self, spec: RunSpec, machine: MachineSettings, stream: Stream, patches: Patches | None
    ) -> None:
        self.device, self.spec = machine.torch_device(), spec
        self.checked = machine.reads_every(self.device) == 1
        self.model = build_model(spec).to(self.device)
        self.optimizer = optimiser_of(self.model, spec.training)
        windows = Windows(stream, spec.window_units, 0, patches)
        self.stepper = stepper_of(
            spec, self.model, self.optimizer, windows, machine, self.device, World(), spec.rows
        )
        self.taken = 0

    def steps(self, count: int) -> list[StepResult]:
        """Take so many steps, and read them when all are taken."""
        asked = []
        for _ in range(count):
            set_learning_rate(self.optimizer, 1e-3)
            asked.append(self.stepper.ask(self.taken, checked=self.checked))
            self.taken += 1
        return [step.read() for step in asked]

    def losses(self, count: int) -> list[float]:
        """Return nats per target of so many steps."""
        return [step.nats / step.targets for step in self.steps(count)]

    def seconds(self, about: float) -> float:
        """Return seconds of a step, after six that warm up."""
        self.steps(6)
        synchronize(self.device)
        begun, taken = time.perf_counter(), 0
        while not taken or time.perf_counter() - begun < about:
            self.steps(8)
            synchronize(self.device)
            taken += 8
        return (time.perf_counter() - begun) / taken
