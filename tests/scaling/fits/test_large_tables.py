"""Tables of many rows are fitted in blocks: what that leaves out changes no estimate.

A grid of starts reads part of the rows, replicates go a few at a time, and memory grows with the
table, not with the table times the replicates.
"""

import tracemalloc

import numpy as np
import pytest

from scaling.engine import newton
from scaling.engine.bootstrap import CASES
from scaling.fits.chinchilla import fit_chinchilla
from scaling.laws import chinchilla, power_sum
from scaling.published.tables import BESIROGLU_REFIT
from scaling.runs import Runs
from tests.scaling.fits.planted import runs_of


def large(rows: int) -> Runs:
    """Planted runs, noise of half a percent."""
    random = np.random.default_rng(3)
    params = np.exp(random.uniform(np.log(5e7), np.log(2e10), rows))
    tokens = np.exp(random.uniform(np.log(1e9), np.log(5e11), rows))
    exact = chinchilla.loss(BESIROGLU_REFIT.estimates, params, tokens)
    noisy = exact * np.exp(0.005 * random.standard_normal(rows))
    return runs_of({"params": params, "train_tokens": tokens, "nats_per_token": noisy})


def test_blocks_change_no_estimate_and_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, few = large(700), CASES._replace(draws=20)
    whole = fit_chinchilla(runs, bootstrap=few)
    monkeypatch.setattr(newton, "ROWS_AT_ONCE", 1500)
    monkeypatch.setattr(power_sum, "MOST_SEARCHED", 100)
    blocks = fit_chinchilla(runs, bootstrap=few)
    assert blocks.status == whole.status == "converged"
    for name, value in whole.estimates.items():
        assert blocks.estimates[name] == pytest.approx(value, rel=1e-7)
        assert blocks.intervals[name] == pytest.approx(whole.intervals[name], rel=1e-7)


def test_memory_does_not_grow_with_starts_and_replicates() -> None:
    runs = large(6000)
    tracemalloc.start()
    fit = fit_chinchilla(runs, bootstrap=CASES._replace(draws=10))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for name, value in BESIROGLU_REFIT.estimates.items():
        if name in fit.estimates:
            assert fit.estimates[name] == pytest.approx(value, rel=0.1)
    assert most < 120e6  # all rows at every node of the grid: 250 MB
