"""Planted truth: 200 noisy replications of every law; bias, and what the intervals cover."""

import numpy as np
import pytest

from scaling.engine.bootstrap import Bootstrap
from scaling.laws.registry import LAWS
from tests.scaling.fits.planted import PLANTED

REPLICATIONS, DRAWS = 200, 200
SEED = 7
SLOW = (
    "arms", "chinchilla", "coupled", "joint", "joint-terms", "law2-few", "law2-proportional",
    "law2-runs", "law2-shrinking", "overfitting-powers", "overtraining", "repeated", "vocabulary",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in PLANTED]
)
def test_bias_and_coverage(name: str) -> None:
    """Bias under a quarter of the standard error; 95 % intervals cover 90 to 99 %.

    Amplitudes such as B0 are judged in their logarithm, where their error is symmetric.
    """
    planted = PLANTED[name]()
    bootstrap = Bootstrap(LAWS[planted.law].resampling, DRAWS)
    generator = np.random.default_rng(SEED)
    names = list(planted.truth)
    estimates = np.empty((REPLICATIONS, len(names)))
    covered = np.zeros((REPLICATIONS, len(names)), bool)
    for replication in range(REPLICATIONS):
        fit = planted.fit(planted.noisy(generator), bootstrap)
        assert fit.status == "converged"
        for index, coefficient in enumerate(names):
            estimates[replication, index] = fit.estimates[coefficient]
            interval = fit.intervals[coefficient]
            assert interval is not None
            covered[replication, index] = planted.truth[coefficient] in interval
    truth = np.array([planted.truth[coefficient] for coefficient in names])
    logs = np.array([coefficient in planted.logs for coefficient in names])
    estimates[:, logs] = np.log(estimates[:, logs])
    truth[logs] = np.log(truth[logs])
    bias = (estimates.mean(axis=0) - truth) / estimates.std(axis=0, ddof=1)
    share = covered.mean(axis=0)
    table = {
        coefficient: (round(float(b), 3), float(s))
        for coefficient, b, s in zip(names, bias, share, strict=True)
    }
    assert (np.abs(bias) < 0.25).all(), table
    assert ((share >= 0.90) & (share <= 0.99)).all(), table


@pytest.mark.parametrize("name", PLANTED)
def test_without_noise_the_truth_is_found(name: str) -> None:
    """Exactly, but for the laws whose optimum is interpolated between the sizes trained."""
    planted = PLANTED[name]()
    fit = planted.fit(planted.runs, Bootstrap("none", 0))
    tolerance = {"law1": 0.03, "joint-terms": 1e-4}.get(name, 1e-5)
    for coefficient, value in planted.truth.items():
        assert fit.estimates[coefficient] == pytest.approx(value, rel=tolerance), coefficient
