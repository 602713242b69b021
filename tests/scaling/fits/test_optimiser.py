"""Gradients against finite differences, and the optimum against many starts of L-BFGS."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize

from scaling.engine.newton import Array
from scaling.engine.problem import Problem, land_on_kink
from scaling.fits import chinchilla, joint, law2_forms, other_laws
from scaling.fits.assemble import columns as law_columns
from scaling.laws.chinchilla import tokens_in_billions
from scaling.published.tables import MUENNIGHOFF_REPEATED
from scaling.runs import Runs
from tests.scaling.fits.planted import PLANTED

STARTS = 500


class Case(NamedTuple):
    """A problem, starts for it, and the deltas its search passes through."""

    problem: Problem
    starts: Array
    annealed: tuple[float, ...] = ()


def noisy(name: str) -> Runs:
    return PLANTED[name]().noisy(np.random.default_rng(3))


def columns(runs: Runs, *names: str) -> list[Array]:
    return [runs.column(name, "test") for name in names]


def chinchilla_case(charge: str) -> Case:
    data = columns(noisy("chinchilla"), "params", "train_tokens", "nats_per_token")
    problem, starts = chinchilla.make_problem(data[0], data[1], data[2], chinchilla.CHARGES[charge])
    return Case(problem, starts, chinchilla.ANNEALED)


def law2_case(form: str) -> Case:
    compute, rate, loss = columns(
        noisy("law2"), "compute_flops", "compression_rate", "bits_per_byte"
    )
    return Case(*law2_forms.make_problem(form, compute, rate, loss))


def joint_case(form: str) -> Case:
    return Case(*joint.make_problem(form, joint.read(noisy("joint"))))


def terms_case() -> Case:
    return Case(*joint.terms_problem(*law_columns(noisy("joint-terms"), "joint-terms")))


def overtraining_case() -> Case:
    return Case(
        *other_laws.overtraining_problem(*law_columns(noisy("overtraining"), "overtraining"))
    )


def vocabulary_case() -> Case:
    params, size, width, characters, loss = law_columns(noisy("vocabulary"), "vocabulary")
    billions = tokens_in_billions("corrected", characters, size)
    problem, starts = other_laws.vocabulary_problem(params, size * width, billions, loss)
    return Case(problem, starts, other_laws.ANNEALED)


def repeated_case() -> Case:
    params, tokens, unique, loss = law_columns(noisy("repeated"), "repeated")
    base = MUENNIGHOFF_REPEATED.estimates
    problem = other_laws.repeated_problem(params, tokens, unique, loss, base)
    return Case(problem, 1 / np.array([[4.0, 4.0], [16.0, 16.0]]), (1e-1, 1e-2))


CASES: Mapping[str, Callable[[], Case]] = {
    **{f"chinchilla {name}": partial(chinchilla_case, name) for name in chinchilla.CHARGES},
    **{f"law2 {form}": partial(law2_case, form) for form in law2_forms.FORMS},
    **{f"joint {form}": partial(joint_case, form) for form in joint.FORMS},
    "joint-terms": terms_case,
    "overtraining": overtraining_case,
    "vocabulary": vocabulary_case,
    "repeated": repeated_case,
}


@pytest.mark.parametrize("name", CASES)
def test_jacobian_is_that_of_finite_differences(name: str) -> None:
    problem, starts, _ = CASES[name]()
    theta = starts[:2] * 1.01 + 1e-3
    jacobian = problem.model.jacobian(theta)
    for index in range(theta.shape[1]):
        step = np.zeros(theta.shape[1])
        step[index] = 1e-6 * max(0.05, float(np.abs(theta[:, index]).max()))
        numeric = (problem.model.value(theta + step) - problem.model.value(theta - step)) / (
            2 * step[index]
        )
        scale = np.abs(numeric).max() + 1e-12
        np.testing.assert_allclose(jacobian[..., index], numeric, atol=1e-6 * scale)


@pytest.mark.parametrize("charge", chinchilla.CHARGES)
def test_curvature_is_that_of_the_jacobian(charge: str) -> None:
    problem, starts, _ = chinchilla_case(charge)
    theta = starts[:1]
    assert problem.model.curvature is not None
    slopes = np.random.default_rng(0).normal(size=(1, len(problem.target)))
    matrix = problem.model.curvature(theta, slopes)[0]
    for index in range(theta.shape[1]):
        step = np.zeros(theta.shape[1])
        step[index] = 1e-6
        up, down = problem.model.jacobian(theta + step), problem.model.jacobian(theta - step)
        numeric = np.einsum("n,np->p", slopes[0], (up - down)[0]) / 2e-6
        scale = np.abs(matrix).max()
        np.testing.assert_allclose(matrix[index], numeric, atol=1e-6 * scale)


def best_of_lbfgs(problem: Problem, centre: Array, starts: int) -> float:
    """Return the lowest objective of L-BFGS from random starts around and far from the optimum."""
    generator = np.random.default_rng(11)

    def objective(theta: Array) -> tuple[float, Array]:
        with np.errstate(all="ignore"):
            residuals = problem.target - problem.model.value(theta[None])[0]
            value = float(problem.loss.value(residuals, problem.ones))
            jacobian = problem.model.jacobian(theta[None])[0]
            gradient = -problem.loss.slope(residuals) @ jacobian
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e10, np.zeros_like(theta)
        return value, gradient

    lowest = np.inf
    for number in range(starts):
        spread = 0.05 if number % 2 else 0.7
        start = centre * (1 + spread * generator.standard_normal(len(centre)))
        start = start + 0.1 * spread * generator.standard_normal(len(centre))
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
        lowest = min(lowest, float(found.fun))
    return lowest


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_never_worse_than_500_starts(name: str) -> None:
    problem, starts, annealed = CASES[name]()
    ours, _ = problem.fit(starts, annealed)
    theirs = best_of_lbfgs(problem, ours.theta[0], STARTS)
    assert ours.objective[0] <= theirs * (1 + 1e-9)


@pytest.mark.parametrize("name", ["chinchilla log-huber", "law2 compute-dependent"])
def test_never_worse_than_20_starts(name: str) -> None:
    problem, starts, annealed = CASES[name]()
    ours, _ = problem.fit(starts, annealed)
    assert ours.objective[0] <= best_of_lbfgs(problem, ours.theta[0], 20) * (1 + 1e-9)


@pytest.mark.parametrize("charge", ["log-lad", "lower-edge"])
def test_the_kink_is_below_its_smoothing(charge: str) -> None:
    problem, starts, annealed = chinchilla_case(charge)
    smooth, _ = problem.fit(starts, annealed)
    theta, objective = land_on_kink(problem, smooth.theta)
    above, below = problem.loss.above, problem.loss.below

    def absolute(at: Array) -> float:
        residuals = problem.residuals(at)
        return float(np.sum(np.where(residuals > 0, above * residuals, -below * residuals)))

    assert objective == pytest.approx(absolute(theta)) and objective <= absolute(smooth.theta)
    assert np.sum(np.abs(problem.residuals(theta)) < 1e-9) == 5
    generator = np.random.default_rng(0)
    for _ in range(200):
        assert absolute(theta + 1e-4 * generator.standard_normal(theta.shape)) >= objective
