"""Fitting laws of N and D together, under five charges for a residual.

Approach 3 of Hoffmann et al. 2022, L = E + A / N^alpha + B / D^beta, and the same with its two
terms coupled.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import Array, Loss
from scaling.engine.problem import Problem
from scaling.fits.assemble import few_left, held_out, need
from scaling.fits.findings import NO_LIMITS, Limit, Limits, proportional
from scaling.fits.single_stage import SEARCH, OneStage, fit_stage, point
from scaling.laws import coupled
from scaling.laws.chinchilla import CHINCHILLA, loss
from scaling.laws.power_sum import Coefficients
from scaling.laws.registry import BITS, DEFAULTS, NATS, Options, form_of
from scaling.result import FitResult, HoldOut
from scaling.runs import Runs

STARTS = 12
FEWEST_LEFT = 10  # runs that a fit is made of, to predict those held out
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


class SizeAndData(NamedTuple):
    """A law of N and D.

    Attributes:
        name: in the registry; `-bytes` is added where it is fitted to bytes.
        names: its coefficients.
        problem: as `PowerSum.positive_problem`, of N and D.
        loss: (coefficients, N, D) -> L.
        limits: of its coefficients.
    """

    name: str
    names: tuple[str, ...]
    problem: Callable[..., tuple[Problem, Array]]
    loss: Callable[[Coefficients, Array, Array], Array]
    limits: Limits = NO_LIMITS


LIMITS: Limits = {
    "E": Limit("larger models on more data", may=True),
    "alpha": Limit("runs of smaller and of larger models"),
    "beta": Limit("runs of less and of more data"),
}
ADDED = SizeAndData("chinchilla", CHINCHILLA.names, CHINCHILLA.positive_problem, loss, LIMITS)
BOTH = "runs with too little data for their size beside runs with too much"
COUPLED = SizeAndData(
    "coupled",
    coupled.NAMES,
    coupled.coupled_problem,
    coupled.loss,
    {**LIMITS, "k": Limit(BOTH, coupled.MOST, coupled.LEAST)},
)


def fit_chinchilla(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> FitResult:
    """Fit approach 3; the form is a charge of `CHARGES`.

    A table that gives nats per token is fitted in tokens, any other in bytes and bits per byte. The
    tenth of the runs with the most compute is also left out and predicted.

    Raises:
        InputError: unknown form, a missing column, or fewer than six runs, three sizes or three
            amounts of data.
    """
    return _fit(ADDED, runs, options, bootstrap)


def fit_coupled(runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES) -> FitResult:
    """Fit L = E + (A N^(-alpha/k) + B D^(-beta/k))^k in the same way.

    Raises:
        InputError: unknown form, a missing column, or fewer than seven runs, three sizes or three
            amounts of data.
    """
    return _fit(COUPLED, runs, options, bootstrap)


def _fit(of: SizeAndData, runs: Runs, options: Options, bootstrap: Bootstrap) -> FitResult:
    form = form_of(of.name, options.form)
    in_tokens = "nats_per_token" in runs.rows.columns
    law, data_name = (of.name, "tokens") if in_tokens else (f"{of.name}-bytes", "bytes")
    loss_unit = NATS if in_tokens else BITS
    params = runs.column("params", of.name)
    data = runs.column(f"train_{data_name}", of.name)
    observed = runs.column("nats_per_token" if in_tokens else "bits_per_byte", of.name)
    need(
        runs,
        of.name,
        (params, 3, "model sizes"),
        (data, 3, "amounts of data"),
        (len(params), len(of.names) + 1, "runs"),
    )
    charge = CHARGES[form]
    problem, starts = make_problem(params, data, observed, charge, of)
    compute = runs.column("compute_flops", law) if runs.has("compute_flops") else params * data
    stage = OneStage(
        law=law,
        form=form,
        method=f"{charge.says}; {SEARCH}",
        problem=problem,
        starts=starts,
        formula=lambda p: of.loss(p, params, data),
        observed=observed,
        inputs={"params": params, data_name: data},
        units={"residuals": loss_unit, "E": loss_unit},
        conventions={"loss": loss_unit, "data": data_name},
        holdout=_holdout(compute, params, data, observed, charge, of),
        annealed=ANNEALED,
        kink=charge.kink,
        limits=of.limits,
        tied=proportional("N", params, "D", data, of.names[1:5]),
    )
    return fit_stage(stage, runs, bootstrap)


def make_problem(
    params: Array, data: Array, observed: Array, charge: Charge, of: SizeAndData = ADDED
) -> tuple[Problem, Array]:
    """Return the engine's problem and [K, p] starts for it; N, D and L are [n]."""
    columns = {"N": params, "D": data}
    return of.problem(columns, observed, charge.loss, STARTS, relative=charge.logarithm)


def _holdout(
    compute: Array, params: Array, data: Array, observed: Array, charge: Charge, of: SizeAndData
) -> HoldOut | str:
    """Predict the tenth of the runs with the most compute; or, if that holds more, all of the
    largest budget."""
    cut = np.quantile(compute, 0.9)
    rest, rule = compute <= cut, f"compute above {cut:.3g} left out"
    if rest.all():
        rest, rule = compute < compute.max(), f"compute_flops = {compute.max():g} left out"
    sizes, amounts = len(np.unique(params[rest])), len(np.unique(data[rest]))
    fewest = max(FEWEST_LEFT, len(of.names) + 2)
    if rest.sum() < fewest or min(sizes, amounts) < 3:
        return few_left(compute.max(), f"{int(rest.sum())} runs of {sizes} sizes")
    p = point(*make_problem(params[rest], data[rest], observed[rest], charge, of), ANNEALED)
    predicted = of.loss(p, params[~rest], data[~rest])
    found = held_out(rule, observed[~rest], predicted)
    return found or "a fit to the smaller budgets predicts no number for the largest"
