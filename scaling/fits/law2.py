"""Fitting Law II: the price of a compression rate, on the minima of every budget and rate."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import (
    RESIDUALS,
    Bootstrap,
    NoiseTrend,
    leverages,
    noise_trend,
    residual_targets,
    with_misfit,
)
from scaling.engine.newton import Array
from scaling.engine.shared import shared_targets, two_levels
from scaling.fits.assemble import (
    assemble,
    columns,
    few_minima,
    finite,
    first,
    goodness,
    leave_out_largest,
    need,
    provenance,
    tried_on,
)
from scaling.fits.blocks import (
    RowBlocks,
    blocks_of,
    blocks_of_curves,
    kinds_of_optima,
    shared_noise,
)
from scaling.fits.findings import (
    beyond_rates,
    correlated,
    misfit,
    outliers,
    starts_agree,
    through_zero,
    upside_down,
    with_open_ends,
)
from scaling.fits.law2_forms import FORMS, chosen_form, make_problem
from scaling.fits.minima import (
    IsoflopCell,
    cell_findings,
    find_minima,
    fitted_curves,
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


class Optima(NamedTuple):
    """Best loss of every budget and rate: [m] each, and [R, m] losses of the replicates.

    Attributes:
        runs: what they were found in; runs on curves of too few sizes are left out.
        blocks: which of them are resampled together.
        curves: budgets and rates of all curves, [c] each; found: [c] whether a curve has one.
        noise: how that of the runs follows ln C; None without runs.
    """

    runs: Runs
    compute: Array
    rate: Array
    loss: Array
    copies: Array | None
    findings: list[Finding]
    blocks: RowBlocks
    curves: tuple[Array, Array]
    found: NDArray[np.bool_]
    noise: NoiseTrend | None


def fit_law2(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = RESIDUALS
) -> FitResult:
    """Fit one of Law II's nested forms by least squares on the optima.

    A table with one row per budget and rate is taken as the optima; otherwise they are found, as
    the `parabola` minimum of every cell or as its `lowest` run. The largest budget is also left
    out, predicted, and reported as the hold-out. Where no form is named, `chosen_form` names it.

    Raises:
        InputError: form unknown, or too few budgets or rates for it.
    """
    form = form_of(LAW, options.form)
    optima = _optima(runs, bootstrap, options.minima)
    if not options.form:
        form, why = chosen_form(optima.compute, optima.rate, optima.loss)
        optima.findings.extend(why)
    runs, names = optima.runs, FORMS[form]
    budgets, rates = optima.curves
    wanted = (
        (budgets, 3, "compute budgets"),
        (rates, 1 if form == "mean" else 3, "compression rates"),
        (np.arange(len(budgets)), len(names) + 1, "optima"),
    )
    need(runs, f"{LAW} ({form})", *wanted)
    for labels, least, what in wanted:
        if len(np.unique(labels[optima.found])) < least:
            of = f"{LAW} ({form})"
            few = few_minima(runs, of, labels, optima.found, least, what, optima.findings)
            return few.model_copy(update={"law": LAW, "form": form})
    problem, starts = make_problem(form, optima.compute, optima.rate, optima.loss)
    best, agree = problem.fit(starts)
    estimates = first(problem.public(best.theta))
    fitted = problem.model.value(best.theta)[0]
    residuals = optima.loss - fitted
    jacobian = problem.model.jacobian(best.theta)[0]
    blocks, kinds = optima.blocks, kinds_of_optima(optima.compute, optima.rate)
    leverage, spent = leverages(jacobian), np.log(optima.compute)
    copies, share = optima.copies, 0.0
    if copies is not None and blocks.shared is None:
        copies, share = with_misfit(copies, residuals, leverage, bootstrap.generator(), spent)
    elif bootstrap.resamples:
        # What optima share does not show within them, and optima as given carry no runs: their own
        # residuals are the noise there is. Small budgets are noisier, so these are exchanged as
        # multiples of what is usual at their budget.
        bootstrap = bootstrap._replace(kind="residuals")
        trend = optima.noise or noise_trend(residuals, leverage, spent)
        copies = fitted + trend.draw(spent, bootstrap.draws, bootstrap.generator().spawn(1)[0]) * (
            _resampled(residuals, jacobian, trend.scale(spent), blocks, bootstrap)
        )
    draws = None if copies is None else problem.public(problem.retarget(best.theta, copies))
    findings = optima.findings + misfit(share, LAW) + starts_agree(agree, len(starts))
    findings += [*blocks.findings, *shared_noise(residuals, jacobian, kinds, blocks)]
    findings += outliers(residuals, leverage, len(names), np.arange(1, len(residuals) + 1))
    if draws is not None:
        findings += correlated(draws, names)
    holdout, no_holdout = tried_on(
        leave_out_largest(
            optima.compute,
            optima.loss,
            lambda left_out: _predict_left_out(form, optima, left_out),
            fewest_rows=len(names) + 1,
        )
    )
    findings += no_holdout
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
        holdout=holdout,
        findings=(*findings, *wrong),
        **goodness(optima.loss, residuals, len(names)),
        **provenance(
            runs,
            {"compute_flops": optima.compute, "compression_rate": optima.rate},
            {"compute": "total budget"},
        ),
    )
    pipeline = "both stages repeated" if optima.copies is not None else "optima as given"
    if blocks.shared is not None:
        pipeline = "optima as found"
    ends = without_resampling(problem, best.theta, bootstrap, blocks)
    fit = assemble(fit, runs, len(names), bootstrap, draws, pipeline, ends, blocks.what)
    left_open = through_zero(draws, ends, {"gamma": ("L0", "E")}, bootstrap.level)
    return fit if bootstrap.kind == "none" else with_open_ends(fit, {}, left_open)


def _resampled(
    residuals: Array, jacobian: Array, scale: Array, blocks: RowBlocks, bootstrap: Bootstrap
) -> Array:
    """Return [R, m] residuals resampled as multiples of their [m] scale, by their blocks if any."""
    none, whole = np.zeros(len(residuals)), np.zeros(len(residuals), np.int64)
    multiples, generator = residuals / scale, bootstrap.generator()
    if blocks.shared is None:
        leverage, draws = leverages(jacobian), bootstrap.draws
        return residual_targets(none, multiples, leverage, whole, draws, generator)
    levels = two_levels(multiples, jacobian / scale[:, None], blocks.numbers)
    return shared_targets(none, levels, whole, bootstrap.draws, generator)


def _optima(runs: Runs, bootstrap: Bootstrap, minima: str) -> Optima:
    if optima_given(runs, LAW):
        compute, rate, loss = columns(runs, LAW)
        blocks = blocks_of(runs, bootstrap.block, LAW)
        every = np.ones(len(loss), bool)
        return Optima(runs, compute, rate, loss, None, [], blocks, (compute, rate), every, None)
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
    found = np.isfinite(point.loss[0])
    here = tuple(cell for cell, inside in zip(cells, found, strict=True) if inside)
    if copies is not None:
        copies = copies[:, found]
    fitted, leverage = fitted_curves(cells, loss)
    spent = np.log(runs.column("compute_flops", LAW))
    return Optima(
        runs,
        np.array([cell.compute for cell in here]),
        np.array([cell.rate for cell in here]),
        height[0, found],
        copies,
        cell_findings(cells, point, loss),
        blocks_of_curves(runs, [cell.rows for cell in here], bootstrap.block, LAW),
        (np.array([cell.compute for cell in cells]), np.array([cell.rate for cell in cells])),
        found,
        noise_trend(loss - fitted, leverage, spent),
    )


def _lowest(cells: tuple[IsoflopCell, ...], loss: Array, weights: Array) -> Array:
    seen = np.where(weights > 0, loss, np.inf)
    return np.stack([seen[:, cell.rows].min(axis=1) for cell in cells], axis=1)


def _predict_left_out(form: str, optima: Optima, left_out: NDArray[np.bool_]) -> Array:
    """Return predictions of the optima left out, from a fit to the others."""
    compute, rate = optima.compute, optima.rate
    rest = ~left_out
    p = point(*make_problem(form, compute[rest], rate[rest], optima.loss[rest]))
    return law2_loss(p, compute[left_out], rate[left_out])
