"""A law as data: its formula, and what the engine sees of it."""

import numpy as np
import pytest

from scaling.engine.newton import SQUARES, Array
from scaling.engine.problem import Problem
from scaling.laws.chinchilla import CHINCHILLA
from scaling.laws.power_sum import PowerSum, Term

LAW = PowerSum(
    (
        Term("E"),
        Term("A", {"N": "-alpha", "T": "u"}),
        Term("q", log=("T", 1)),
        Term("s", log=("T", 2)),
    ),
    {"alpha": np.linspace(0.1, 0.6, 6), "u": np.array([0.0, 0.2])},
    negated=("E",),
)
P = {"E": -0.7, "A": 30.0, "q": -0.06, "s": 0.03, "alpha": 0.3, "u": 0.1}


def columns(rows: int = 40) -> dict[str, Array]:
    generator = np.random.default_rng(0)
    return {"N": 10 ** generator.uniform(7, 10, rows), "T": generator.uniform(1, 8, rows)}


def differences(problem: Problem, theta: Array) -> Array:
    """Return [n, p] the slopes of the model's value at [1, p] theta."""
    steps = 1e-6 * np.eye(theta.shape[1])
    up, down = problem.model.value(theta + steps), problem.model.value(theta - steps)
    return np.asarray(((up - down) / 2e-6).T)


def test_the_formula_is_the_sum_of_its_terms() -> None:
    x = columns()
    written = 0.7 + 30 * x["N"] ** -0.3 * x["T"] ** 0.1
    written += -0.06 * np.log(x["T"]) + 0.03 * np.log(x["T"]) ** 2
    np.testing.assert_allclose(LAW.value(P, **x), written, rtol=1e-13)
    draws = {name: np.array([[value], [2 * value]]) for name, value in P.items()}
    assert LAW.value(draws, **x).shape == (2, 40)
    assert LAW.names == tuple(P)


def test_exact_losses_give_the_coefficients_back() -> None:
    """In raw columns, though the search takes their logarithms from their means."""
    x = columns()
    problem, starts = LAW.problem(x, LAW.value(P, **x), SQUARES, 6)
    found = problem.public(problem.fit(starts)[0].theta)
    assert list(found) == list(P)
    for name, value in P.items():
        assert found[name][0] == pytest.approx(value, rel=1e-4), name
    theta = starts[:1]
    slopes = problem.model.jacobian(theta)[0]
    np.testing.assert_allclose(slopes, differences(problem, theta), atol=1e-7)


@pytest.mark.parametrize("relative", [True, False])
def test_amplitudes_that_stay_positive(relative: bool) -> None:
    x = columns()
    x = {"N": x["N"], "D": x["N"] * x["T"] * 10}
    truth = {"E": 1.7, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
    loss = CHINCHILLA.value(truth, **x)
    problem, starts = CHINCHILLA.positive_problem(x, loss, SQUARES, 6, relative=relative)
    theta = problem.fit(starts)[0].theta
    for name, values in problem.public(theta).items():
        assert values[0] == pytest.approx(truth[name], rel=1e-4), name
    np.testing.assert_allclose(
        problem.model.jacobian(theta)[0], differences(problem, theta), atol=1e-7
    )
    assert (problem.public(starts)["A"] > 0).all()
