"""Fitting the rival joint form: four exponents, five linear coefficients."""

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.loss import SQUARES
from scaling.engine.newton import Model
from scaling.engine.problem import Problem
from scaling.engine.separable import grid, search
from scaling.fits.single_stage import Stage, fit_stage, need
from scaling.laws import joint_terms as law
from scaling.result import FitResult
from scaling.runs import Runs

Array = NDArray[np.float64]
LAW = "joint-terms"
AXES = (
    np.linspace(0.1, 0.6, 6),
    np.array([0.0, 0.15]),
    np.linspace(0.1, 0.6, 6),
    np.array([0.0, 0.15]),
)


def fit_joint_terms(runs: Runs, bootstrap: Bootstrap = CASES) -> FitResult:
    """Fit the nine-coefficient form by least squares.

    Raises:
        InputError: too few budgets, rates or runs, or a column missing.
    """
    columns = columns_of(runs)
    params, data, rate, loss = columns
    need(
        runs,
        LAW,
        (len(np.unique(runs.column("compute_flops", LAW))), 3, "compute budgets"),
        (len(np.unique(rate)), 3, "compression rates"),
        (len(loss), len(law.NAMES) + 3, "runs"),
    )
    problem, starts = make_problem(*columns)
    stage = Stage(
        law=LAW,
        form="sum of powers",
        method="least squares; grid over the exponents with the rest solved, then Newton",
        problem=problem,
        starts=starts,
        formula=lambda p: law.loss(p, params, data, rate),
        observed=loss,
        inputs={"params": params, "train_bytes": data, "compression_rate": rate},
        units={"residuals": "bits per byte", "E": "bits per byte"},
        conventions={},
    )
    return fit_stage(stage, runs, bootstrap)


def columns_of(runs: Runs) -> tuple[Array, Array, Array, Array]:
    """Return N, B, T and L of the runs."""
    return (
        runs.column("params", LAW),
        runs.column("train_bytes", LAW),
        runs.column("compression_rate", LAW),
        runs.column("bits_per_byte", LAW),
    )


def make_problem(params: Array, data: Array, rate: Array, loss: Array) -> tuple[Problem, Array]:
    """Return the engine's problem, in logarithms from the data's centre, and its starts."""
    x, y, t = np.log(params), np.log(data), np.log(rate)
    middle = np.array([x.mean(), y.mean(), t.mean()])
    x, y, t = x - middle[0], y - middle[1], t - middle[2]

    def design(exponents: Array) -> Array:
        alpha, u, beta, v = (exponents[:, [i]] for i in range(4))
        size, data_term = np.exp(u * t - alpha * x), np.exp(v * t - beta * y)
        one = np.ones_like(size)
        return np.stack([one, size, data_term, one * t, one * t**2], axis=-1)

    def value(theta: Array) -> Array:
        return np.asarray(np.einsum("rnk,rk->rn", design(theta[:, 5:]), theta[:, :5]))

    def jacobian(theta: Array) -> Array:
        columns = design(theta[:, 5:])
        size = theta[:, [1]] * columns[..., 1]
        data_term = theta[:, [2]] * columns[..., 2]
        slopes = np.stack([-x * size, t * size, -y * data_term, t * data_term], axis=-1)
        return np.concatenate([columns, slopes], axis=-1)

    def public(theta: Array) -> dict[str, Array]:
        e, size, data_term, q, s, alpha, u, beta, v = theta.T
        m = middle[2]
        return {
            "E": e - q * m + s * m**2,
            "A": size * np.exp(alpha * middle[0] - u * m),
            "B0": data_term * np.exp(beta * middle[1] - v * m),
            "q": q - 2 * s * m,
            "s": s,
            "alpha": alpha,
            "u": u,
            "beta": beta,
            "v": v,
        }

    nodes = search(design, loss, np.ones(len(loss)), grid(AXES), SQUARES, keep=8)
    starts = np.concatenate([nodes.linear, nodes.exponents], axis=1)
    return Problem(Model(value, jacobian), loss, SQUARES, law.NAMES, public), starts
