"""A GPU's shortcuts take the steps that are taken without them: to the bit, or to rounding."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scaling.data.order import Windows, windows_of
from scaling.data.shards import open_shards
from scaling.model.fused import norm
from scaling.model.weights import build_model
from scaling.spec import RunSpec
from scaling.train.ahead import each_tensor, part_of, tensors_of
from scaling.train.device import World
from scaling.train.machine import MachineSettings
from scaling.train.optimiser import optimiser_of
from scaling.train.progress import StopRequest
from scaling.train.recorded import WARM_UP, RecordedSteps
from scaling.train.resident import ResidentText, text_fits
from scaling.train.step import Stepper, stepper_of
from tests.scaling.train.runs import (
    CPU,
    SOURCE,
    blt_spec,
    byte_tokens,
    close,
    metrics,
    remains,
    run,
    small_shards,
    subword_spec,
    text_shards,
)

LATE = replace(CPU, read_every=5)
HERE = torch.device("cpu")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="module")
def long_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One long document, and a few short ones at its end: most windows hold no end of one."""
    texts = ["the cat sat on a mat, and on " * 300, *SOURCE.texts(6)]
    return text_shards(tmp_path_factory.mktemp("long"), texts, 600)


@contextmanager
def watched(steps: list[RecordedSteps], parts: list[bool]) -> Iterator[None]:
    """Note what records steps, and of every batch part whether it was cut on the device."""
    made, cut = RecordedSteps.__init__, ResidentText.part
    with pytest.MonkeyPatch.context() as patched:

        def init(self: RecordedSteps, *arguments: Any) -> None:
            made(self, *arguments)
            steps.append(self)

        def part(self: ResidentText, *arguments: Any) -> Any:
            found = cut(self, *arguments)
            parts.append(found is not None)
            return found

        patched.setattr(RecordedSteps, "__init__", init)
        patched.setattr(ResidentText, "part", part)
        yield


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
@pytest.mark.parametrize("micro_rows", [4, 2])
def test_steps_that_are_replayed_are_those_that_are_taken(
    text: Path, tmp_path: Path, optimiser: str, micro_rows: int
) -> None:
    spec = blt_spec(text, 15, optimiser=optimiser, learning_rate=1e-3)
    late = replace(LATE, micro_rows=micro_rows)
    run(spec, text, tmp_path / "taken", late)
    steps: list[RecordedSteps] = []
    with watched(steps, []):
        run(spec, text, tmp_path / "replayed", replace(late, shortcuts=("graphs",)))
    assert steps[0].recorded
    # Rates are float32 where they are kept on the device.
    close(tmp_path / "replayed", tmp_path / "taken", 1e-5)


def test_a_replayed_run_goes_on_after_a_stop_with_the_same_bits(text: Path, tmp_path: Path) -> None:
    spec = blt_spec(text, 20, optimiser="muon")
    machine, stop = replace(LATE, shortcuts=("graphs", "text")), StopRequest()
    run(spec, text, tmp_path / "whole", machine)
    whole = Stepper.ask

    def ask(self: Stepper, step: int, **how: Any) -> Any:
        if step == 12:
            stop.signal = signal.SIGTERM
        return whole(self, step, **how)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Stepper, "ask", ask)
        assert run(spec, text, tmp_path / "run", machine, stop).status == "interrupted"
    run(spec, text, tmp_path / "run", machine)
    assert remains(tmp_path / "run") == remains(tmp_path / "whole")


def test_a_shape_is_recorded_once_it_has_come_a_few_times() -> None:
    calls: list[float] = []

    def take(parts: list[Any]) -> torch.Tensor:
        calls.append(float(parts[0].targets.sum()))
        total: torch.Tensor = parts[0].targets.sum()
        return total.reshape(1)

    steps = RecordedSteps(take, HERE)
    for call in range(WARM_UP + 3):
        for width in (2, 3):
            part = _part(torch.full((1, width), call))
            assert float(steps([part])) == call * width
        assert steps.recorded == (2 if call >= WARM_UP else 0)
    assert len(calls) == 2 * (WARM_UP + 3)


def _part(targets: torch.Tensor) -> Any:
    from scaling.model.cross_attention import Tokens
    from scaling.train.ahead import BatchPart

    return BatchPart(Tokens(targets, None), targets, None, targets.numel(), 1, 1)


def test_memory_that_runs_out_while_recording_makes_parts_smaller(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, whole = blt_spec(text, 12), Stepper._of_parts

    def scarce(self: Stepper, parts: Any) -> torch.Tensor:
        parts = list(parts)
        if len(parts[0][0].targets) > 2:
            raise torch.OutOfMemoryError("planted: out of memory")
        return whole(self, parts)

    monkeypatch.setattr(Stepper, "_of_parts", scarce)
    record = run(spec, text, tmp_path / "run", replace(LATE, shortcuts=("graphs",)))
    assert record.status == "finished"
    monkeypatch.undo()
    run(spec, text, tmp_path / "other", replace(LATE, micro_rows=2))
    close(tmp_path / "run", tmp_path / "other", 1e-5)


@pytest.mark.parametrize("family", ["blt", "subword"])
@pytest.mark.parametrize("rate", [4.0, 3.5])
def test_rows_cut_on_the_device_are_those_laid_out_on_the_host(
    long_text: Path, tmp_path: Path, family: str, rate: float
) -> None:
    blt = blt_spec(long_text, 20, rate)
    spec, shards = blt, long_text
    if family == "subword":
        shards = byte_tokens(long_text, tmp_path / "tokens")
        spec = subword_spec(shards, 20)
    parts: list[bool] = []
    run(spec, shards, tmp_path / "host", LATE)
    with watched([], parts):
        run(spec, shards, tmp_path / "device", replace(LATE, shortcuts=("text",)))
    assert remains(tmp_path / "device") == remains(tmp_path / "host")
    assert 0 < sum(parts) < len(parts)  # where a document ends, the host lays out


def test_patches_that_are_not_even_are_laid_out_on_the_host(long_text: Path) -> None:
    spec = blt_spec(long_text)
    model, windows = build_model(spec), windows_of(spec, open_shards(long_text))
    resident, plain = ResidentText(model, windows, HERE), 0
    for step in range(20):
        part = resident.part((step, 0, 2), 4)
        if part is not None:
            made = part_of(model, windows.batch(step, 4, (0, 2)), None, HERE)
            for mine, other in zip(tensors_of(part), tensors_of(made), strict=True):
                assert torch.equal(mine, other)
            plain = step
    assert plain
    spaced = Windows(windows.stream, windows.window_units, 0, lambda rows: rows.opens)
    assert ResidentText(model, spaced, HERE).part((plain, 0, 2), 4) is None


def test_a_text_that_is_large_beside_the_memory_stays_on_the_host(
    long_text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = windows_of(blt_spec(long_text), open_shards(long_text))
    size = windows.stream.units.nbytes
    monkeypatch.setattr("scaling.train.resident.available_bytes", lambda device: 16.0 * size)
    assert text_fits(windows, HERE, 2) and not text_fits(windows, HERE, 3)


@pytest.mark.parametrize("family", ["blt", "subword"])
def test_a_stream_in_bfloat16_learns_as_one_in_float32(
    long_text: Path, tmp_path: Path, family: str
) -> None:
    spec, shards = blt_spec(long_text, 40), long_text
    if family == "subword":
        shards = byte_tokens(long_text, tmp_path / "tokens")
        spec = subword_spec(shards, 40)
    run(spec, shards, tmp_path / "exact")
    mixed = replace(CPU, precision="bfloat16")
    run(spec, shards, tmp_path / "mixed", mixed)
    run(spec, shards, tmp_path / "stream", replace(mixed, shortcuts=("stream",)))
    losses = [
        np.array([line["nats_per_target"] for line in metrics(tmp_path / name)])
        for name in ("exact", "mixed", "stream")
    ]
    assert not np.array_equal(losses[1], losses[2])
    for found in losses[1:]:
        np.testing.assert_allclose(found, losses[0], rtol=0.02)
        assert abs(found[-10:].mean() / losses[0][-10:].mean() - 1) < 0.005


def test_a_stream_changes_nothing_where_products_are_exact(long_text: Path, tmp_path: Path) -> None:
    spec = blt_spec(long_text, 8)
    run(spec, long_text, tmp_path / "plain")
    run(spec, long_text, tmp_path / "stream", replace(CPU, shortcuts=("stream",)))
    assert remains(tmp_path / "stream") == remains(tmp_path / "plain")


def dtypes(spec: RunSpec, shards: Path, machine: MachineSettings) -> dict[str, set[torch.dtype]]:
    """Return the types of what norms take and give, of losses, and of all weights, in a step."""
    found: dict[str, set[torch.dtype]] = {"norm": set(), "taken": set(), "nats": set()}

    def watched_norm(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        out = norm(x, gain)
        found["taken"].add(x.dtype)
        found["norm"].add(out.dtype)
        return out

    model, windows = build_model(spec), windows_of(spec, open_shards(shards))
    optimizer = optimiser_of(model, spec.training)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("scaling.model.fused.norm", watched_norm)
        stepper = stepper_of(spec, model, optimizer, windows, machine, HERE, World(), 4)
        found["nats"].add(stepper.ask(0).numbers.dtype)
    found["weights"] = {weight.dtype for weight in model.parameters()}
    found["weights"] |= {t.dtype for state in optimizer.state.values() for t in state.values()}
    return found


def test_norms_losses_and_weights_stay_in_float32(long_text: Path) -> None:
    machine = replace(CPU, precision="bfloat16", shortcuts=("stream",))
    found = dtypes(blt_spec(long_text, optimiser="muon"), long_text, machine)
    assert found["taken"] == {torch.bfloat16}
    assert found["norm"] == found["nats"] == found["weights"] == {torch.float32}


def test_named_tuples_of_tensors_are_changed_through_and_through() -> None:
    part = _part(torch.arange(3))
    other = each_tensor(part, lambda x: x + 1)
    assert [t.tolist() for t in tensors_of(other)] == [[1, 2, 3], [1, 2, 3]]
    assert other.scored == 3
