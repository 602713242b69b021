"""Steps whose losses are read later are the same steps: the same bits, records and ends."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from corpora.errors import InputError
from scaling.data.order import windows_of
from scaling.data.shards import open_shards
from scaling.model.weights import build_model
from scaling.spec import RunSpec
from scaling.train.ahead import BatchPart, PartsAhead, Rows, part_of
from scaling.train.device import World
from scaling.train.machine import MachineSettings
from scaling.train.optimiser import optimiser_of
from scaling.train.progress import StopRequest
from scaling.train.step import AskedStep, Stepper
from tests.scaling.train.runs import CPU, blt_spec, remains, run, small_shards

LATE = replace(CPU, read_every=5)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_losses_read_later_are_the_same(text: Path, tmp_path: Path, optimiser: str) -> None:
    spec = blt_spec(text, 12, optimiser=optimiser)
    run(spec, text, tmp_path / "at once")
    run(spec, text, tmp_path / "late", LATE)
    assert remains(tmp_path / "late") == remains(tmp_path / "at once")


@pytest.mark.parametrize("last", [3, 7])
def test_told_to_stop_between_two_readings(
    text: Path, tmp_path: Path, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, stop, whole = blt_spec(text, 12), StopRequest(), Stepper.ask

    def ask(self: Stepper, step: int, *, checked: bool = True) -> AskedStep:
        if step + 1 == last:
            stop.signal = signal.SIGTERM
        return whole(self, step, checked=checked)

    with monkeypatch.context() as patched:
        patched.setattr(Stepper, "ask", ask)
        record = run(spec, text, tmp_path / "late", LATE, stop)
    assert (record.status, record.steps) == ("interrupted", last)
    run(spec, text, tmp_path / "late", LATE)
    run(spec, text, tmp_path / "at once")
    assert remains(tmp_path / "late") == remains(tmp_path / "at once")


def test_a_run_that_breaks_between_two_readings_ends_at_the_step_that_broke(
    text: Path, tmp_path: Path
) -> None:
    spec = blt_spec(text, 50, learning_rate=1e30, clip=1e6, weight_decay=0.0)
    at_once, late = run(spec, text, tmp_path / "at once"), run(spec, text, tmp_path / "late", LATE)
    assert at_once.status == late.status == "diverged"
    assert (late.steps, late.reason) == (at_once.steps, at_once.reason)
    names = [sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("late", "at once")]
    assert names[0] == names[1]


class Reads(TorchDispatchMode):
    """Counts what makes a program wait for its device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.count += func._schema.name in ("aten::_local_scalar_dense", "aten::nonzero")
        return func(*args, **(kwargs or {}))


def reads_of_a_step(spec: RunSpec, text: Path, *, checked: bool) -> int:
    model = build_model(spec)
    stepper = Stepper(
        model,
        optimiser_of(model, spec.training),
        windows_of(spec, open_shards(text)),
        rows=spec.rows,
        clip=1.0,
        device=torch.device("cpu"),
        autocast=torch.bfloat16,  # so that nothing is done by hand, as on a GPU
        world=World(),
    )
    reads = Reads()
    with reads:
        stepper.ask(0, checked=checked)
    return reads.count


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_nothing_is_read_in_a_step(text: Path, optimiser: str) -> None:
    spec = blt_spec(text, optimiser=optimiser)
    assert reads_of_a_step(spec, text, checked=False) == 0
    assert reads_of_a_step(spec, text, checked=True) == 1


def test_parts_made_ahead_are_those_made_when_wanted(text: Path) -> None:
    windows, cpu = windows_of(blt_spec(text), open_shards(text)), torch.device("cpu")
    model, made = build_model(blt_spec(text)), []

    def make(rows: Rows) -> BatchPart:
        made.append(rows)
        step, low, high = rows
        return part_of(model, windows.batch(step, 4, (low, high)), None, cpu)

    ahead = PartsAhead(make, cpu)
    order = [(0, 0, 4), (1, 0, 4), (1, 0, 2), (1, 2, 4)]  # memory ran out at the second
    thens = [(1, 0, 4), (2, 0, 4), (1, 2, 4), (2, 0, 2)]
    parts = [ahead.part(rows, then) for rows, then in zip(order, thens, strict=True)]
    assert made[:5] == [(0, 0, 4), (1, 0, 4), (2, 0, 4), (1, 0, 2), (1, 2, 4)]
    for rows, part in zip(order, parts, strict=True):
        assert torch.equal(part.targets, make(rows).targets)
        assert torch.equal(part.inputs.inputs, make(rows).inputs.inputs)


def test_what_goes_wrong_ahead_is_said_when_it_is_wanted() -> None:
    def make(rows: Rows) -> BatchPart:
        raise InputError("planted: no text")

    ahead = PartsAhead(make, torch.device("cpu"))
    for _ in range(2):
        with pytest.raises(InputError, match="planted"):
            ahead.part((0, 0, 4), (1, 0, 4))


def test_losses_are_read_at_every_step_of_a_cpu_and_now_and_then_of_a_gpu() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    settings = MachineSettings()
    assert (settings.reads_every(cpu), settings.reads_every(gpu)) == (1, 16)
    assert LATE.reads_every(cpu) == LATE.reads_every(gpu) == 5
