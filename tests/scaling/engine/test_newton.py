"""The engine against libraries that solve the same problems one at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from scaling.engine.bootstrap import case_weights, leverages, residual_targets, with_misfit
from scaling.engine.newton import SQUARES, Array, Loss, Predictor, minimise, solve_weighted
from scaling.engine.problem import grid, search


@given(st.integers(0, 10_000))
def test_batched_least_squares_is_lstsq(seed: int) -> None:
    rng = np.random.default_rng(seed)
    design, target = rng.normal(size=(12, 3)), rng.normal(size=12)
    weights: Array = rng.integers(0, 3, size=(4, 12)).astype(np.float64) + 0.25
    solved = solve_weighted(design, target, weights)
    for row, weight in zip(solved, weights, strict=True):
        root = np.sqrt(weight)
        known = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
        np.testing.assert_allclose(row, known, rtol=1e-9, atol=1e-9)


def test_lost_rank_is_nan_for_that_problem_only() -> None:
    design = np.stack([np.ones(5), np.arange(5, dtype=np.float64)], axis=1)
    weights = np.array([[1.0, 1, 1, 1, 1], [0, 0, 1, 0, 0]])
    solved = solve_weighted(design, np.arange(5, dtype=np.float64), weights)
    np.testing.assert_allclose(solved[0], [0, 1], atol=1e-12)
    assert np.isnan(solved[1]).all()


@given(
    st.floats(-1, 1),
    st.floats(1e-3, 0.5),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
)
def test_loss_slope_is_its_derivative(r: float, delta: float, above: float, below: float) -> None:
    loss, step = Loss(delta, above, below), 1e-6
    if min(abs(abs(r) - delta), abs(r)) < 10 * step:
        return
    one = np.ones(1)
    numeric = (loss.value(np.array([r + step]), one) - loss.value(np.array([r - step]), one)) / (
        2 * step
    )
    assert loss.slope(np.array([r]))[0] == pytest.approx(float(numeric), rel=1e-5, abs=1e-8)


def decay() -> tuple[Predictor, Array]:
    x = np.linspace(0, 4, 60)

    def value(theta: Array) -> Array:
        return np.asarray(theta[:, :1] * np.exp(-theta[:, 1:2] * x) + theta[:, 2:])

    def jacobian(theta: Array) -> Array:
        power = np.exp(-theta[:, 1:2] * x)
        return np.stack([power, -theta[:, :1] * power * x, np.ones_like(power)], axis=-1)

    return Predictor(value, jacobian), x


@pytest.mark.parametrize("loss", [SQUARES, Loss(0.02), Loss(0.02, above=0.3, below=2.0)])
def test_newton_finds_what_lbfgs_finds(loss: Loss) -> None:
    model, x = decay()
    rng = np.random.default_rng(0)
    target = 2 * np.exp(-0.7 * x) + 1 + 0.03 * rng.standard_t(3, size=len(x))
    ones = np.ones(len(x))
    start = np.array([[1.0, 0.3, 0.5], [3.0, 2.0, 2.0]])
    found = minimise(model, target, ones, start, loss)
    assert found.converged.all()
    np.testing.assert_allclose(found.theta[0], found.theta[1], rtol=1e-6)

    def objective(theta: Array) -> float:
        return float(loss.value(target - model.value(theta[None])[0], ones))

    known = minimize(
        objective, start[0], method="Nelder-Mead", options={"fatol": 1e-14, "xatol": 1e-9}
    )
    assert found.best().objective[0] <= known.fun * (1 + 1e-9)


def test_every_copy_is_its_own_problem() -> None:
    model, x = decay()
    rng = np.random.default_rng(1)
    truth = np.column_stack(
        [rng.uniform(1, 3, 700), rng.uniform(0.4, 1.2, 700), rng.uniform(0, 1, 700)]
    )
    target = model.value(truth)
    found = minimise(model, target, np.ones(len(x)), np.tile([[2.0, 0.8, 0.5]], (700, 1)), SQUARES)
    np.testing.assert_allclose(found.theta, truth, rtol=1e-5, atol=1e-6)


def test_grid_search_ranks_nodes_by_their_solved_loss() -> None:
    _, x = decay()
    target = 2 * np.exp(-0.7 * x) + 1

    def design(exponents: Array) -> Array:
        power = np.exp(-exponents * x)
        return np.stack([power, np.ones_like(power)], axis=-1)

    nodes = search(
        design, target, np.ones(len(x)), grid([np.linspace(0.1, 1.5, 15)]), SQUARES, keep=3
    )
    assert nodes.exponents[0, 0] == pytest.approx(0.7)
    np.testing.assert_allclose(nodes.linear[0], [2, 1], rtol=1e-9)
    assert (np.diff(nodes.objective) >= 0).all()


def test_resampling_keeps_cells_and_distinct_rows() -> None:
    cells = np.repeat([0, 1, 2], [6, 9, 2])
    weights = case_weights(cells, 400, np.random.default_rng(0), fewest=4)
    for cell, size in ((0, 6), (1, 9), (2, 2)):
        here = weights[:, cells == cell]
        np.testing.assert_allclose(here.sum(axis=1), size)
        assert ((here > 0).sum(axis=1) >= min(4, size - 1)).all()
    # The variance of a cell's weighted mean is that of its mean, unbiased.
    values = np.random.default_rng(1).normal(size=9)
    many = case_weights(np.zeros(9, np.int64), 20_000, np.random.default_rng(2))
    assert (many @ values / 9).var() == pytest.approx(values.var(ddof=1) / 9, rel=0.05)
    assert np.array_equal(weights, case_weights(cells, 400, np.random.default_rng(0), fewest=4))


def test_residual_targets_have_the_noise_of_the_data() -> None:
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 40)
    design = np.stack([np.ones(40), x, x**2], axis=1)
    noise = 0.1
    observed = design @ [1.0, 2.0, 3.0] + noise * rng.normal(size=40)
    fitted = design @ np.linalg.lstsq(design, observed, rcond=None)[0]
    leverage = leverages(design)
    assert leverage.sum() == pytest.approx(3)
    strata = np.zeros(40, np.int64)
    targets = residual_targets(fitted, observed - fitted, leverage, strata, 2000, rng)
    assert (targets - fitted).std() == pytest.approx(noise, rel=0.25)


def test_misfit_is_only_what_noise_leaves_unexplained() -> None:
    rng = np.random.default_rng(0)
    residuals, leverage = 0.1 * rng.normal(size=50), np.zeros(50)
    noisy = 0.1 * rng.normal(size=(500, 50))
    same, none = with_misfit(noisy, residuals, leverage, rng)
    assert none < 0.3
    quiet = 1e-4 * rng.normal(size=(500, 50))
    wider, share = with_misfit(quiet, residuals, leverage, rng)
    assert share > 0.99
    assert wider.std() == pytest.approx(residuals.std(), rel=0.1)
    assert same.std() == pytest.approx(noisy.std(), rel=0.2)
