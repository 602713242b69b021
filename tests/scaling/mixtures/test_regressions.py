"""The three regressions: planted laws come back, and leaving one out is what it says."""

import numpy as np
import pytest

from scaling.engine.newton import Array
from scaling.mixtures.regressions import (
    exponential_fit,
    exponential_fits,
    exponential_left_out,
    exponential_value,
    gp_fit,
    gp_value,
    kernel_basis,
    linear_fit,
    linear_value,
    rank_correlation,
    squared_distances,
    widened,
)
from tests.scaling.mixtures.planted import FLOORS, WORTH, losses_at, runs_table


def runs(count: int, noise: float) -> tuple[Array, Array]:
    values = runs_table(count, noise).to_numpy()
    return values[:, :4], values[:, 5]


def test_a_planted_exponential_comes_back() -> None:
    shares, losses = runs(24, 0)
    theta = exponential_fit(shares, losses)
    assert theta[0] == pytest.approx(FLOORS[1], abs=1e-6)
    np.testing.assert_allclose(theta[1:], WORTH[1], atol=1e-5)
    np.testing.assert_allclose(exponential_value(theta, shares), losses, atol=1e-8)


def test_a_floor_does_not_fall_below_nothing() -> None:
    shares, _ = runs(24, 0)
    theta = exponential_fit(shares, 1 + shares @ np.array([0.1, 0.2, 0.3, 0.4]))
    assert theta[0] >= 0


def test_derivatives_are_those_of_the_value() -> None:
    """The fast Hessian takes the same steps as the engine's own from the Jacobian."""
    shares, losses = runs(24, 0.02)
    weights = np.random.default_rng(0).multinomial(24, np.full(24, 1 / 24), 5).astype(float)
    start = np.tile(exponential_fit(shares, losses), (5, 1))
    found = exponential_fits(shares, losses, weights, start)
    assert found.converged.all()
    step = 1e-5
    for row in range(5):
        for j in range(5):
            moved = found.theta[row] + step * np.eye(5)[j]
            value = 0.5 * weights[row] @ (losses - exponential_value(moved, shares)) ** 2
            assert value >= found.objective[row] - 1e-12


def test_leaving_a_run_out_is_a_fit_to_the_others() -> None:
    shares, losses = runs(20, 0.02)
    _, linear = linear_fit(shares, losses)
    theta = exponential_fit(shares, losses)
    exponential = exponential_left_out(shares, losses, theta)
    for i in (0, 7, 19):
        others = np.arange(20) != i
        coefficients, _ = linear_fit(shares[others], losses[others])
        assert linear[i] == pytest.approx(linear_value(coefficients, shares[i : i + 1])[0])
        refitted = exponential_fit(shares[others], losses[others])
        expected = exponential_value(refitted, shares[i : i + 1])[0]
        assert exponential[i] == pytest.approx(expected, abs=1e-6)


def test_leaving_a_run_out_of_a_process_keeps_its_length_and_noise() -> None:
    shares, losses = runs(20, 0.02)
    process, left_out = gp_fit(kernel_basis(shares), losses)
    for i in (0, 7, 19):
        others = np.arange(20) != i
        kernel = np.exp(
            -squared_distances(shares[others], shares[others]) / (2 * process.length**2)
        )
        inverse = np.linalg.inv(kernel + process.noise * np.eye(19))
        mean = inverse.sum(0) @ losses[others] / inverse.sum()
        near = squared_distances(shares[i : i + 1], shares[others])
        kept = process._replace(mean=mean, pull=inverse @ (losses[others] - mean))
        assert left_out[i] == pytest.approx(gp_value(kept, near)[0], abs=1e-6)


def test_a_process_follows_what_no_exponential_can() -> None:
    """A valley inside the simplex: the process predicts it, the exponential law cannot."""
    shares = runs_table(48, 0).to_numpy()[:, :4]
    losses = 1 + (shares[:, 0] - 0.4) ** 2 + 0.3 * shares[:, 1]
    _, process = gp_fit(kernel_basis(shares), losses)
    exponential = exponential_left_out(shares, losses, exponential_fit(shares, losses))
    assert np.std(process - losses) < 0.2 * np.std(exponential - losses)


def test_rank_correlation_is_spearmans() -> None:
    from scipy.stats import spearmanr

    pairs = np.random.default_rng(0).standard_normal((2, 3, 30)).round(1)  # with ties
    expected = [spearmanr(pairs[0, i], pairs[1, i])[0] for i in range(3)]
    np.testing.assert_allclose(rank_correlation(pairs), expected)


def test_losses_of_the_planted_law_fall_with_each_languages_own_text() -> None:
    corners = losses_at(np.eye(4))
    assert (corners.argmin(axis=0) == np.arange(4)).all()


@pytest.mark.parametrize("seed", range(4))
def test_draws_are_widened_by_the_losses_that_they_predict(seed: int) -> None:
    """Losses that bend little: c and the u_j are hardly told apart, the losses are told well."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(3), 30)
    losses = 0.8 + np.exp(shares @ [-0.1, 0.0, 0.1]) + random.normal(0, 0.003, 30)
    theta, weights = (
        exponential_fit(shares, losses),
        random.multinomial(30, np.full(30, 1 / 30), 80).astype(float),
    )
    draws = exponential_fits(shares, losses, weights, np.tile(theta, (80, 1))).theta
    apart = exponential_value(draws, shares) - exponential_value(theta, shares)
    wide = widened(theta, draws, 1.1, shares, losses)
    further = exponential_value(wide, shares) - exponential_value(theta, shares)
    assert further.std() == pytest.approx(1.1 * apart.std(), rel=0.05)
    np.testing.assert_array_equal(widened(theta, draws, 1, shares, losses), draws)
    assert np.all(wide[:, 0] >= 0)
