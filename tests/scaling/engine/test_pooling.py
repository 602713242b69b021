"""Partial pooling: published meta-regressions, and what is exact where errors are none."""

import numpy as np
import pytest
from scipy.stats import t as student

from scaling.engine.pooling import draw_pooled, pool

# The 13 trials of BCG vaccine (Colditz et al. 1994): ill and well with it, ill and well without,
# latitude. metafor's REML (Viechtbauer 2010) of the logarithms of relative risk gives
#   no moderator:  tau^2 .3132, mean -.7145
#   by latitude:   tau^2 .0764, intercept .2515, slope -.0291
# Its iterations end at steps below 1e-5: where they do, tau^2 is .07635 or .07636.
TRIALS: np.ndarray = np.array(
    [
        (4, 119, 11, 128, 44), (6, 300, 29, 274, 55), (3, 228, 11, 209, 42),
        (62, 13536, 248, 12619, 52), (33, 5036, 47, 5761, 13), (180, 1361, 372, 1079, 44),
        (8, 2537, 10, 619, 19), (505, 87886, 499, 87892, 13), (29, 7470, 45, 7232, 27),
        (17, 1699, 65, 1600, 42), (186, 50448, 141, 27197, 18), (5, 2493, 3, 2338, 33),
        (27, 16886, 29, 17825, 33),
    ]
).T  # fmt: skip


def trials() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ill, well, ill_without, well_without, latitude = TRIALS.astype(float)
    given, without = ill + well, ill_without + well_without
    effect = np.log(ill / given) - np.log(ill_without / without)
    errors = 1 / ill - 1 / given + 1 / ill_without - 1 / without
    return effect, errors, latitude


def test_published_meta_analyses() -> None:
    effect, errors, latitude = trials()
    ones = np.ones_like(effect)
    mean = pool(effect, ones[:, None], np.diag(errors))
    assert mean.tau**2 == pytest.approx(0.3132, abs=5e-5)
    assert mean.line[0] == pytest.approx(-0.7145, abs=5e-5)
    line = pool(effect, np.stack([ones, latitude], axis=1), np.diag(errors))
    assert line.tau**2 == pytest.approx(0.0764, abs=6e-5)
    assert line.line == pytest.approx([0.2515, -0.0291], abs=5e-5)


def test_a_group_is_drawn_by_its_error() -> None:
    effect, errors, _ = trials()
    found = pool(effect, np.ones((13, 1)), np.diag(errors))
    weight = found.tau**2 / (found.tau**2 + errors)
    assert found.weights == pytest.approx(weight)
    assert found.groups == pytest.approx(weight * effect + (1 - weight) * found.line[0])


def test_correlated_errors_are_the_same_as_their_rotation() -> None:
    """By the textbook: (V + tau^2)^-1 weighs the line and the groups."""
    generator = np.random.default_rng(3)
    root = generator.normal(size=(7, 7)) * 0.3
    errors, x = root @ root.T, np.stack([np.ones(7), np.linspace(0, 1, 7)], axis=1)
    y = x @ [1.0, 2.0] + generator.normal(0, 0.5, 7)
    found = pool(y, x, errors)
    assert found.tau > 0
    inverse = np.linalg.inv(errors + found.tau**2 * np.eye(7))
    line = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
    assert found.line == pytest.approx(line)
    assert found.groups == pytest.approx(x @ line + found.tau**2 * inverse @ (y - x @ line))


def test_without_errors_it_is_least_squares_with_its_own_intervals() -> None:
    x = np.stack([np.ones(7), np.log([1, 1.2, 1.4, 1.6, 2, 2, 2.6])], axis=1)
    y = np.log([3.71, 4.16, 5.11, 4.58, 5.67, 6.97, 8.09])
    found = pool(y, x, np.zeros((7, 7)))
    line, squares, *_ = np.linalg.lstsq(x, y, rcond=None)
    scatter = np.sqrt(squares[0] / 5)
    assert found.line == pytest.approx(line, rel=1e-9)
    assert found.tau == pytest.approx(scatter, rel=1e-6)
    assert found.groups == pytest.approx(y) and found.weights == pytest.approx(np.ones(7))
    drawn = draw_pooled(y, x, np.zeros((7, 7)), np.inf, 6000, np.random.default_rng(1))
    half = student.ppf(0.975, 5) * scatter * np.sqrt(np.linalg.inv(x.T @ x)[1, 1])
    low, high = np.percentile(drawn.line[:, 1], [2.5, 97.5])
    assert (low, high) == pytest.approx((line[1] - half, line[1] + half), abs=0.05 * half)
    # tau's own: S over a chi-square of m - q.
    assert np.median(drawn.tau) == pytest.approx(scatter * np.sqrt(5 / 4.351), rel=0.03)
    assert drawn.groups.std(axis=0).max() < 1e-5


def test_groups_that_differ_by_no_more_than_their_errors_are_one() -> None:
    y, errors = np.array([1.0, 1.1, 0.9, 1.05]), 0.04 * np.eye(4)
    found = pool(y, np.ones((4, 1)), errors)
    assert found.tau == 0 and found.weights == pytest.approx(np.zeros(4), abs=1e-9)
    assert found.groups == pytest.approx(np.full(4, y.mean()))
    drawn = draw_pooled(y, np.ones((4, 1)), errors, 10.0, 2000, np.random.default_rng(1))
    assert drawn.tau.shape == (2000,) and (drawn.tau >= 0).all()
    again = draw_pooled(y, np.ones((4, 1)), errors, 10.0, 2000, np.random.default_rng(1))
    assert (drawn.groups == again.groups).all()
