"""A step is the same in one part or in several; memory that runs out makes the parts smaller."""

import json
import math
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from corpora.errors import InputError
from scaling.data.order import Windows
from scaling.data.shards import open_shards
from scaling.data.windows import StaticPatches, evaluation_windows
from scaling.model.weights import WEIGHTS, build_model
from scaling.record import RECORD, write_spec
from scaling.spec import RunSpec
from scaling.train.adamw import AdamW
from scaling.train.device import World
from scaling.train.optimiser import optimiser_of
from scaling.train.step import Stepper, loss_of
from tests.scaling.train.runs import (
    CPU,
    blt_spec,
    byte_tokens,
    close,
    ended,
    metrics,
    python,
    rows_tried,
    run,
    small_shards,
    subword_spec,
)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(tmp_path_factory.mktemp("shards"))


@pytest.mark.parametrize("family", ["blt", "subword"])
@pytest.mark.parametrize("micro_rows", [1, 2, 3])
def test_parts_add_up(text: Path, tmp_path: Path, family: str, micro_rows: int) -> None:
    shards = text if family == "blt" else byte_tokens(text, tmp_path / "shards")
    spec = blt_spec(shards, 1) if family == "blt" else subword_spec(shards, 1)
    stream = open_shards(shards).train
    patches = StaticPatches(4) if family == "blt" else None
    gradients = []
    for rows in (4, micro_rows):
        model = build_model(spec).double()
        optimizer = optimiser_of(model, spec.training)
        windows = Windows(stream, spec.window_units, 0, patches)
        stepper = Stepper(
            model,
            optimizer,
            windows,
            rows=4,
            clip=math.inf,
            device=torch.device("cpu"),
            autocast=None,
            world=World(),
            micro_rows=rows,
        )
        result = stepper.step(0)
        assert (result.targets, result.bytes) == (256, 256)
        assert stepper.micro_rows == rows
        # In float64 parts differ from the whole by rounding alone.
        gradients.append([result.gradient_norm, *(p.grad for p in model.parameters())])
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("micro_rows", [1, 2])
def test_runs_in_parts_agree(text: Path, tmp_path: Path, micro_rows: int) -> None:
    # Steps are small, so that Adam does not blow rounding up where a gradient is near nought.
    spec = blt_spec(text, 5, learning_rate=1e-4)
    run(spec, text, tmp_path / "whole", replace(CPU, micro_rows=4))
    run(spec, text, tmp_path / "parts", replace(CPU, micro_rows=micro_rows))
    close(tmp_path / "whole", tmp_path / "parts", 1e-6)


def test_the_loss_is_the_mean_over_targets_and_padding_is_none(text: Path) -> None:
    spec = blt_spec(text, 1)
    model = build_model(spec).eval()
    stream = open_shards(text).held_out
    device = torch.device("cpu")
    padded = 0
    for one in evaluation_windows(stream, 64, 3, StaticPatches(4)):
        nats, count = loss_of(model, one.batch, device)
        logits = model(model.inputs(one.batch, device)).double()
        own = torch.log_softmax(logits, -1).detach().numpy()
        real = one.batch.segments >= 0
        chosen = np.take_along_axis(own, one.batch.targets[..., None], -1)[..., 0]
        assert count == real.sum()
        assert nats.item() == pytest.approx(-chosen[real].sum(), rel=1e-5)
        padded += int((~real).sum())
    assert padded


def cublas() -> None:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


# An exabyte: it really fails.
ALLOCATORS: dict[str, Callable[[], object]] = {
    "torch": lambda: torch.empty(1 << 60, dtype=torch.uint8),
    "numpy": lambda: np.empty(1 << 60, np.uint8),
    "cublas": cublas,
}


def short_of_memory(most_rows: int, library: str = "torch") -> Callable[[Stepper, int], object]:
    """Return what fails as an allocator does, for more rows than that."""
    whole = Stepper._gradients

    def gradients(self: Stepper, step: int) -> object:
        if self.micro_rows > most_rows:
            ALLOCATORS[library]()
        return whole(self, step)

    return gradients


@pytest.mark.parametrize("library", ALLOCATORS)
def test_memory_that_runs_out_halves_the_parts(
    text: Path, tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = blt_spec(text, 5)
    run(spec, text, tmp_path / "one", replace(CPU, micro_rows=1))
    monkeypatch.setattr(Stepper, "_gradients", short_of_memory(1, library))
    run(spec, text, tmp_path / "halved")
    assert metrics(tmp_path / "one") == metrics(tmp_path / "halved")
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "halved" / WEIGHTS).read_bytes()


def test_one_row_that_does_not_fit(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stepper, "_gradients", short_of_memory(0))
    with pytest.raises(InputError, match="one window of 64 units does not fit into the memory"):
        run(blt_spec(text, 5), text, tmp_path)


@pytest.mark.parametrize("library", ALLOCATORS)
def test_an_optimiser_whose_state_does_not_fit(
    text: Path, tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = rows_tried(monkeypatch)
    monkeypatch.setattr(AdamW, "step", lambda self: ALLOCATORS[library]())
    with pytest.raises(InputError, match="the optimiser's state does not fit into the memory of"):
        run(blt_spec(text, 5), text, tmp_path)
    assert tried == [4]  # smaller parts would not help
    assert not (tmp_path / RECORD).exists()


@pytest.mark.parametrize(("rows", "said"), [(2, "2 windows .*`micro_rows=1`"), (1, "one window")])
def test_of_several_processes_none_tries_again(
    text: Path, monkeypatch: pytest.MonkeyPatch, rows: int, said: str
) -> None:
    spec = blt_spec(text, 1)
    model = build_model(spec)
    stepper = Stepper(
        model,
        optimiser_of(model, spec.training),
        Windows(open_shards(text).train, spec.window_units, 0, StaticPatches(4)),
        rows=4,
        clip=1.0,
        device=torch.device("cpu"),
        autocast=None,
        world=World(),
        micro_rows=rows,
    )
    stepper.world = World(rank=0, size=2)
    monkeypatch.setattr(Stepper, "_gradients", short_of_memory(0))
    with pytest.raises(InputError, match=said):
        stepper.step(0)
    assert stepper.micro_rows == rows


@pytest.mark.parametrize("broken", [(Stepper, "_gradients"), (AdamW, "step")])
def test_other_faults_are_not_taken_for_memory(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: tuple[type, str]
) -> None:
    def fail(*_: object) -> object:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(*broken, fail)
    with pytest.raises(RuntimeError, match="mat1"):
        run(blt_spec(text, 5), text, tmp_path)


# Real limits on memory, in processes of their own.

# A first step of a small run loads what is loaded late; then so much more memory may be had. The
# last line of stderr tells how many rows were tried at once, in order.
LIMITED = """
import json, resource, sys
from pathlib import Path
import scaling.train.__main__ as bare
from scaling.train.step import Stepper
whole, tried = Stepper._gradients, []
def gradients(self, step):
    tried.append(self.micro_rows)
    return whole(self, step)
Stepper._gradients = gradients
megabytes, small, spec, shards, out = sys.argv[1:]
settings = ["--threads", "1", "--device", "cpu"]
assert bare.main([small, shards, "--out", str(Path(small).parent), *settings]) == 0
used = 4096 * int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (used + (int(megabytes) << 20),) * 2)
tried.clear()
code = bare.main([spec, shards, "--out", out, *settings])
sys.stderr.write(json.dumps(tried))
sys.exit(code)
"""


def wide(shards: Path, rows: int, context: int) -> RunSpec:
    """Return a small model that reads much at once; 4,096 bytes take some 60 MB to train on.

    How much may be had under a limit differs by some 20 MB from one process to the next, so the
    limits below stand further than that from what is needed.
    """
    spec = blt_spec(shards, 2, learning_rate=1e-4)
    model = replace(spec.model, dim=64, local_dim=64)
    training = replace(spec.training, batch_bytes=rows * context)
    wider = replace(spec, model=model, training=training)
    return replace(wider, context_bytes=context, window_bytes=64)


def limited(
    wanted: RunSpec, shards: Path, folder: Path, megabytes: int
) -> tuple["subprocess.CompletedProcess[str]", list[int]]:
    """Train with so much memory; return how that ended, and the rows tried."""
    names = []
    for spec in (blt_spec(shards, 1), wanted):
        write_spec(folder / spec.run_id, spec)
        names.append(str(folder / spec.run_id / "spec.json"))
    out = str(folder / "run")
    done = ended(python("-c", LIMITED, str(megabytes), *names, str(shards), out))
    tried: list[int] = json.loads(done.stderr.splitlines()[-1])
    return done, tried


needs_limits = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="how much memory a process has is read in /proc"
)


@needs_limits
def test_a_real_limit_halves_the_parts(text: Path, tmp_path: Path) -> None:
    spec = wide(text, 4, 4096)
    done, tried = limited(spec, text, tmp_path, 140)
    assert done.returncode == 0, done.stderr
    # What was too much once is not tried again: two steps, and one more trial for each halving.
    assert tried == sorted(tried, reverse=True) and tried[0] == 4 > tried[-1]
    assert len(tried) == 2 + math.log2(4 / tried[-1])
    run(spec, text, tmp_path / "parts", replace(CPU, micro_rows=tried[-1]))
    close(tmp_path / "parts", tmp_path / "run", 1e-6)


@needs_limits
def test_a_real_limit_too_low_for_one_row(text: Path, tmp_path: Path) -> None:
    done, tried = limited(wide(text, 1, 8192), text, tmp_path, 70)
    assert done.returncode == 2 and tried == [1]
    *_, line, _ = done.stderr.splitlines()
    assert line.startswith("one window of 8,192 units does not fit into the memory of cpu")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / WEIGHTS).exists()
