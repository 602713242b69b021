"""The joint law's forms side by side: what each costs in coefficients and gains in prediction."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, Bootstrap
from scaling.engine.newton import SQUARES, Array, Model
from scaling.engine.problem import Problem, grid, search
from scaling.fits import joint
from scaling.fits.assemble import goodness
from scaling.fits.single_stage import Stage, fit_stage, need, point
from scaling.laws import joint_terms as law
from scaling.laws import joint_terms as terms_law
from scaling.result import FitResult
from scaling.runs import Runs

# Fitting the rival joint form: four exponents, five linear coefficients.


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


Mask = NDArray[np.bool_]


class FormScore(NamedTuple):
    """One form, fitted to all runs and to all but one budget in turn; errors in bits per byte.

    Attributes:
        form: its name.
        coefficients: how many are free.
        rmse, aicc, bic: of the fit to all runs.
        holdout_rmse: of the largest budget, predicted from the others.
        holdout_lowest_rmse: of the lowest loss at each rate of the largest budget.
        left_out_rmse: of each budget, predicted from the others.
        left_out_mean: root mean square of those, each budget counted once.
    """

    form: str
    coefficients: int
    rmse: float
    aicc: float | None
    bic: float | None
    holdout_rmse: float
    holdout_lowest_rmse: float
    left_out_rmse: Mapping[float, float]
    left_out_mean: float


def score_forms(runs: Runs) -> tuple[FormScore, ...]:
    """Score every form of the joint law, and its first rival, on the same runs."""
    data = joint.read(runs)
    columns = columns_of(runs)

    def rival(left_out: Mask) -> Array:
        p = point(*make_problem(*(column[~left_out] for column in columns)))
        return terms_law.loss(p, *(column[left_out] for column in columns[:3]))

    scores = []
    for form, names in joint.FORMS.items():

        def predict(left_out: Mask, form: str = form) -> Array:
            return joint.predict_left_out(form, data, left_out)

        fitted = joint.fit_joint(runs, form, NO_BOOTSTRAP)
        scores.append(_score(form, len(names), np.array(fitted.residuals), data, predict))
    p = point(*make_problem(*columns))
    residuals = data.loss - terms_law.loss(p, *columns[:3])
    scores.append(_score(LAW, len(terms_law.NAMES), residuals, data, rival))
    return tuple(scores)


def lowest_of_largest(data: joint.Data) -> Mask:
    """Return which runs have the lowest loss of their rate at the largest budget."""
    chosen = np.zeros(len(data.loss), bool)
    largest = data.compute == data.compute.max()
    for rate in np.unique(data.rate[largest]):
        rows = np.flatnonzero(largest & (data.rate == rate))
        chosen[rows[np.argmin(data.loss[rows])]] = True
    return chosen


def _score(
    form: str,
    coefficients: int,
    residuals: Array,
    data: joint.Data,
    predict: Callable[[Mask], Array],
) -> FormScore:
    quality = goodness(data.loss, residuals, coefficients)
    lowest = lowest_of_largest(data)
    left_out, errors = {}, np.zeros(0)
    for budget in np.unique(data.compute):
        rows = data.compute == budget
        errors = data.loss[rows] - predict(rows)
        left_out[float(budget)] = _rms(errors)
    return FormScore(
        form,
        coefficients,
        quality.rmse,
        quality.aicc,
        quality.bic,
        left_out[float(data.compute.max())],
        _rms(errors[lowest[data.compute == data.compute.max()]]),
        left_out,
        _rms(np.array(list(left_out.values()))),
    )


def _rms(errors: Array) -> float:
    return float(np.sqrt(np.mean(errors**2)))
