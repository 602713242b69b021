"""Fitting the over-training law: least squares on L, one exponent."""

import numpy as np

from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import SQUARES, Array, Model
from scaling.engine.problem import Problem, grid, search
from scaling.fits.single_stage import Stage, fit_stage, need
from scaling.laws import overtraining as law
from scaling.result import FitResult
from scaling.runs import Runs

LAW = "overtraining"
EXPONENTS = -np.linspace(0.02, 1.0, 50)


def fit_overtraining(
    runs: Runs,
    bootstrap: Bootstrap = CASES,
) -> FitResult:
    """Fit `L = E + a N^eta + b 6^(eta/2) D^eta` by least squares.

    Raises:
        InputError: fewer than five runs, two sizes, or two ratios of tokens to parameters.
    """
    params = runs.column("params", LAW)
    tokens = runs.column("train_tokens", LAW)
    loss = runs.column("nats_per_token", LAW)
    ratio = tokens / params
    need(
        runs,
        LAW,
        (len(np.unique(params)), 2, "model sizes"),
        (len(np.unique(np.round(ratio, 6))), 2, "ratios of tokens to parameters"),
        (len(loss), 5, "runs"),
    )
    problem, starts = make_problem(params, tokens, loss)
    stage = Stage(
        law=LAW,
        form="one exponent",
        method="least squares of L; grid over the exponent with the rest solved, then Newton",
        problem=problem,
        starts=starts,
        formula=lambda p: law.loss(p, params, ratio),
        observed=loss,
        inputs={"params": params, "tokens_per_param": ratio},
        units={"residuals": "nats per token", "E": "nats per token"},
        conventions={"loss": "nats per token"},
    )
    return fit_stage(stage, runs, bootstrap)


def make_problem(params: Array, tokens: Array, loss: Array) -> tuple[Problem, Array]:
    """Return the engine's problem in theta = (a', b', E, eta), terms taken at the data's centre."""
    x, y = np.log(params), np.log(tokens) + np.log(6) / 2
    middle = np.array([x.mean(), y.mean()])
    x, y = x - middle[0], y - middle[1]

    def design(exponents: Array) -> Array:
        first, second = np.exp(exponents * x), np.exp(exponents * y)
        return np.stack([first, second, np.ones_like(first)], axis=-1)

    def value(theta: Array) -> Array:
        return np.asarray(np.einsum("rnk,rk->rn", design(theta[:, 3:]), theta[:, :3]))

    def jacobian(theta: Array) -> Array:
        columns = design(theta[:, 3:])
        slope = theta[:, :1] * columns[..., 0] * x + theta[:, 1:2] * columns[..., 1] * y
        return np.concatenate([columns, slope[..., None]], axis=-1)

    def public(theta: Array) -> dict[str, Array]:
        a, b, floor, eta = theta.T
        return {
            "a": a * np.exp(-eta * middle[0]),
            "b": b * np.exp(-eta * middle[1]),
            "E": floor,
            "eta": eta,
        }

    ones = np.ones(len(loss))
    nodes = search(design, loss, ones, grid([EXPONENTS]), SQUARES, keep=4)
    starts = np.concatenate([nodes.linear, nodes.exponents], axis=1)
    return Problem(Model(value, jacobian), loss, SQUARES, law.NAMES, public), starts
