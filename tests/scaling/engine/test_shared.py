"""Noise that rows of a block share: told apart, and drawn again as it is."""

import numpy as np
import pytest

from scaling.engine.bootstrap import leverages, residual_targets
from scaling.engine.shared import shared_targets, two_levels

BLOCKS = np.repeat(np.arange(12), 8)
DESIGN = np.stack(
    [np.ones(96), np.repeat(np.linspace(-1, 1, 12), 8), np.tile(np.arange(8.0), 12)], 1
)
WHOLE = np.zeros(96, np.int64)


def residuals_of(noise: np.ndarray) -> np.ndarray:
    return np.asarray(noise - DESIGN @ np.linalg.lstsq(DESIGN, noise, rcond=None)[0])


def test_degrees_of_freedom_are_those_of_the_levels() -> None:
    levels = two_levels(np.zeros(96), DESIGN, BLOCKS)
    assert levels.free_between == pytest.approx(12 - 2)  # the level, and the slope over blocks
    assert levels.free_within == pytest.approx(96 - 12 - 1)


@pytest.mark.parametrize("share", [0.0, 0.15, 0.6])
def test_the_intraclass_correlation_is_that_of_the_noise(share: float) -> None:
    rng = np.random.default_rng(1)
    found, sure = [], 0
    for _ in range(300):
        noise = np.sqrt(share) * rng.standard_normal(12)[BLOCKS]
        noise += np.sqrt(1 - share) * rng.standard_normal(96)
        value, chance = two_levels(residuals_of(noise), DESIGN, BLOCKS).correlation()
        found.append(value)
        sure += chance < 0.05
    assert np.mean(found) == pytest.approx(share, abs=0.04)
    assert (sure / 300 < 0.09) if share == 0 else (sure / 300 > 0.6)


def test_replicates_have_the_noise_of_both_levels() -> None:
    """The slope over blocks varies with what they share, that within them with what is left."""
    rng = np.random.default_rng(2)
    inverse = np.linalg.pinv(DESIGN)
    spread, apart = [], []
    for _ in range(60):
        noise = 0.5 * rng.standard_normal(12)[BLOCKS] + rng.standard_normal(96)
        residuals = residuals_of(noise)
        levels = two_levels(residuals, DESIGN, BLOCKS)
        targets = shared_targets(np.zeros(96), levels, WHOLE, 300, rng)
        spread.append((targets @ inverse.T).var(axis=0))
        rows = residual_targets(np.zeros(96), residuals, leverages(DESIGN), WHOLE, 300, rng)
        apart.append((rows @ inverse.T).var(axis=0))
    x = np.linspace(-1, 1, 12)
    between = (0.25 + 1 / 8) / np.sum(x**2)
    within = 1 / (12 * np.sum((np.arange(8) - 3.5) ** 2))
    # Drawn by the variance that few degrees of freedom leave open, hence f / (f - 2).
    assert np.mean(spread, axis=0)[1] == pytest.approx(between * 10 / 8, rel=0.15)
    assert np.mean(spread, axis=0)[2] == pytest.approx(within, rel=0.15)
    assert np.mean(apart, axis=0)[1] < 0.6 * between


def test_blocks_keep_to_their_stratum() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(96) * np.where(BLOCKS < 6, 0.1, 10.0)
    levels = two_levels(noise, DESIGN[:, :1], BLOCKS)
    strata = (BLOCKS >= 6).astype(np.int64)
    targets = shared_targets(np.zeros(96), levels, strata, 400, rng)
    assert targets[:, BLOCKS < 6].std() < 0.3 < 5 < targets[:, BLOCKS >= 6].std()
    again = shared_targets(np.zeros(96), levels, strata, 400, np.random.default_rng(3))
    once = shared_targets(np.zeros(96), levels, strata, 400, np.random.default_rng(3))
    assert np.array_equal(again, once)
