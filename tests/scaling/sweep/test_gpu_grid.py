"""The grid of `gpu.toml` is what it says of itself, on 48 MB of text."""

import math
from collections import defaultdict
from pathlib import Path

import pytest

from scaling.config.sweep_file import read_sweep_file
from scaling.config.toml_file import example
from scaling.prepare import PreparedText
from scaling.sweep.cells import cells_of
from scaling.sweep.plan import isoflops
from scaling.sweep.price import FEWEST_STEPS, MOST_EPOCHS, PlannedRun, counted, planned

UNIQUE = 45_600_000  # bytes of 48 MB that are left to train on: whole novels are held out
CPU_BEST = 669  # bytes per parameter at 3e12 FLOPs (scaling/experiments/README.md)


@pytest.fixture(scope="module")
def runs() -> list[PlannedRun]:
    file, path = read_sweep_file("gpu"), example("gpu")
    cells = cells_of(file, path)
    texts = {}
    for cell in cells:
        assert cell.tokenization.patching is not None
        patching = cell.tokenization.patching.build()
        assert patching.compression_rate is not None
        texts[cell.tokenization] = PreparedText(
            shards=Path("0" * 16),
            unique_bytes=UNIQUE,
            compression_rate=patching.compression_rate,
            patching=patching,
        )
    return planned(cells, texts)


def test_no_run_is_too_short_or_repeats_its_text(runs: list[PlannedRun]) -> None:
    assert len(runs) == 132
    assert [run.marks for run in runs if run.marks] == []
    assert min(run.spec.training.steps for run in runs) >= FEWEST_STEPS
    assert max(run.epochs for run in runs) <= MOST_EPOCHS
    assert {run.spec.training.optimiser for run in runs} == {"muon"}


def test_minima_may_be_inside(runs: list[PlannedRun]) -> None:
    groups = list(isoflops(runs))
    assert len(groups) == 12  # four rates at three budgets
    for group in groups:
        ratios = [run.spec.bytes_per_param for run in group.runs]
        # Well below and above where Law I expects them; and where our CPU grid has them.
        assert 2.5 * min(ratios) < group.expected < max(ratios) / 4
        assert min(ratios) < CPU_BEST < max(ratios)
        assert len(set(ratios)) >= 5
        # Where a parabola is to be seen, the global module must weigh something.
        shares = [run.latent_share for run in group.runs]
        assert min(shares) < 0.2 and max(shares) > 0.4


def test_each_cell_has_seeds_and_each_curve_a_trunk(runs: list[PlannedRun]) -> None:
    seeds = defaultdict(set)
    for run in runs:
        model = run.spec.model
        seeds[run.spec.compression_rate, run.spec.compute_flops, model.layers, model.dim].add(
            run.spec.seed
        )
    assert set(map(len, seeds.values())) == {2}
    assert sum(not run.trunk for run in runs) == len(runs) / 3
    # Shared steps save a third of the FLOPs, and the whole takes less than half of ten minutes.
    own = math.fsum(run.own_bytes * run.flops_per_byte for run in runs)
    assert own < 0.67 * math.fsum(run.compute_flops for run in runs)
    assert counted(runs, "h200")["all shortcuts"] < 300
