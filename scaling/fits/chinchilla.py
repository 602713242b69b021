"""Fitting approach 3: L(N, D) = E + A / N^alpha + B / D^beta, under five charges for a residual."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError, did_you_mean
from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import Array, Loss, Model
from scaling.engine.problem import Problem, grid, search
from scaling.fits.assemble import held_out
from scaling.fits.single_stage import Stage, fit_stage, need, point
from scaling.laws import chinchilla as law
from scaling.result import FitResult, HoldOut
from scaling.runs import Runs

EXPONENTS = np.linspace(0.05, 1.0, 20)
STARTS = 12
ANNEALED = (1e-2, 3e-3, 1e-3, 1e-4)


class Charge(NamedTuple):
    """How residuals are taken and charged.

    Attributes:
        loss: the charge. logarithm: whether residuals are differences of ln L.
        kink: whether the optimum is to be followed to the exact kink of absolute values.
        says: what the result's `method` says.
    """

    loss: Loss
    logarithm: bool
    kink: bool
    says: str


CHARGES: Mapping[str, Charge] = {
    "log-huber": Charge(Loss(1e-3), True, False, "Huber of ln L, delta 1e-3, summed"),
    "log-lad": Charge(Loss(1e-5), True, True, "least absolute deviation of ln L, exact"),
    "log-l2": Charge(Loss(), True, False, "least squares of ln L"),
    "l2": Charge(Loss(), False, False, "least squares of L"),
    # Takano's: the curve runs along the lower edge of the losses.
    "lower-edge": Charge(
        Loss(1e-5, above=1, below=10), False, True, "absolute values, 10-fold where L is overshot"
    ),
}


def fit_chinchilla(
    runs: Runs,
    charge: str = "log-huber",
    bootstrap: Bootstrap = CASES,
    unit: str = "",
) -> FitResult:
    """Fit approach 3.

    Args:
        charge: a name of `CHARGES`.
        unit: `tokens` (loss in nats per token) or `bytes` (bits per byte); by default the unit of
            the loss the table states.

    Raises:
        InputError: unknown charge or unit, a missing column, or fewer than six runs, three sizes or
            three amounts of data.
    """
    if charge not in CHARGES:
        raise InputError(f"chinchilla has no charge {charge!r}{did_you_mean(charge, CHARGES)}")
    unit = unit or ("tokens" if "nats_per_token" in runs.rows.columns else "bytes")
    if unit not in ("tokens", "bytes"):
        raise InputError(f"chinchilla is fitted in tokens or in bytes, not in {unit!r}")
    name = "chinchilla" if unit == "tokens" else "chinchilla-bytes"
    params = runs.column("params", name)
    data = runs.column(f"train_{unit}", name)
    loss = runs.column("nats_per_token" if unit == "tokens" else "bits_per_byte", name)
    need(
        runs,
        name,
        (len(np.unique(params)), 3, "model sizes"),
        (len(np.unique(data)), 3, "amounts of data"),
        (len(params), 6, "runs"),
    )
    chosen = CHARGES[charge]
    problem, starts = make_problem(params, data, loss, chosen)
    unit_of_loss = "nats per token" if unit == "tokens" else "bits per byte"
    stage = Stage(
        law=name,
        form=charge,
        method=f"{chosen.says}; grid over the exponents with the rest solved, then Newton",
        problem=problem,
        starts=starts,
        formula=lambda p: law.loss(p, params, data),
        observed=loss,
        inputs={"params": params, unit: data},
        units={"residuals": unit_of_loss, "E": unit_of_loss},
        conventions={"loss": unit_of_loss, "data": unit},
        annealed=ANNEALED,
        kink=chosen.kink,
    )
    holdout = _holdout(runs, name, params, data, loss, chosen)
    return fit_stage(stage, runs, bootstrap, holdout=holdout)


def make_problem(params: Array, data: Array, loss: Array, charge: Charge) -> tuple[Problem, Array]:
    """Return the engine's problem and [K, 5] starts for it.

    ln N and ln D are measured from their means, where amplitudes and exponents hardly correlate.

    Args:
        params, data, loss: [n] N, D and L.
    """
    x, y = np.log(params), np.log(data)
    middle = np.array([x.mean(), y.mean()])
    x, y = x - middle[0], y - middle[1]

    def design(exponents: Array) -> Array:
        first, second = np.exp(-exponents[:, :1] * x), np.exp(-exponents[:, 1:] * y)
        return np.stack([np.ones_like(first), first, second], axis=-1)

    def public(theta: Array) -> dict[str, Array]:
        e, a, b, alpha, beta = theta.T
        with np.errstate(over="ignore"):
            return {
                "E": np.exp(e),
                "A": np.exp(a + alpha * middle[0]),
                "B": np.exp(b + beta * middle[1]),
                "alpha": alpha,
                "beta": beta,
            }

    nodes = search(
        design,
        loss,
        np.ones(len(loss)),
        grid([EXPONENTS, EXPONENTS]),
        charge.loss._replace(delta=max(charge.loss.delta, 1e-3)),
        STARTS,
        relative=charge.logarithm,
    )
    # A negative amplitude has no logarithm; such a node starts from a small positive one.
    floor = 1e-4 * float(loss.min())
    starts = np.concatenate([np.log(np.maximum(nodes.linear, floor)), nodes.exponents], axis=1)
    if charge.logarithm:
        model = Model(
            lambda theta: law.log_value(theta, x, y),
            lambda theta: law.log_jacobian(theta, x, y),
            lambda theta, slopes: law.log_curvature(theta, slopes, x, y),
        )
        return Problem(model, np.log(loss), charge.loss, law.NAMES, public), starts
    return Problem(law.plain_model(x, y), loss, charge.loss, law.NAMES, public), starts


def _holdout(
    runs: Runs, name: str, params: Array, data: Array, loss: Array, charge: Charge
) -> HoldOut | None:
    """Leave out the tenth of the runs with the most compute, predict it from the rest."""
    compute = runs.column("compute_flops", name) if runs.has("compute_flops") else params * data
    cut = np.quantile(compute, 0.9)
    rest = compute <= cut
    if rest.all() or rest.sum() < 10:
        return None
    problem, starts = make_problem(params[rest], data[rest], loss[rest], charge)
    p = point(problem, starts, ANNEALED)
    rule = f"compute above {cut:.3g} left out"
    return held_out(rule, loss[~rest], law.loss(p, params[~rest], data[~rest]))
