"""Many runs of one shape trained as one model, each with its own text, rate, steps and record.

Of small models a step is mostly overhead: launches and waits of a GPU, small operations of a CPU.
Runs that differ in seed, learning rate, budget or mixture alone do the same operations, so they are
done once for all of them (`scaling.model.members`). What is a run's own stays its own: gradients
are clipped, and optimisers step, member by member, on views of what is computed together. A member
that ends, diverges or fails leaves, and the others go on without it.

A member's numbers are those of its run by itself, to rounding: products are taken in other shapes.
"""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from corpora.errors import InputError
from scaling.data.order import Windows
from scaling.data.windows import TokenBatch
from scaling.model.members import stack_members
from scaling.model.weights import AnyModel, build_model
from scaling.record import RunOutcome, RunRecord
from scaling.train.ahead import BatchPart, Rows, part_of
from scaling.train.device import World
from scaling.train.optimiser import keep_rates_on
from scaling.train.run import RunUnderWay
from scaling.train.step import AskedStep, Stepper, StepResult, computing, stepper_of

# Told of each run how it ended: its record, or what is wrong with it.
RunEnds = Callable[[RunUnderWay, RunRecord | InputError], object]


def train_together(runs: Sequence[RunUnderWay], tell: RunEnds) -> None:
    """Train runs of one shape (`scaling.train.groups.alike`) to their ends, each as by itself.

    Raises:
        InputError: together they do not fit into memory; what was told of before has ended.
    """
    if runs and (threads := runs[0].machine.threads) is not None:
        torch.set_num_threads(threads)
    clock = time.perf_counter()
    for run in runs:
        run.begun = clock  # not while others were prepared
    members = [Member(run) for run in runs]
    try:
        while members:
            ask = _asker(members)
            while not any(member.end for member in members):
                for member, asked in zip(members, ask(), strict=True):
                    member.go_on(asked)
                clock = _share(members, clock)
            for member in members:
                if member.end is not None:
                    tell(member.run, member.finish())
                    clock = _share(members, clock, of=member)
            members = [member for member in members if member.end is None]
    finally:
        for member in members:
            member.close()


def _asker(members: "Sequence[Member]") -> Callable[[], Sequence[AskedStep]]:
    """Return what takes a step of each of them."""
    if len(members) > 1:
        joint = JointStepper.of(members)
        for member in members:
            member.run.stepper = joint
        return joint.ask_each
    (last,) = members
    own = last.run.stepper = last.run.own_stepper()
    return lambda: [own.ask(last.step, checked=last.checked)]


def _share(members: "Sequence[Member]", since: float, of: "Member | None" = None) -> float:
    """Charge the time since then to one member, or to all in equal shares; return the time."""
    now = time.perf_counter()
    for member in members:
        share = 1 / len(members) if of is None else float(member is of)
        member.run.others += (1 - share) * (now - since)
    return now


class Member:
    """A run, and the steps that it asks for.

    Attributes:
        step: the next one it wants. checked: whether it waits for each.
        end: how it ended, and why; or what is wrong with it. None while it goes on.
    """

    def __init__(self, run: RunUnderWay) -> None:
        self.run, self.checked = run, run.read_every == 1
        self.step = run.progress.step
        self.end: tuple[RunOutcome, str] | InputError | None = None
        self._steps: Generator[int, AskedStep, tuple[RunOutcome, str]] = run.steps()
        self._next(lambda: next(self._steps))

    def go_on(self, asked: AskedStep) -> None:
        """Take what came of its step, and have it say which is next."""
        self._next(lambda: self._steps.send(asked))

    def _next(self, wanted: Callable[[], int]) -> None:
        try:
            self.step = wanted()
        except StopIteration as end:
            self.end = end.value
        except InputError as error:
            self.end = error

    def close(self) -> None:
        """Leave what it writes closed."""
        self._steps.close()

    def finish(self) -> RunRecord | InputError:
        """Have an ended run scored and recorded."""
        assert self.end is not None
        if isinstance(self.end, InputError):
            return self.end
        try:
            return self.run.ended(*self.end)
        except InputError as error:
            return error


class JointStepper(Stepper):
    """Takes a step of every run with one model that they are stacked in."""

    def __init__(self, model: AnyModel, *given: Any, **settings: Any) -> None:
        """Make it as any other, of the stacked model; text is read from the host."""
        super().__init__(model, *given, **{**settings, "resident": False})
        self.checked, self.taken = True, 0
        self.read_by: list[tuple[Windows, int]] = []  # and each one's first step
        self.counts: dict[Rows, list[StepResult]] = {}  # of parts that were made

    @classmethod
    def of(cls, members: Sequence[Member]) -> "JointStepper":
        """Return what takes the next steps of all members."""
        runs, first = [member.run for member in members], members[0].run
        whole = build_model(first.spec).to(first.device)
        stack_members(whole, [run.model for run in runs])
        joint = stepper_of(
            first.spec,
            whole,
            first.optimizer,
            first.windows,
            first.machine,
            first.device,
            World(),
            min(run.micro_rows for run in runs),
            cls,
        )
        assert isinstance(joint, cls)
        joint.checked = members[0].checked
        joint.read_by = [(replace(member.run.windows), member.step) for member in members]
        joint.moved = [(run.model, run.optimizer) for run in runs]
        if joint.recorded is not None:
            for run in runs:
                keep_rates_on(run.optimizer, joint.device)
        return joint

    def ask_each(self) -> list[AskedStep]:
        """Have each run's next step taken."""
        nats, norms = self.ask(self.taken, checked=self.checked).numbers.chunk(2)
        parts = [
            self.counts.pop((self.taken, low, min(low + self.micro_rows, self.high)))
            for low in range(self.low, self.high, self.micro_rows)
        ]
        self.taken += 1
        known = [_sum(counts) for counts in zip(*parts, strict=True)]
        both = torch.stack((nats, norms), dim=1)
        return [AskedStep(*pair) for pair in zip(both, known, strict=True)]

    def _zero(self) -> None:
        # Where they are: what members know as their gradients are views of them.
        gradients = [weight.grad for weight in self.model.parameters()]
        torch._foreach_zero_([gradient for gradient in gradients if gradient is not None])

    def _made(self, rows: Rows, windows: Windows, device: torch.device) -> BatchPart:
        taken, low, high = rows
        batches = [own.batch(first + taken, self.rows, (low, high)) for own, first in self.read_by]
        self.counts[rows] = [_counted(batch) for batch in batches]
        with computing(self.device, self.autocast):
            return part_of(self.model, joined_rows(batches), None, device)


def joined_rows(batches: Sequence[TokenBatch]) -> TokenBatch:
    """Return the rows of all batches, one after the other."""
    starts = [batch.starts for batch in batches if batch.starts is not None]
    return TokenBatch(
        inputs=np.concatenate([batch.inputs for batch in batches]),
        targets=np.concatenate([batch.targets for batch in batches]),
        segments=np.concatenate([batch.segments for batch in batches]),
        starts=np.concatenate(starts) if starts else None,
        scored_bytes=sum(batch.scored_bytes for batch in batches),
    )


def _counted(batch: TokenBatch) -> StepResult:
    scored = int((batch.segments >= 0).sum())
    units = scored if batch.starts is None else int(batch.starts.sum())
    return StepResult(0.0, scored, units, batch.scored_bytes, 0.0)


def _sum(parts: Sequence[StepResult]) -> StepResult:
    return StepResult(
        nats=0.0,
        targets=sum(part.targets for part in parts),
        tokens=sum(part.tokens for part in parts),
        bytes=sum(part.bytes for part in parts),
        gradient_norm=0.0,
    )
