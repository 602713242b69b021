"""`just gpu-check` on a CPU, with models of a few thousand parameters."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import gpu_check
from bench.gpu_box import SMALL as SMALL_SIZES
from bench.gpu_box import Box
from bench.gpu_check import CHECKS, Check
from tests.cli import command
from tests.scaling.config.test_sweep_file import BLT, TRAINING
from tests.scaling.sweep.test_plan import SMALL

HERE = ["--device", "cpu", "--small"]


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaling.train.compiled.BACKEND", "eager")


def called(out: Path, *words: str) -> int:
    return gpu_check.main(["--out", str(out), *HERE, *words])


def read(out: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / f"{name}.json").read_text("utf-8"))
    return found


def test_each_check_is_kept_as_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def broken(box: Box) -> dict[str, Any]:
        calls.append("broken")
        raise RuntimeError("planted: no such kernel")

    def wrong(box: Box) -> dict[str, Any]:
        return {"ok": False, "seen": len(calls)}

    monkeypatch.setitem(CHECKS, "equality", Check(broken, 1))
    monkeypatch.setitem(CHECKS, "memory", Check(wrong, 1))
    names = "equality", "attention", "memory", "utilisation"
    words = [word for name in names for word in ("--only", name)]
    assert called(tmp_path, *words) == 1
    told = capsys.readouterr().out
    assert "equality: failed" in told and "planted: no such kernel" in told
    assert "attention: passed" in told and "memory: failed" in told
    assert read(tmp_path, "attention")["ok"] and not read(tmp_path, "memory")["ok"]
    shares = read(tmp_path, "utilisation")
    assert shares["tiny, ours"]["of_peak"] > 0 and shares["tiny, plain GPT"]["of_peak"] > 0
    before = (tmp_path / "attention.json").stat().st_mtime_ns
    assert called(tmp_path, *words) == 1
    assert (tmp_path / "attention.json").stat().st_mtime_ns == before
    assert calls == ["broken", "broken"]  # what failed is tried again


def test_a_check_that_time_would_not_hold_is_not_begun(tmp_path: Path) -> None:
    box = Box(torch.device("cpu"), SMALL_SIZES, False, tmp_path, None, 0.0)
    assert gpu_check.checked(box, "attention", CHECKS["attention"]) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", ["--device cuda:99", "--sweep nowhere --device cpu"])
def test_what_is_not_there_is_one_line_before_anything_is_spent(
    tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gpu_check.main(["--out", str(tmp_path / "out"), *words.split()]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and words.split()[1] in told
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_whole_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    file = tmp_path / "sweep.toml"
    file.write_text(SMALL + BLT.replace("[2, 4.0, 8]", "[4]") + TRAINING)
    how = "--prepare-only --no-calibration --device cpu"
    done = command(f"scaling sweep {file} {how} --out {folder}")
    assert done.exit_code == 0, done.stderr
    assert called(tmp_path / "out", "--sweep", str(folder), "--minutes", "20") == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert summary == dict.fromkeys(CHECKS, "passed")
    graphs = read(tmp_path / "out", "compilation")
    assert graphs["even, (1, 16)"]["graphs"] == 1 and graphs["even, (1, 16)"]["recorded"] == 1
    assert len(read(tmp_path / "out", "memory")["processes"]) == 4
    assert read(tmp_path / "out", "sweep")["ended"]
