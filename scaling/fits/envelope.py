"""Fitting the loss envelope: the best loss of a budget as a power of the budget."""

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.engine.bootstrap import RESIDUALS, Bootstrap, leverages, residual_targets
from scaling.fits.assemble import assemble, held_out
from scaling.fits.powers import line
from scaling.fits.single_stage import need
from scaling.laws import power
from scaling.result import FitResult
from scaling.runs import Runs

Array = NDArray[np.float64]


def fit_envelope(
    runs: Runs,
    irreducible: float,
    bootstrap: Bootstrap = RESIDUALS,
) -> FitResult:
    """Fit L* = E + A C^-alpha with E given, through the lowest loss of each budget, in logarithms.

    The largest budget is also left out and predicted.

    Raises:
        InputError: fewer than three budgets, or a loss not above E.
    """
    law = "envelope"
    budgets = runs.column("compute_flops", law)
    loss = runs.column("nats_per_token" if runs.has("nats_per_token") else "bits_per_byte", law)
    compute = np.unique(budgets)
    lowest = np.array([loss[budgets == one].min() for one in compute])
    need(runs, law, (len(compute), 3, "compute budgets"))
    if not np.isfinite(irreducible):
        raise InputError(f"{law}: E = {irreducible:g} is no loss; give --irreducible, e.g. 1.6")
    if not lowest.min() > irreducible:
        raise InputError(
            f"{runs.name}: {law} has E = {irreducible:g}, and the lowest loss is {lowest.min():g}; "
            "give an E below it"
        )
    x, y = np.log(compute), np.log(lowest - irreducible)

    def public(level: Array, slope: Array) -> dict[str, Array]:
        return {"E": np.full_like(slope, irreducible), "A": np.exp(level), "alpha": -slope}

    ones = np.ones(len(x))
    level, slope = line(x, y, ones)
    estimates = {name: float(one) for name, one in public(level, slope).items()}
    fitted = level + slope * x
    draws = None
    if bootstrap.resamples:
        leverage = leverages(np.stack([ones, x - x.mean()], axis=1))
        whole = np.zeros(len(x), np.int64)
        targets = residual_targets(
            fitted, y - fitted, leverage, whole, bootstrap.draws, bootstrap.generator()
        )
        draws = public(*line(x, targets, ones))
    holdout = None
    if len(x) > 3:
        rest = {name: float(one) for name, one in public(*line(x[:-1], y[:-1], ones[:-1])).items()}
        rule = f"compute_flops = {compute[-1]:g} left out"
        holdout = held_out(rule, lowest[-1:], power.envelope(rest, compute[-1:]))
    return assemble(
        law=law,
        form="E given",
        estimates=estimates,
        draws=draws,
        observed=lowest,
        residuals=lowest - power.envelope(estimates, compute),
        parameters=2,
        converged=True,
        method="least squares of ln (L - E) on ln C",
        pipeline="line refitted",
        bootstrap=bootstrap._replace(kind="residuals") if draws is not None else bootstrap,
        runs=runs,
        inputs={"compute_flops": compute},
        units={"residuals": "as the loss"},
        holdout=holdout,
    )
