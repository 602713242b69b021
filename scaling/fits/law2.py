"""Fitting Law II: the price of a compression rate, on the minima of every budget and rate."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import RESIDUALS, Bootstrap, leverages, residual_targets, with_misfit
from scaling.engine.newton import SQUARES, Array, Predictor
from scaling.engine.problem import Problem, grid, search
from scaling.fits.assemble import (
    assemble,
    columns,
    finite,
    first,
    goodness,
    leave_out_largest,
    need,
    provenance,
)
from scaling.fits.findings import (
    beyond_rates,
    correlated,
    misfit,
    outliers,
    starts_agree,
    upside_down,
)
from scaling.fits.minima import (
    IsoflopCell,
    cell_findings,
    find_minima,
    make_cells,
    optima_given,
    replicates,
)
from scaling.fits.single_stage import SEARCH, point, without_resampling
from scaling.laws.optimum import best_rate, law2_loss
from scaling.laws.registry import DEFAULTS, LAWS, Options, form_of
from scaling.result import Finding, FitResult
from scaling.runs import Runs

LAW = "law2"
FORMS = LAWS[LAW].forms
GAMMAS = -np.geomspace(0.02, 1.0, 24)
DELTAS = np.linspace(-0.15, 0.3, 19)


class Optima(NamedTuple):
    """Best loss of every budget and rate: [m] each, and [R, m] losses of the replicates.

    Attributes:
        runs: what they were found in; runs on curves of too few sizes are left out.
    """

    runs: Runs
    compute: Array
    rate: Array
    loss: Array
    copies: Array | None
    findings: list[Finding]


def fit_law2(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = RESIDUALS
) -> FitResult:
    """Fit one of Law II's nested forms by least squares on the optima.

    A table with one row per budget and rate is taken as the optima; otherwise they are found, as
    the `parabola` minimum of every cell or as its `lowest` run. The largest budget is also left
    out, predicted, and reported as the hold-out.

    Raises:
        InputError: form unknown, or too few budgets or rates for it.
    """
    form = form_of(LAW, options.form)
    optima = _optima(runs, bootstrap, options.minima)
    runs, names = optima.runs, FORMS[form]
    need(
        runs,
        f"{LAW} ({form})",
        (optima.compute, 3, "compute budgets"),
        (optima.rate, 1 if form == "mean" else 3, "compression rates"),
        (len(optima.loss), len(names) + 1, "optima"),
    )
    problem, starts = make_problem(form, optima.compute, optima.rate, optima.loss)
    best, agree = problem.fit(starts)
    estimates = first(problem.public(best.theta))
    fitted = problem.model.value(best.theta)[0]
    residuals = optima.loss - fitted
    leverage = leverages(problem.model.jacobian(best.theta)[0])
    copies, share = optima.copies, 0.0
    if copies is not None:
        copies, share = with_misfit(copies, residuals, leverage, bootstrap.generator())
    elif bootstrap.resamples:
        # Optima carry no runs to resample: the curve's own residuals are the noise there is.
        stratum = np.zeros(len(residuals), np.int64)
        bootstrap = bootstrap._replace(kind="residuals")
        copies = residual_targets(
            fitted, residuals, leverage, stratum, bootstrap.draws, bootstrap.generator()
        )
    draws = None if copies is None else problem.public(problem.retarget(best.theta, copies))
    findings = optima.findings + misfit(share, LAW) + starts_agree(agree, len(starts))
    findings += outliers(residuals, leverage, len(names), np.arange(1, len(residuals) + 1))
    if draws is not None:
        findings += correlated(draws, names)
    wrong = upside_down(estimates, optima.loss)
    if not wrong and "T0" in estimates:
        best_rates = np.broadcast_to(best_rate(estimates, optima.compute), optima.rate.shape)
        findings += beyond_rates(optima.compute, optima.rate, best_rates)
    fit = FitResult(
        law=LAW,
        form=form,
        estimates=finite(estimates),
        method=f"least squares; {SEARCH}",
        status="converged" if best.converged[0] else "not converged",
        units=LAWS[LAW].units,
        holdout=leave_out_largest(
            optima.compute,
            optima.loss,
            lambda left_out: _predict_left_out(form, optima, left_out),
            fewest_rows=len(names) + 1,
        ),
        findings=(*findings, *wrong),
        **goodness(optima.loss, residuals, len(names)),
        **provenance(
            runs,
            {"compute_flops": optima.compute, "compression_rate": optima.rate},
            {"compute": "total budget"},
        ),
    )
    pipeline = "both stages repeated" if optima.copies is not None else "optima as given"
    ends = without_resampling(problem, best.theta, bootstrap)
    return assemble(fit, runs, len(names), bootstrap, draws, pipeline, ends)


def _optima(runs: Runs, bootstrap: Bootstrap, minima: str) -> Optima:
    if optima_given(runs, LAW):
        compute, rate, loss = columns(runs, LAW)
        return Optima(runs, compute, rate, loss, None, [])
    cells, runs = make_cells(runs, LAW)
    loss = runs.column("bits_per_byte", LAW)
    point = find_minima(cells, loss[None])
    replicas = replicates(cells, loss, bootstrap, student=False)
    if minima == "lowest":
        height = _lowest(cells, loss[None], np.ones((1, len(loss))))
        copies = None if replicas is None else _lowest(cells, *replicas)
    else:
        height = point.loss
        copies = None if replicas is None else find_minima(cells, *replicas).loss
    found = np.isfinite(height[0])
    here = tuple(cell for cell, inside in zip(cells, found, strict=True) if inside)
    if copies is not None:
        copies = copies[:, found]
        # A replicate's missing minimum takes the point estimate: it then adds no noise there.
        copies = np.where(np.isfinite(copies), copies, height[0, found])
    return Optima(
        runs,
        np.array([cell.compute for cell in here]),
        np.array([cell.rate for cell in here]),
        height[0, found],
        copies,
        cell_findings(cells, point, loss),
    )


def _lowest(cells: tuple[IsoflopCell, ...], loss: Array, weights: Array) -> Array:
    seen = np.where(weights > 0, loss, np.inf)
    return np.stack([seen[:, cell.rows].min(axis=1) for cell in cells], axis=1)


def _predict_left_out(form: str, optima: Optima, left_out: NDArray[np.bool_]) -> Array:
    compute, rate = optima.compute, optima.rate
    rest = ~left_out
    p = point(*make_problem(form, compute[rest], rate[rest], optima.loss[rest]))
    return law2_loss(p, compute[left_out], rate[left_out])


def make_problem(form: str, compute: Array, rate: Array, loss: Array) -> tuple[Problem, Array]:
    """Return the engine's problem and its starts, in logarithms from the data's centre."""
    coordinates = _Law2Coordinates(form, np.log(compute), np.log(rate))
    model = Predictor(coordinates.value, coordinates.jacobian)
    problem = Problem(model, loss, SQUARES, FORMS[form], coordinates.public)
    return problem, coordinates.starts(loss)


class _Law2Coordinates:
    """Law II in centred coordinates, c = ln C - mean and t = ln T - mean.

    theta follows the form's names, with l = L0' and e = E linear, f = F and tau = ln T0':
    `l exp(gamma c) + e + f (t - tau + delta c)^2`.
    """

    def __init__(self, form: str, ln_compute: Array, ln_rate: Array) -> None:
        self.names = FORMS[form]
        self.centre, self.middle = float(ln_compute.mean()), float(ln_rate.mean())
        self.c, self.t = ln_compute - self.centre, ln_rate - self.middle

    def starts(self, loss: Array) -> Array:
        """Return the best grid nodes, the linear part solved at each."""
        axes = [GAMMAS, DELTAS] if "delta" in self.names else [GAMMAS]
        nodes = search(self._design, loss, np.ones(len(loss)), grid(axes), SQUARES, keep=6)
        level, floor = nodes.linear[:, 0], nodes.linear[:, 1]
        if "F" not in self.names:
            return np.stack([nodes.exponents[:, 0], level, floor], axis=1)
        f, slope = nodes.linear[:, 2], nodes.linear[:, 3]
        tau = -slope / (2 * np.where(f == 0, 1e-12, f))
        columns = [nodes.exponents[:, 0], level, floor - f * tau**2, f, tau]
        if "delta" in self.names:
            columns.append(nodes.exponents[:, 1])
        return np.stack(columns, axis=1)

    def public(self, theta: Array) -> dict[str, Array]:
        """Return the published coefficients, [R] each, in raw FLOPs and bytes per token."""
        p = dict(zip(self.names, theta.T, strict=True))
        with np.errstate(over="ignore"):
            p["L0"] = p["L0"] * np.exp(-p["gamma"] * self.centre)
            if "T0" in p:
                p["T0"] = np.exp(p["T0"] + self.middle + p.get("delta", 0.0) * self.centre)
        return p

    def value(self, theta: Array) -> Array:
        """Return [R, m] losses."""
        value = theta[:, 1:2] * np.exp(theta[:, :1] * self.c) + theta[:, 2:3]
        if "F" in self.names:
            value = value + theta[:, 3:4] * self._away(theta) ** 2
        return np.asarray(value)

    def jacobian(self, theta: Array) -> Array:
        """Return [R, m, p] their derivatives."""
        power = np.exp(theta[:, :1] * self.c)
        columns = [theta[:, 1:2] * power * self.c, power, np.ones_like(power)]
        if "F" in self.names:
            away = self._away(theta)
            columns += [away**2, -2 * theta[:, 3:4] * away]
            if "delta" in self.names:
                columns.append(2 * theta[:, 3:4] * away * self.c)
        return np.stack(columns, axis=-1)

    def _away(self, theta: Array) -> Array:
        away = self.t - theta[:, 4:5]
        return away + theta[:, 5:6] * self.c if "delta" in self.names else away

    def _design(self, exponents: Array) -> Array:
        """Return columns in which the form is linear: with u = t + delta c, f (u - tau)^2 is."""
        power = np.exp(exponents[:, :1] * self.c)
        ones = np.ones_like(power)
        if "F" not in self.names:
            return np.stack([power, ones], axis=-1)
        u = self.t + exponents[:, 1:] * self.c if "delta" in self.names else self.t * ones
        return np.stack([power, ones, u**2, u], axis=-1)
