"""Runs that are trained as one model end as each does by itself."""

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from corpora.errors import InputError
from scaling.data.build_units import build_starts
from scaling.data.chunked_build import TextPart
from scaling.data.shards import open_shards
from scaling.model.weights import WEIGHTS, AnyModel, build_model
from scaling.record import RunRecord, read_record
from scaling.spec import Patching, RunSpec
from scaling.train import compiled
from scaling.train.checkpoint import CHECKPOINT
from scaling.train.machine import MachineSettings
from scaling.train.metrics import METRICS
from scaling.train.progress import StopRequest
from scaling.train.run import RunUnderWay
from scaling.train.step import AskedStep, Stepper
from scaling.train.together import train_together
from tests.scaling.train.runs import (
    CPU,
    blt_spec,
    byte_tokens,
    close,
    metrics,
    remains,
    rows_tried,
    run,
    small_shards,
    subword_spec,
)

KINDS = ["static", "entropy", "tokens"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have models made in float64."""

    def build(spec: RunSpec) -> AnyModel:
        return build_model(spec).double()

    monkeypatch.setattr("scaling.train.run.build_model", build)
    monkeypatch.setattr("scaling.train.together.build_model", build)


def opened(part: TextPart) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return patches of many lengths, as entropies make them."""
    starts = np.random.default_rng(part.begin).random(part.data.shape) < 0.4
    starts[(part.offsets[:-1] - part.offsets[0])] = True
    return starts


def kind_of(text: Path, kind: str, **training: Any) -> tuple[RunSpec, Path]:
    """Return a run of a kind of model, and what it reads."""
    if kind == "tokens":
        shards = byte_tokens(text, text.parent)
        return subword_spec(shards, **training), shards
    if kind == "static":
        return blt_spec(text, **training), text
    shards = build_starts(text, text.parent, opened, {"planted": True})
    patching = Patching(kind="entropy", compression_rate=2.5, threshold=1.0)
    return replace(blt_spec(shards, **training), patching=patching), shards


def four(spec: RunSpec) -> list[RunSpec]:
    """Return runs of two seeds, another rate and another budget."""
    rate, steps = spec.training.learning_rate, spec.training.steps
    return [
        spec,
        replace(spec, seed=1),
        replace(spec, training=replace(spec.training, learning_rate=2 * rate)),
        replace(spec, training=replace(spec.training, steps=steps - 5), seed=2),
    ]


def begun(
    spec: RunSpec,
    shards: Path,
    folder: Path,
    machine: MachineSettings = CPU,
    stop: StopRequest | None = None,
) -> RunUnderWay:
    return RunUnderWay(spec, open_shards(shards), folder, machine, 0.0, stop or StopRequest())


def together(
    specs: Sequence[RunSpec],
    shards: Path,
    folder: Path,
    machine: MachineSettings = CPU,
    stop: StopRequest | None = None,
) -> Mapping[str, RunRecord | InputError]:
    """Train runs in folders of their own and return how each ended, by its id."""
    ends: dict[str, RunRecord | InputError] = {}
    runs = [begun(spec, shards, folder / spec.run_id, machine, stop) for spec in specs]
    train_together(runs, lambda run, end: ends.update({run.spec.run_id: end}))
    return ends


def same(specs: Sequence[RunSpec], shards: Path, folder: Path, tolerance: float) -> None:
    """Require what runs in `folder` left to be what they leave when trained one by one."""
    for spec in specs:
        here, alone = folder / spec.run_id, folder / "alone" / spec.run_id
        run(spec, shards, alone)
        close(here, alone, tolerance)
        counted = [
            {name: line[name] for name in ("step", "train_bytes", "learning_rate")}
            for line in metrics(here)
        ]
        assert counted == [{name: line[name] for name in counted[0]} for line in metrics(alone)]
        records = [remains(path)[2] for path in (here, alone)]
        nats = [record.pop("validation_nats") for record in records]
        assert nats[0] == pytest.approx(nats[1], rel=tolerance)
        for record in records:
            for part in (record, *record["languages"]):
                for name in ("validation_nats", "validation_interval", "derived"):
                    part.pop(name, None)
        assert records[0] == records[1]
        assert sorted(p.name for p in here.iterdir()) == sorted(p.name for p in alone.iterdir())


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
@pytest.mark.parametrize("kind", KINDS)
def test_members_end_as_each_does_by_itself(
    text: Path, tmp_path: Path, kind: str, optimiser: str
) -> None:
    rate = 0.02 if optimiser == "muon" else 3e-3
    spec, shards = kind_of(text, kind, optimiser=optimiser, learning_rate=rate)
    ends = together(four(spec), shards, tmp_path)
    assert all(isinstance(end, RunRecord) and end.status == "finished" for end in ends.values())
    assert next(iter(ends)) == four(spec)[3].run_id  # the shortest
    same(four(spec), shards, tmp_path, 1e-10)


def test_in_single_precision_they_end_near_it(text: Path, tmp_path: Path) -> None:
    specs = four(blt_spec(text))
    together(specs, text, tmp_path)
    same(specs, text, tmp_path, 2e-5)


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("kind", ["static", "entropy"])
def test_stopped_members_go_on_wherever_each_stands(
    text: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, shards = kind_of(text, kind, optimiser="muon", learning_rate=0.02)
    specs, whole = four(spec), Stepper.ask

    def stopped_after(steps: int, specs: Sequence[RunSpec]) -> None:
        stop, asked = StopRequest(), iter(range(1, steps + 1))

        def ask(self: Stepper, step: int, *, checked: bool = True) -> AskedStep:
            if next(asked) == steps:
                stop.signal = signal.SIGTERM
            return whole(self, step, checked=checked)

        with monkeypatch.context() as patched:
            patched.setattr(Stepper, "ask", ask)
            for end in together(specs, shards, tmp_path, stop=stop).values():
                assert isinstance(end, RunRecord) and end.status == "interrupted"

    stopped_after(4, specs[:1])
    stopped_after(3, specs)  # the first of them from its fourth step on
    found = [read_record(tmp_path / spec.run_id) for spec in specs]
    assert [record and record.steps for record in found] == [7, 3, 3, 3]
    assert all((tmp_path / spec.run_id / CHECKPOINT).exists() for spec in specs)
    together(specs, shards, tmp_path)
    same(specs, shards, tmp_path, 1e-10)


def test_one_that_diverges_leaves_the_others_as_they_were(text: Path, tmp_path: Path) -> None:
    spec = blt_spec(text)
    wild = replace(spec, training=replace(spec.training, learning_rate=1e30))
    specs = [spec, wild, replace(spec, seed=1)]
    ends = together(specs, text, tmp_path)
    assert [end.status for end in map(ends.get, (s.run_id for s in specs))] == [  # type: ignore[union-attr]
        *("finished", "diverged", "finished")
    ]
    broken = tmp_path / specs[1].run_id
    alone = run(specs[1], text, tmp_path / "alone" / specs[1].run_id)
    record = read_record(broken)
    assert record is not None and (record.reason, record.steps) == (alone.reason, alone.steps)
    assert not (broken / WEIGHTS).exists() and not (broken / CHECKPOINT).exists()
    same([specs[0], specs[2]], text, tmp_path, 2e-5)


@pytest.mark.usefixtures("exact")
def test_a_gpus_shortcuts_and_rows_in_parts_are_the_same(text: Path, tmp_path: Path) -> None:
    rates = {"optimiser": "muon", "learning_rate": 0.02}
    specs = four(kind_of(text, "static", **rates)[0])
    machine = replace(CPU, read_every=5, micro_rows=3, shortcuts=("graphs", "text"))
    together(specs, text, tmp_path, machine)
    for spec in specs:
        # Recorded, rates are float32.
        run(spec, text, tmp_path / "alone" / spec.run_id, replace(machine, micro_rows=None))
        close(tmp_path / spec.run_id, tmp_path / "alone" / spec.run_id, 1e-10)


def test_what_does_not_fit_is_tried_with_fewer_rows_of_each(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, whole = rows_tried(monkeypatch), Stepper._gradients

    def too_much(self: Stepper, step: int) -> AskedStep:
        asked = whole(self, step)
        if self.micro_rows > 1:
            raise torch.OutOfMemoryError
        return asked

    monkeypatch.setattr(Stepper, "_gradients", too_much)
    specs = four(blt_spec(text))[:2]
    ends = together(specs, text, tmp_path)
    assert tried[:4] == [4, 2, 1, 1]
    monkeypatch.undo()
    assert all(isinstance(end, RunRecord) for end in ends.values())
    for spec in specs:
        run(spec, text, tmp_path / "alone" / spec.run_id)
        close(tmp_path / spec.run_id, tmp_path / "alone" / spec.run_id, 2e-5)


def test_what_is_wrong_with_one_is_told_of_that_one(text: Path, tmp_path: Path) -> None:
    specs = four(blt_spec(text))[:3]
    (tmp_path / specs[1].run_id / METRICS).mkdir(parents=True)
    ends = together(specs, text, tmp_path)
    assert isinstance(ends[specs[1].run_id], InputError)
    same([specs[0], specs[2]], text, tmp_path, 2e-5)


def test_time_is_shared(text: Path, tmp_path: Path) -> None:
    begin = time.perf_counter()
    ends = together(four(blt_spec(text)), text, tmp_path)
    spent = time.perf_counter() - begin
    seconds = [end.seconds for end in ends.values() if isinstance(end, RunRecord)]
    assert len(seconds) == 4 and min(seconds) > 0 and sum(seconds) < spent


@pytest.mark.usefixtures("exact")
def test_compiled_they_are_one_graph_for_each_shape(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(compiled, "BACKEND", backend)
    spec, shards = kind_of(text, "entropy")
    together([spec, replace(spec, seed=1)], shards, tmp_path, replace(CPU, compile=True))
    assert 1 <= len(graphs) <= 8
    for one in (spec, replace(spec, seed=1)):
        run(one, shards, tmp_path / "alone" / one.run_id)
        close(tmp_path / one.run_id, tmp_path / "alone" / one.run_id, 1e-10)
