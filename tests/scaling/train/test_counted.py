"""What a GPU's step moves and launches, beside the code that torch compiled for one."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.errors import InputError
from scaling.flops import GPUS
from scaling.spec import Model, RunSpec
from scaling.train.counted import ALL, counted_seconds, counted_step, without_each
from tests.scaling.train.runs import blt_spec

NOWHERE = Path("0" * 16)


def spec(layers: int = 2, dim: int = 96, rate: float = 4.0, optimiser: str = "adamw") -> RunSpec:
    """Return a run of 16 rows of 4,096 bytes, with local modules of 128 channels."""
    run = blt_spec(NOWHERE, 1000, rate, optimiser=optimiser, batch_bytes=16 * 4096)
    model = replace(run.model, layers=layers, dim=dim, local_dim=128, cross_factor=2)
    return replace(run, model=model, context_bytes=4096, window_bytes=256)


def test_what_shortcuts_take_is_what_compiled_code_moves_less() -> None:
    # Kernels of (2, 96) at T = 4, without products and attention: 5.80 GB, 4.96 with FlexAttention,
    # 4.87 with a bfloat16 stream, 4.03 with both; of (4, 96) 6.20 (LOG.md, 2026-11-30).
    def moved(run: RunSpec, *shortcuts: str) -> float:
        return counted_step(run, shortcuts).bytes  # type: ignore[arg-type]

    stream = moved(spec()) - moved(spec(), "stream")
    assert stream == pytest.approx(5.80e9 - 4.87e9, rel=0.03)
    own = 12 * 2 * 16 * 4096 * 128  # of attention itself: keys and values once more
    assert moved(spec()) - moved(spec(), "flex") == pytest.approx(5.80e9 - 4.96e9 + own, rel=0.03)
    layer = moved(spec(4), *ALL) - moved(spec(2), *ALL)
    beside = 2 * (96 + 24) * 16 * 1024 * 96 + 40 * 24 * 96**2  # products, attention, parameters
    assert layer == pytest.approx(6.203e9 - 5.798e9 + beside, rel=0.03)


def test_kernels_are_those_of_compiled_code() -> None:
    # 148 of torch's own compiler, 78 products, 4 of attention; 160, 78 and 8 without shortcuts.
    adamw = 16
    assert counted_step(spec()).kernels == pytest.approx(148 + 78 + 4 + adamw, abs=3)
    assert counted_step(spec(), ()).kernels == pytest.approx(160 + 78 + 8 + adamw, abs=8)
    assert counted_step(spec(4), ()).kernels - counted_step(spec(), ()).kernels == 72


@given(
    size=st.sampled_from([(1, 48), (2, 96), (6, 384)]),
    rate=st.sampled_from([1.0, 4.0, 8.0]),
    optimiser=st.sampled_from(["adamw", "muon"]),
    gpu=st.sampled_from(sorted(GPUS)),
    family=st.sampled_from(["blt", "subword"]),
)
def test_no_shortcut_makes_a_run_longer(
    size: tuple[int, int], rate: float, optimiser: str, gpu: str, family: str
) -> None:
    run = spec(*size, rate, optimiser)
    if family == "subword":
        model = Model(family="subword", layers=size[0], dim=size[1])
        run = replace(run, model=model, patching=None, compression_rate=1.0)
    found = {name: counted_seconds(run, gpu, taken) for name, taken in without_each().items()}
    assert found.pop("all shortcuts") <= min(found.values())
    assert found.pop("no shortcuts") >= max(found.values())
    flops = counted_step(run).flops * run.training.steps
    assert counted_seconds(run, gpu) > flops / GPUS[gpu].peak_flops


def test_a_step_of_many_kernels_is_worth_recording() -> None:
    muon = spec(optimiser="muon")
    without = without_each()["without graphs"]
    assert counted_seconds(muon, "h200") < counted_seconds(muon, "h200", without)


def test_a_gpu_that_is_not_listed() -> None:
    assert counted_seconds(spec(), "H200") == counted_seconds(spec(), "h200")
    with pytest.raises(InputError, match=r"`count` h20: unknown.*h200"):
        counted_seconds(spec(), "h20")
