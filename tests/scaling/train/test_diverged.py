"""Runs that blow up say so, and leave no weights."""

import json
import math
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import scaling.train.run as running
from corpora.errors import InputError
from scaling.data.shards import open_shards
from scaling.model.weights import WEIGHTS
from scaling.record import RECORD, read_record, write_spec
from scaling.spec import RunSpec
from scaling.train.__main__ import main
from scaling.train.checkpoint import CHECKPOINT
from scaling.train.machine import MachineSettings
from scaling.train.metrics import METRICS, MetricsLog
from scaling.train.progress import RunReport, StopRequest
from scaling.train.run import train
from tests.scaling.train.runs import CPU, blt_spec, byte_tokens, metrics, run, small_shards
from tests.scaling.train.runs import subword_spec as subword


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


def called(spec: RunSpec, shards: Path, folder: Path) -> int:
    write_spec(folder, spec)
    names = [str(folder / "spec.json"), str(shards), "--out", str(folder)]
    return main([*names, "--threads", "1", "--device", "cpu"])


def test_numbers_that_are_not_finite(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = blt_spec(text, 50, learning_rate=1e30, clip=1e6, weight_decay=0.0)
    assert called(spec, text, tmp_path) == 1
    out, _ = capsys.readouterr()
    derived = json.loads(out)
    assert derived["status"] == "diverged" and derived["bits_per_byte"] is None
    record = read_record(tmp_path)
    assert record is not None and record.status == "diverged"
    assert "not finite" in record.reason and f"step {record.steps}" in record.reason
    assert record.steps < 50 and record.validation_nats is None and record.validation_bytes == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [METRICS, RECORD, "spec.json"]
    # The last line tells the step that broke; what is no number is null, not a word JSON lacks.
    last = metrics(tmp_path)[-1]
    assert last["step"] == record.steps
    assert None in last.values()
    # Called again, it is told again at once.
    before = (tmp_path / RECORD).read_bytes()
    assert called(spec, text, tmp_path) == 1
    assert json.loads(capsys.readouterr()[0]) == derived
    assert (tmp_path / RECORD).read_bytes() == before


def test_metrics_that_do_not_fit_are_said_and_no_record_stands_beside_half_of_them(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: MetricsLog) -> None:
        raise InputError("planted: No space left on device")

    spec = blt_spec(text, 50, learning_rate=1e30, clip=1e6, weight_decay=0.0)
    with monkeypatch.context() as patched:
        patched.setattr(MetricsLog, "flush", full)
        with pytest.raises(InputError, match="No space left"):
            run(spec, text, tmp_path)
    assert not (tmp_path / RECORD).exists()
    assert run(spec, text, tmp_path).status == "diverged"


def test_a_loss_above_that_of_guessing(text: Path, tmp_path: Path) -> None:
    shards = byte_tokens(text, tmp_path / "shards")
    spec = subword(shards, 230, learning_rate=3.0, clip=1e6, warmup=0.0, weight_decay=0.0)
    record = run(spec, shards, tmp_path / "run")
    assert record.status == "diverged" and record.steps < 230
    assert "above the 5.545 of guessing" in record.reason
    assert not (tmp_path / "run" / WEIGHTS).exists()
    # It is not the first steps that are held against it.
    assert record.steps > 100
    # Nor the last one alone: a loss may fall by chance where the smoothed one is above guessing.
    smoothed = metrics(tmp_path / "run")[0]["nats_per_target"]
    for line in metrics(tmp_path / "run")[1:]:
        smoothed = 0.98 * smoothed + 0.02 * line["nats_per_target"]
    assert smoothed > math.log(256)
    assert f"the smoothed loss is {smoothed:.3f}" in record.reason


def test_it_diverges_at_the_same_step_however_often_it_was_stopped(
    text: Path, tmp_path: Path
) -> None:
    shards = byte_tokens(text, tmp_path / "shards")
    spec = subword(shards, 230, learning_rate=3.0, clip=1e6, warmup=0.0, weight_decay=0.0)
    whole = run(spec, shards, tmp_path / "whole")
    for at in (60, 180):
        stop = StopRequest()

        def watch(report: RunReport, stop: StopRequest = stop, at: int = at) -> None:
            if report.step == at:
                stop.signal = signal.SIGTERM

        record = train(spec, open_shards(shards), tmp_path / "cut", CPU, watch, stop=stop)
        assert record.status == "interrupted"
    record = run(spec, shards, tmp_path / "cut")
    assert (record.status, record.steps, record.reason) == ("diverged", whole.steps, whole.reason)
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    assert not (tmp_path / "cut" / CHECKPOINT).exists()


def test_a_finished_run_is_not_trained_again(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = blt_spec(text, 3)
    first = run(spec, text, tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def forbidden(*_: object) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(running, "RunUnderWay", forbidden)
    # Neither another machine nor another name makes it another run.
    assert run(spec, text, tmp_path, MachineSettings(device="cpu", micro_rows=1)) == first
    assert run(replace(spec, name="other"), text, tmp_path).spec.run_id == first.spec.run_id
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_another_runs_folder_or_shards_are_refused(text: Path, tmp_path: Path) -> None:
    spec = blt_spec(text, 3)
    run(spec, text, tmp_path)
    with pytest.raises(InputError, match="its own folder"):
        run(blt_spec(text, 4), text, tmp_path)
    with pytest.raises(InputError, match="where the run wants"):
        run(replace(spec, shards="0" * 16), text, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_too_little_text_shows_before_anything_is_made(text: Path, tmp_path: Path) -> None:
    spec = blt_spec(text, 3, batch_bytes=64 * 1000)
    with pytest.raises(InputError, match="too few for a batch"):
        run(spec, text, tmp_path / "run")
    assert not (tmp_path / "run").exists()
