"""Muon: its steps beside torch's own, what it takes for a matrix, and runs that it trains."""

import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from scaling.config.toml_file import example
from scaling.data.shards import open_shards
from scaling.model.weights import build_model, read_tensors
from scaling.train.checkpoint import CHECKPOINT
from scaling.train.memory import matrix_parameters, state_bytes
from scaling.train.optimiser import Muon, optimiser_of, orthogonal, set_learning_rate
from scaling.train.progress import RunReport, StopRequest
from scaling.train.run import train
from tests.scaling.train.runs import (
    CPU,
    blt_spec,
    byte_tokens,
    close,
    remains,
    run,
    small_shards,
    subword_spec,
)
from tests.scaling.train.truth import trained

NOWHERE = Path("0" * 16)
SPECS = {
    "blt": blt_spec(NOWHERE, optimiser="muon", learning_rate=0.02),
    "subword": subword_spec(NOWHERE, optimiser="muon", learning_rate=0.02),
}
# What a matrix that is several holds, one below the other.
STACKS = {"qkv": 3, "key_value": 2}


@given(
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
    seed=st.integers(0, 1000),
)
def test_singular_values_become_one(sizes: tuple[int, int, int], scale: float, seed: int) -> None:
    drawn = torch.randn(*sizes, generator=torch.Generator().manual_seed(seed)).double()
    made = orthogonal(drawn * scale)
    u, values, v = torch.linalg.svd(drawn, full_matrices=False)
    along = u.mT @ made @ v.mT
    became = along.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(along, torch.diag_embed(became), rtol=0, atol=1e-6)
    large = values > 0.01 * torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    assert ((became[large] > 0.68) & (became[large] < 1.14)).all()


def test_no_gradient_is_no_step() -> None:
    assert torch.equal(orthogonal(torch.zeros(2, 3, 2)), torch.zeros(2, 3, 2))


def matrices_of(model: nn.Module) -> dict[str, list[Tensor]]:
    """Return views of the matrices that Muon is to move, by the name of their parameter."""
    found = {}
    for name, weight in model.named_parameters():
        last = name.rpartition(".")[2]
        if last in ("gain", "embedding", "bos", "head"):
            continue
        if last == "into":  # gates of all units, then values of those that have any
            width = weight.shape[1]
            plain = -8 * width % 3
            gated = (8 * width - 2 * plain) // 3
            found[name] = list(weight.split([gated + plain, gated]))
        else:
            found[name] = list(weight.chunk(STACKS.get(last, 1)))
    return found


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch before 2.9 has no Muon")
@pytest.mark.parametrize("family", SPECS)
def test_steps_are_those_of_torch(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "bfloat16", Tensor.clone)  # so that rounding is that of float32
    ours, theirs = (build_model(SPECS[family]) for _ in range(2))
    optimizer = optimiser_of(ours, SPECS[family].training)
    alone = {
        name: [part.detach().clone().requires_grad_() for part in parts]
        for name, parts in matrices_of(theirs).items()
    }
    parts = [part for found in alone.values() for part in found]
    muon = torch.optim.Muon(parts, lr=0.01, weight_decay=0.1, momentum=0.95)
    others = {n: p for n, p in theirs.named_parameters() if n not in alone}
    generator = torch.Generator().manual_seed(1)
    for step in range(3):
        rate = 0.02 / (1 + step)
        for name, weight in ours.named_parameters():
            weight.grad = torch.randn(weight.shape, generator=generator)
            if name in alone:
                rows = [len(part) for part in alone[name]]
                for part, of_part in zip(alone[name], weight.grad.split(rows), strict=True):
                    part.grad = of_part.clone()
        set_learning_rate(optimizer, rate)
        muon.param_groups[0]["lr"] = rate / 2
        optimizer.step()
        muon.step()
    for name, weight in ours.named_parameters():
        if name in others:
            continue
        torch.testing.assert_close(weight, torch.cat(alone[name]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", SPECS)
def test_what_muon_does_not_move_adamw_moves(family: str) -> None:
    spec = SPECS[family]
    ours, theirs = (build_model(spec) for _ in range(2))
    optimizer = optimiser_of(ours, spec.training)
    assert isinstance(optimizer, Muon)
    names = {name for name, _ in ours.named_parameters()} - matrices_of(ours).keys()
    rest = [p for n, p in theirs.named_parameters() if n in names and not n.endswith("head")]
    decayed = [p for n, p in theirs.named_parameters() if n.endswith("head")]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=0.02, betas=(0.9, 0.95), fused=True)
    for _ in range(2):
        for weight, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(3))
            other.grad = weight.grad.clone()
        set_learning_rate(optimizer, 0.02)
        optimizer.step()
        adamw.step()
    others = dict(theirs.named_parameters())
    assert names and all(
        torch.equal(weight, others[name])
        for name, weight in ours.named_parameters()
        if name in names
    )
    optimizer.zero_grad()
    assert all(weight.grad is None for weight in ours.parameters())


@pytest.mark.parametrize("family", SPECS)
def test_memory_is_that_of_one_moment(family: str) -> None:
    spec = SPECS[family]
    model = build_model(spec)
    sizes = {name: weight.numel() for name, weight in model.named_parameters()}
    matrices = sum(sizes[name] for name in matrices_of(model))
    assert matrix_parameters(spec) == matrices
    assert state_bytes(spec) == 16 * sum(sizes.values()) - 4 * matrices


@pytest.mark.parametrize("family", SPECS)
def test_stopped_and_run_again_it_ends_with_the_same_bits(tmp_path: Path, family: str) -> None:
    text = small_shards(tmp_path / "shards")
    shards = text if family == "blt" else byte_tokens(text, tmp_path / "shards")
    make = blt_spec if family == "blt" else subword_spec
    spec = make(shards, 8, optimiser="muon", learning_rate=0.02)
    run(spec, shards, tmp_path / "whole")
    for step in (3, 6):
        stop = StopRequest()

        def watch(report: RunReport, stop: StopRequest = stop, step: int = step) -> None:
            if report.step == step:
                stop.signal = signal.SIGTERM

        train(spec, open_shards(shards), tmp_path / "run", CPU, watch, stop=stop)
        kept = {name.partition(".")[0] for name in read_tensors(tmp_path / "run" / CHECKPOINT)[0]}
        assert kept == {"model", "mean", "square", "momentum", "random"}
    run(spec, shards, tmp_path / "run")
    assert remains(tmp_path / "run") == remains(tmp_path / "whole")


def test_parts_of_a_batch_add_up(tmp_path: Path) -> None:
    shards = small_shards(tmp_path / "shards")
    spec = blt_spec(shards, 5, optimiser="muon", learning_rate=1e-3)
    run(spec, shards, tmp_path / "whole")
    run(spec, shards, tmp_path / "parts", replace(CPU, micro_rows=1))
    close(tmp_path / "whole", tmp_path / "parts", 1e-4)


@pytest.mark.slow
def test_it_ends_below_adamw_on_real_text(tmp_path: Path) -> None:
    first = example("first").read_text("utf-8")
    mean = {}
    for optimiser in ("adamw", "muon"):
        bits = []
        for seed in (0, 1):
            settings = f'[training]\noptimiser = "{optimiser}"\nseed = {seed}'
            folder = tmp_path / f"{optimiser}-{seed}"
            folder.mkdir()
            record, _ = trained(folder, first.replace("[training]", settings))
            bits.append(record.bits_per_byte or math.inf)
        mean[optimiser] = sum(bits) / 2
    # 2.641 and 2.697 when this was written.
    assert mean["muon"] < mean["adamw"] - 0.03


def test_adamw_is_torchs_own_to_the_bit() -> None:
    spec = SPECS["blt"]
    training = replace(spec.training, optimiser="adamw")
    ours, theirs = (build_model(spec) for _ in range(2))
    optimizer = optimiser_of(ours, training)
    matched = dict(zip(ours.parameters(), theirs.parameters(), strict=True))
    groups = [
        {**group, "params": [matched[p] for p in group["params"]]}
        for group in optimizer.param_groups
    ]
    adamw = torch.optim.AdamW(groups, betas=(training.beta1, training.beta2), fused=True)
    for step in range(3):
        for number, (weight, other) in enumerate(matched.items()):
            if number == step:  # stays as it is
                weight.grad = other.grad = None
                continue
            weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(step))
            other.grad = weight.grad.clone()
        optimizer.step()
        adamw.step()
    assert all(torch.equal(weight, other) for weight, other in matched.items())


LOADS_NO_TRACER = """
import sys
from pathlib import Path
from tests.scaling.train.runs import blt_spec, run, small_shards
folder = Path(sys.argv[1])
shards = small_shards(folder)
for optimiser in ("adamw", "muon"):
    run(blt_spec(shards, optimiser=optimiser), shards, folder / optimiser)
sys.exit("torch._dynamo" in sys.modules)
"""


def test_a_run_that_is_not_compiled_loads_no_tracer(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOADS_NO_TRACER, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 0
