"""What does not fit is refused in one line before it is made; what fits is not made smaller."""

import math
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from corpora.errors import InputError
from corpora.files import write_text
from scaling.data.shards import open_shards
from scaling.model.weights import build_model
from scaling.spec import Patching, RunSpec
from scaling.train import memory
from scaling.train import memory as available
from scaling.train.device import World
from scaling.train.machine import MachineSettings
from scaling.train.memory import (
    available_bytes,
    built_parameters,
    rows_that_fit,
    state_bytes,
    step_bytes,
)
from scaling.train.progress import StopRequest
from scaling.train.run import train
from tests.scaling.train.runs import (
    CPU,
    SOURCE,
    blt_spec,
    ended,
    metrics,
    python,
    rows_tried,
    run,
    small_shards,
    subword_spec,
)

DEVICE = torch.device("cpu")
NOWHERE = Path("0123456789abcdef")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


def shaped(spec: RunSpec, **sizes: object) -> RunSpec:
    return replace(spec, model=replace(spec.model, **sizes))  # type: ignore[arg-type]


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("dim", [16, 42])
@pytest.mark.parametrize(
    "sizes",
    [
        {"local_layers": 1, "local_dim": 16, "cross_factor": 1},
        {"local_layers": 2, "local_dim": 24, "cross_factor": 3},
        {"tied_head": False, "vocabulary_size": 300},
        {"tied_head": True, "vocabulary_size": 300},
    ],
    ids=["blt", "blt, deep", "subword", "subword, tied"],
)
def test_parameters_are_counted_as_they_are_built(
    layers: int, dim: int, sizes: dict[str, object]
) -> None:
    base = blt_spec(NOWHERE) if "local_dim" in sizes else subword_spec(NOWHERE)
    spec = shaped(base, layers=layers, dim=dim, **sizes)
    built = sum(parameter.numel() for parameter in build_model(spec).parameters())
    assert built_parameters(spec) == built
    assert state_bytes(spec) == 16 * built


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_step_takes_more_of_whatever_is_larger(by_hand: bool) -> None:
    blt = replace(blt_spec(NOWHERE), context_bytes=4096, window_bytes=64)
    entropy = Patching(kind="entropy", compression_rate=4.0)
    larger = [
        (blt, replace(blt, context_bytes=8192)),
        (blt, replace(blt, window_bytes=1024)),
        (blt, replace(blt, patching=entropy)),
        (blt, shaped(blt, dim=64)),
        (blt, shaped(blt, local_dim=64)),
        (blt, replace(blt, compression_rate=1.0)),
        (subword_spec(NOWHERE), shaped(subword_spec(NOWHERE), layers=2)),
        (subword_spec(NOWHERE), shaped(subword_spec(NOWHERE), vocabulary_size=128_000)),
    ]
    for less, more in larger:
        assert step_bytes(less, 4, by_hand) < step_bytes(more, 4, by_hand), more
    assert step_bytes(blt, 4, by_hand) < step_bytes(blt, 5, by_hand)


def with_only(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda device: free)


def test_all_rows_at_once_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = blt_spec(NOWHERE)
    state = state_bytes(spec)
    with_only(monkeypatch, (state + step_bytes(spec, 4)) / 0.7 + 1)
    assert rows_that_fit(spec, CPU, DEVICE, World()) == 4
    # Three fit into the seventy per cent exactly, then two.
    for rows in (3, 2, 1):
        with_only(monkeypatch, (state + step_bytes(spec, rows)) / 0.7 + 1)
        assert rows_that_fit(spec, CPU, DEVICE, World()) == rows
        assert rows_that_fit(spec, replace(CPU, micro_rows=4), DEVICE, World()) == 4


def test_less_than_seventy_per_cent_for_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = blt_spec(NOWHERE)
    one = state_bytes(spec) + step_bytes(spec, 1)
    with_only(monkeypatch, one + 1)
    assert rows_that_fit(spec, CPU, DEVICE, World()) == 1
    with_only(monkeypatch, one - 1)
    with pytest.raises(
        InputError, match=r"one window of 64 units takes some [\d.]+ [KM]B"
    ) as caught:
        rows_that_fit(spec, CPU, DEVICE, World())
    assert "`micro_rows=1`" in str(caught.value)
    assert rows_that_fit(spec, replace(CPU, micro_rows=1), DEVICE, World()) == 1


def test_processes_share_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = blt_spec(NOWHERE)
    with_only(monkeypatch, (state_bytes(spec) + step_bytes(spec, 2)) / 0.7 + 1)
    assert rows_that_fit(spec, CPU, DEVICE, World(size=2)) == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(InputError, match="takes some"):
        rows_that_fit(spec, CPU, DEVICE, World(size=2))


def test_workers_of_one_device_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = blt_spec(NOWHERE)
    with_only(monkeypatch, 3 * (state_bytes(spec) + step_bytes(spec, 2)) / 0.7 + 3)
    assert rows_that_fit(spec, replace(CPU, processes=3), DEVICE, World()) == 2
    assert rows_that_fit(spec, CPU, DEVICE, World()) == 4
    with_only(monkeypatch, 2 * state_bytes(spec) - 1)
    with pytest.raises(InputError, match="cuda has"):
        rows_that_fit(spec, MachineSettings(processes=2), torch.device("cuda"), World())


def test_a_gpu_tells_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, gpu = blt_spec(NOWHERE), torch.device("cuda")
    with_only(monkeypatch, state_bytes(spec))
    assert rows_that_fit(spec, MachineSettings(), gpu, World()) == 4
    with_only(monkeypatch, state_bytes(spec) - 1)
    with pytest.raises(InputError, match="cuda has"):
        rows_that_fit(spec, MachineSettings(), gpu, World())


def test_a_run_in_less_memory_reads_the_same(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = blt_spec(text, 3)
    run(spec, text, tmp_path / "two", replace(CPU, micro_rows=2))
    with_only(monkeypatch, (state_bytes(spec) + step_bytes(spec, 2)) / 0.7 + 1)
    run(spec, text, tmp_path / "short")
    assert metrics(tmp_path / "two") == metrics(tmp_path / "short")


@pytest.mark.parametrize(
    ("before", "asked", "fit", "goes_on"),
    [
        (2, None, 4, 2),  # as before, for the same bits
        (2, 4, 4, 2),  # once four were too many
        (4, 1, 4, 1),
        (4, None, 2, 2),  # on another machine, or beside other programs
    ],
)
def test_a_run_that_goes_on_computes_as_many_rows_as_before_or_fewer(
    text: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    asked: int | None,
    fit: int,
    goes_on: int,
) -> None:
    spec, stop = blt_spec(text, 3), StopRequest()
    stop.signal = signal.SIGTERM
    assert run(spec, text, tmp_path, replace(CPU, micro_rows=before), stop).steps == 1
    with_only(monkeypatch, (state_bytes(spec) + step_bytes(spec, fit)) / 0.7 + 1)
    tried = rows_tried(monkeypatch)
    assert run(spec, text, tmp_path, replace(CPU, micro_rows=asked)).status == "finished"
    assert tried == [goes_on, goes_on]


def test_nothing_is_built_of_what_is_too_large(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(spec: RunSpec) -> None:
        raise AssertionError("it was built")

    monkeypatch.setattr("scaling.train.run.build_model", build)
    spec = shaped(blt_spec(text), layers=1000, dim=1 << 16)
    with pytest.raises(InputError, match=r"51,\d{3},\d{3},\d{3},\d{3} parameters takes 825 TB"):
        train(spec, open_shards(text), tmp_path, CPU)


def test_too_large_a_model_is_one_line(tmp_path: Path) -> None:
    lines = tmp_path / "short.txt"
    write_text(lines, "\n".join(SOURCE.texts(1000)))
    words = ("train-entropy-model", str(lines), "--dim", "60000", "--layers", "100")
    more = ("--device", "cpu", "--out", str(tmp_path / "out"))
    done = ended(python("-m", "tokenize_lab", "scaling", *words, *more))
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert re.search(r"4,320,\d{3},\d{3},\d{3} parameters takes 51.8 TB to train", line), line
    assert "available; make it smaller" in line and "Traceback" not in done.stderr


def test_too_long_a_window_is_one_line(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(subword_spec(text), context_bytes=1 << 13)
    spec = replace(spec, training=replace(spec.training, batch_bytes=1 << 13))
    with_only(monkeypatch, 3e8)
    with pytest.raises(InputError, match="one window of 8,192 units takes some"):
        run(spec, text, tmp_path)


def group(folder: Path, most: str, used: int, files: int, version: int) -> None:
    """Write what a control group says of its memory."""
    names = (
        ("memory.max", "memory.current")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    stat = f"anon 5\ninactive_file {files}\n"
    if version == 1:
        stat = f"inactive_file 0\ntotal_inactive_file {files}\n"
    for name, content in zip((*names, "memory.stat"), (most, str(used), stat), strict=True):
        write_text(folder / name, content)


@pytest.mark.parametrize("version", [1, 2])
def test_limits_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    line = "0::/job/step" if version == 2 else "4:cpu,memory:/job/step"
    top = tmp_path if version == 2 else tmp_path / "memory"
    read = Path.read_text

    def answered(self: Path, *arguments: str) -> str:
        return line if self == Path("/proc/self/cgroup") else read(self, *arguments)

    monkeypatch.setattr(Path, "read_text", answered)
    monkeypatch.setattr(available, "_GROUPS", tmp_path)
    monkeypatch.setattr(available, "_of_the_machine", lambda: 1e9)
    assert available_bytes(DEVICE) == 1e9
    group(top / "job" / "step", "5000000", 2000000, 500000, version)
    assert available_bytes(DEVICE) == 3.5e6
    group(top / "job", "4000000", 3000000, 0, version)
    assert available_bytes(DEVICE) == 1e6
    group(top / "job", "max" if version == 2 else str((1 << 63) - 4096), 3000000, 0, version)
    assert available_bytes(DEVICE) == 3.5e6
    group(top, "1000", 3000, 0, version)  # more than it may
    assert available_bytes(DEVICE) == 0


def test_memory_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1e6 < available_bytes(DEVICE) < 1e15
    # Where /proc is missing, all there is.
    monkeypatch.setattr(Path, "read_text", Path("/proc/no such file").read_text)
    assert 1e6 < available_bytes(DEVICE) <= math.inf
