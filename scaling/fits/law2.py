"""Fitting Law II: the price of a compression rate, on the minima of every budget and rate."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError, did_you_mean
from scaling.engine.bootstrap import (
    TWO_STAGE,
    Bootstrap,
    leverages,
    residual_targets,
    with_misfit,
)
from scaling.engine.loss import SQUARES
from scaling.engine.newton import Minimum, Model, minimise
from scaling.engine.separable import grid, search
from scaling.fits.assemble import assemble, held_out
from scaling.fits.cells import (
    Cell,
    cell_findings,
    find_minima,
    make_cells,
    optima_given,
    replicates,
)
from scaling.fits.checks import correlated, misfit, outliers
from scaling.laws.law2 import FORMS
from scaling.laws.law2 import loss as law2_loss
from scaling.result import Finding, FitResult, HoldOut
from scaling.runs import Runs

Array = NDArray[np.float64]
LAW = "law2"
GAMMAS = -np.geomspace(0.02, 1.0, 24)
DELTAS = np.linspace(-0.15, 0.3, 19)


class Optima(NamedTuple):
    """Best loss of every budget and rate: [m] each, and [R, m] losses of the replicates."""

    compute: Array
    rate: Array
    loss: Array
    copies: Array | None
    findings: list[Finding]


def fit_law2(
    runs: Runs,
    form: str = "compute-dependent",
    bootstrap: Bootstrap = TWO_STAGE,
    minima: str = "parabola",
    context: Mapping[str, float | str] | None = None,
) -> FitResult:
    """Fit one of Law II's nested forms by least squares on the optima.

    A table with one row per budget and rate is taken as the optima; otherwise they are found, as
    the `parabola` minimum of every cell or as its `lowest` run. The largest budget is also left
    out, predicted, and reported as the hold-out.

    Raises:
        InputError: form unknown, or too few budgets or rates for it.
    """
    if form not in FORMS:
        raise InputError(f"{LAW} has no form {form!r}{did_you_mean(form, FORMS)}")
    optima = _optima(runs, bootstrap, minima)
    _enough(runs, optima, form)
    problem = _Problem(form, np.log(optima.compute), np.log(optima.rate))
    best = problem.fit(optima.loss)
    estimates = {name: one[0] for name, one in problem.public(best.theta).items()}
    model = problem.model()
    fitted, jacobian = model.value(best.theta)[0], model.jacobian(best.theta)[0]
    residuals = optima.loss - fitted
    copies, share = optima.copies, 0.0
    leverage = leverages(jacobian)
    if copies is not None:
        copies, share = with_misfit(copies, residuals, leverage, bootstrap.generator())
    elif bootstrap.kind != "none":
        # Optima carry no runs to resample: the curve's own residuals are the noise there is.
        one = np.zeros(len(residuals), np.int64)
        bootstrap = bootstrap._replace(kind="residuals")
        copies = residual_targets(
            fitted, residuals, leverage, one, bootstrap.draws, bootstrap.generator()
        )
    draws = None if copies is None else problem.public(problem.refit(best.theta, copies))
    findings = optima.findings + misfit(share, LAW)
    findings += outliers(residuals, leverage, len(FORMS[form]), np.arange(1, len(residuals) + 1))
    if draws is not None:
        findings += correlated(draws, FORMS[form])
    return assemble(
        law=LAW,
        form=form,
        estimates=estimates,
        draws=draws,
        observed=optima.loss,
        residuals=residuals,
        parameters=len(FORMS[form]),
        converged=bool(best.converged[0]),
        method="least squares; grid over the exponents with the rest solved, then Newton",
        pipeline="both stages repeated" if optima.copies is not None else "optima as given",
        bootstrap=bootstrap,
        runs=runs,
        inputs={"compute_flops": optima.compute, "compression_rate": optima.rate},
        units={"residuals": "bits per byte", "F": "bits per byte", "E": "bits per byte"},
        context=context,
        conventions={"compute": "total budget"},
        findings=findings,
        holdout=_holdout(form, optima),
    )


def _optima(runs: Runs, bootstrap: Bootstrap, minima: str) -> Optima:
    loss = runs.column("bits_per_byte", LAW)
    compute, rate = runs.column("compute_flops", LAW), runs.column("compression_rate", LAW)
    if optima_given(runs, LAW):
        return Optima(compute, rate, loss, None, [])
    if minima not in ("parabola", "lowest"):
        raise InputError(f"minima are found by 'parabola' or 'lowest', not by {minima!r}")
    cells = make_cells(runs, LAW)
    point = find_minima(cells, loss[None], np.ones((1, len(loss))))
    replicas = replicates(cells, loss, bootstrap)
    if minima == "lowest":
        height = _lowest(cells, loss[None], np.ones((1, len(loss))))
        copies = None if replicas is None else _lowest(cells, *replicas)
    else:
        height = point.loss
        copies = None if replicas is None else find_minima(cells, *replicas).loss
    found = np.isfinite(height[0])
    here = tuple(cell for cell, one in zip(cells, found, strict=True) if one)
    if copies is not None:
        copies = copies[:, found]
        # A replicate's missing minimum takes the point estimate: it then adds no noise there.
        copies = np.where(np.isfinite(copies), copies, height[0, found])
    return Optima(
        np.array([cell.compute for cell in here]),
        np.array([cell.rate for cell in here]),
        height[0, found],
        copies,
        cell_findings(cells, point),
    )


def _lowest(cells: tuple[Cell, ...], loss: Array, weights: Array) -> Array:
    seen = np.where(weights > 0, loss, np.inf)
    return np.stack([seen[:, cell.rows].min(axis=1) for cell in cells], axis=1)


def _enough(runs: Runs, optima: Optima, form: str) -> None:
    budgets, rates = len(np.unique(optima.compute)), len(np.unique(optima.rate))
    least_rates = 1 if form == "mean" else 3
    for count, least, what in (
        (budgets, 3, "compute budgets"),
        (rates, least_rates, "compression rates"),
        (len(optima.loss), len(FORMS[form]) + 1, "optima"),
    ):
        if count < least:
            raise InputError(
                f"{runs.name}: {LAW} ({form}) needs at least {least} {what}, and there "
                f"{'is' if count == 1 else 'are'} {count}"
            )


def _holdout(form: str, optima: Optima) -> HoldOut | None:
    """Leave out the largest budget, predict it from the others."""
    largest = optima.compute == optima.compute.max()
    rest = ~largest
    if len(np.unique(optima.compute[rest])) < 3 or rest.sum() <= len(FORMS[form]):
        return None
    problem = _Problem(form, np.log(optima.compute[rest]), np.log(optima.rate[rest]))
    p = {name: one[0] for name, one in problem.public(problem.fit(optima.loss[rest]).theta).items()}
    predicted = law2_loss(p, optima.compute[largest], optima.rate[largest])
    return held_out(
        f"compute_flops = {optima.compute.max():g} left out", optima.loss[largest], predicted
    )


class _Problem:
    """Law II in centred coordinates, c = ln C - mean and t = ln T - mean.

    theta = (gamma, l, e, f, tau, delta): `l exp(gamma c) + e + f (t - tau + delta c)^2`, cut to the
    form's own coefficients.
    """

    def __init__(self, form: str, ln_compute: Array, ln_rate: Array) -> None:
        self.size = len(FORMS[form])
        self.centre, self.middle = float(ln_compute.mean()), float(ln_rate.mean())
        self.c, self.t = ln_compute - self.centre, ln_rate - self.middle

    def fit(self, loss: Array) -> Minimum:
        """Return the best of the polished grid nodes, as a batch of one."""
        axes = [GAMMAS] if self.size < 6 else [GAMMAS, DELTAS]
        ones = np.ones(len(loss))
        nodes = search(self._design, loss, ones, grid(axes), SQUARES, keep=6)
        found = minimise(
            self.model(), loss, ones, self._from_nodes(nodes.exponents, nodes.linear), SQUARES
        )
        return found.best()

    def refit(self, start: Array, copies: Array) -> Array:
        """Return [R, p] the coefficients of each replicate's losses, nan where none was found."""
        starts = np.repeat(start, len(copies), axis=0)
        found = minimise(
            self.model(), copies, np.ones(copies.shape[1]), starts, SQUARES, tolerance=1e-10
        )
        return np.where(found.converged[:, None], found.theta, np.nan)

    def model(self) -> Model:
        """Return the engine's view of the form."""
        return Model(self._value, self._jacobian)

    def public(self, theta: Array) -> dict[str, Array]:
        """Return the published coefficients, [R] each, in raw FLOPs and bytes per token."""
        with np.errstate(over="ignore"):
            p = {
                "gamma": theta[:, 0],
                "L0": theta[:, 1] * np.exp(-theta[:, 0] * self.centre),
                "E": theta[:, 2],
            }
            if self.size >= 5:
                delta = theta[:, 5] if self.size == 6 else np.zeros(len(theta))
                p |= {
                    "F": theta[:, 3],
                    "T0": np.exp(theta[:, 4] + self.middle + delta * self.centre),
                    "delta": delta,
                }
        names = {3: "mean", 5: "constant", 6: "compute-dependent"}[self.size]
        return {name: p[name] for name in FORMS[names]}

    def _design(self, exponents: Array) -> Array:
        power = np.exp(exponents[:, :1] * self.c)
        ones = np.ones_like(power)
        if self.size == 3:
            return np.stack([power, ones], axis=-1)
        shift = exponents[:, 1:] * self.c if self.size == 6 else np.zeros_like(power)
        u = self.t + shift
        return np.stack([power, ones, u**2, u], axis=-1)

    def _from_nodes(self, exponents: Array, linear: Array) -> Array:
        theta = np.zeros((len(linear), self.size))
        theta[:, 0], theta[:, 1], theta[:, 2] = exponents[:, 0], linear[:, 0], linear[:, 1]
        if self.size >= 5:
            f, slope = linear[:, 2], linear[:, 3]
            tau = -slope / (2 * np.where(f == 0, 1e-12, f))
            theta[:, 3], theta[:, 4] = f, tau
            theta[:, 2] -= f * tau**2
        if self.size == 6:
            theta[:, 5] = exponents[:, 1]
        return theta

    def _value(self, theta: Array) -> Array:
        value = theta[:, 1:2] * np.exp(theta[:, :1] * self.c) + theta[:, 2:3]
        if self.size >= 5:
            value = value + theta[:, 3:4] * self._away(theta) ** 2
        return np.asarray(value)

    def _away(self, theta: Array) -> Array:
        away = self.t - theta[:, 4:5]
        return away + theta[:, 5:6] * self.c if self.size == 6 else away

    def _jacobian(self, theta: Array) -> Array:
        power = np.exp(theta[:, :1] * self.c)
        columns = [theta[:, 1:2] * power * self.c, power, np.ones_like(power)]
        if self.size >= 5:
            away = self._away(theta)
            columns += [away**2, -2 * theta[:, 3:4] * away]
            if self.size == 6:
                columns.append(2 * theta[:, 3:4] * away * self.c)
        return np.stack(columns, axis=-1)
