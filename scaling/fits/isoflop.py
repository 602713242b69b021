"""Fitting isoFLOP bowls: a parabola for every budget and rate, a paraboloid for every budget."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from scaling.engine.bootstrap import (
    CASES,
    RESIDUALS,
    Bootstrap,
    case_weights,
    leverages,
    residual_targets,
)
from scaling.engine.newton import Array, solve_weighted
from scaling.engine.shared import shared_targets, two_levels
from scaling.fits.assemble import (
    FAMILY,
    FitContext,
    assemble,
    columns,
    finite,
    first,
    fit_each,
    goodness,
    need,
    provenance,
    unfitted,
)
from scaling.fits.blocks import MANY, RowBlocks, blocks_of, kinds_of, shared_noise
from scaling.fits.findings import OUTSIDE, Limit, correlated, failure, outliers, warning
from scaling.fits.minima import (
    Minima,
    cell_findings,
    data_column,
    find_minima,
    fitted_losses,
    make_cells,
    one_cell,
    reach,
    replicates,
    thin_curves,
)
from scaling.fits.seed_levels import seed_contrasts, seed_finding
from scaling.laws.optimum import (
    SURFACE_NAMES,
    parabola,
    place,
    surface_design,
    surface_vertex,
    token_parabola,
)
from scaling.laws.registry import BITS, DEFAULTS, LAWS, NATS, Options
from scaling.result import Finding, FitResult, context_text
from scaling.runs import Runs

BITS_COLUMN, NATS_COLUMN = "bits_per_byte", "nats_per_token"
_MORE = ("compression rates further out", "sizes further out")
SADDLES = 0.1  # share of the draws that may form no bowl: of few rates some lack a side of it
ENOUGH_FOR_CASES = 8  # five cover 50 % where they say 95 %, six 80 %


def fit_parabolas(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = RESIDUALS
) -> tuple[FitResult, ...]:
    """Fit `L = L* + c (ln B - ln B*)^2` for every budget and rate.

    A table that counts tokens, and knows no bytes of them, is fitted in tokens; its losses may then
    be nats per token.

    Cells of one budget exchange residuals in the bootstrap, for a curve of six sizes has too few of
    its own.

    Raises:
        InputError: no curve has three sizes.
    """
    return fit_each("isoflop", runs.groups(FAMILY), lambda _, part: _parabolas(part, bootstrap))


def _parabolas(runs: Runs, bootstrap: Bootstrap) -> tuple[FitResult, ...]:
    law, results = "isoflop", []
    for thin in thin_curves(runs, law):
        where = _confined(thin.compute, thin.rate)
        reason = thin.reason + runs.remedy_of_few
        results.append(unfitted(law, runs.only(thin.rows), where, reason))
    if bootstrap.block and blocks_of(runs, bootstrap.block, law).what:
        raise InputError(
            f"{runs.name}: `block={bootstrap.block}`: {law} fits each curve by itself, and its runs"
            " are resampled one by one; leave it out, or fit law1 or law2"
        )
    cells, kept = make_cells(runs, law)
    # A thin curve has a result of its own, and is not said again in every other.
    said = replace(kept, excluded=runs.excluded)
    unit = _unit(kept)
    loss = kept.column(unit.loss, law)
    point = find_minima(cells, loss[None])
    copies = replicates(cells, loss, bootstrap, student=True)
    clouds = None if copies is None else find_minima(cells, *copies)
    for number, cell in enumerate(cells):
        findings = cell_findings((cell,), one_cell(point, number), loss)
        findings += _too_few_for_cases(len(cell.rows), bootstrap)
        optimum = _minimum(point, number, unit)
        estimates = finite(first(optimum))
        found = len(estimates) == len(optimum)
        if not found:
            findings = [_no_optimum(finding) for finding in findings]
        data, observed = np.exp(cell.x + cell.centre), loss[cell.rows]
        fitted = fitted_losses(cell, loss)
        fit = FitResult(
            law=unit.law,
            form=f"parabola in ln {unit.symbol}",
            estimates=estimates if found else {},
            method=f"least squares; N* by linear interpolation in (ln {unit.symbol}, ln N)",
            status="converged" if found else "not converged",
            units=_units(unit),
            findings=tuple(findings),
            **goodness(observed, observed - fitted, 3),
            **provenance(said, {unit.data: data}),
        )
        draws = _minimum(clouds, number, unit) if clouds is not None and found else None
        fit = assemble(fit, said, 3, bootstrap, draws, "parabola refitted")
        results.append(fit.within(_confined(cell.compute, cell.rate)))
    return tuple(results)


class _Unit(NamedTuple):
    """What a table counts, and what its parabolas are called.

    Attributes:
        law: of the result. data, loss: the columns. ratio: of data to parameters.
        symbol: of the data. formula: (coefficients, data) -> the loss.
    """

    law: str
    data: str
    loss: str
    ratio: str
    symbol: str
    formula: Callable[..., Array]


def _unit(runs: Runs) -> _Unit:
    """Return bytes and bits where the table can be read so; else tokens, and nats where it must."""
    if data_column(runs) == "train_bytes":
        return _Unit("isoflop", "train_bytes", BITS_COLUMN, "bytes_per_param", "B", parabola)
    loss = BITS_COLUMN if runs.has(BITS_COLUMN) or not runs.has(NATS_COLUMN) else NATS_COLUMN
    return _Unit("isoflop-tokens", "train_tokens", loss, "tokens_per_param", "D", token_parabola)


def _units(unit: _Unit) -> dict[str, str]:
    of_loss = NATS if unit.loss == NATS_COLUMN else BITS
    return {**LAWS["isoflop"].units, "curvature": f"{of_loss} per squared ln"}


def _confined(compute: float, rate: float) -> dict[str, float | str]:
    where: dict[str, float | str] = {"compute_flops": compute}
    return where if np.isnan(rate) else {**where, "compression_rate": rate}


_NO_OPTIMUM = {
    "concave parabola": "the losses bend downwards over ln B, so there is no minimum",
    OUTSIDE: "the losses still fall at an end of the sizes trained: the minimum lies beyond them,"
    " so there is no optimum",
}


def _no_optimum(finding: Finding) -> Finding:
    """Return the finding, a failure where it is why the one curve of a fit has no optimum."""
    text = _NO_OPTIMUM.get(finding.name)
    if text is None:
        return finding
    return finding.model_copy(update={"severity": "failure", "message": text})


def _too_few_for_cases(rows: int, bootstrap: Bootstrap) -> list[Finding]:
    """Return a warning where resampled cases hardly differ: a parabola must keep three sizes."""
    if bootstrap.kind != "cases" or rows >= ENOUGH_FOR_CASES:
        return []
    text = f"resampling cases of {rows} runs gives intervals that are too narrow; resample"
    text += f" residuals, or train {ENOUGH_FOR_CASES} sizes"
    return [warning("too few cases", text)]


def _minimum(minima: Minima, number: int, unit: _Unit) -> dict[str, Array]:
    """Return [R] of each estimate of a curve."""
    ln_bytes, ln_params = minima.ln_bytes[:, number], minima.ln_params[:, number]
    return {
        f"{unit.data}_opt": place(ln_bytes),
        "params_opt": place(ln_params),
        f"{unit.ratio}_opt": place(ln_bytes - ln_params),
        f"{unit.loss}_opt": minima.loss[:, number],
        "curvature": minima.bend[:, number],
    }


def fit_surfaces(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> tuple[FitResult, ...]:
    """Fit a paraboloid in (ln T, ln rho) for every budget (of every language and family).

    Seeds of several runs each have a level of their own, unless whole ones are resampled (`block`);
    the optimum's loss is that of the mean seed.

    Raises:
        InputError: every budget has fewer than three rates, or fewer runs than coefficients.
    """
    return fit_each(
        "isoflop-surface",
        runs.groups((*FAMILY, "compute_flops")),
        lambda context, part: (_surface(part, context, bootstrap),),
    )


def _surface(runs: Runs, context: FitContext, bootstrap: Bootstrap) -> FitResult:
    law = "isoflop-surface"
    rate, data, params, loss, _ = columns(runs, law)
    ratio = data / params
    need(
        runs,
        law,
        (rate, 3, "compression rates"),
        (max(len(np.unique(ratio[rate == each])) for each in np.unique(rate)), 3, "model sizes"),
        (len(rate), len(SURFACE_NAMES) + 1, "runs"),
        at=f" at {context_text(context)}" if context else "",
    )
    centre = np.log(rate).mean(), np.log(ratio).mean()
    design = surface_design(np.log(rate) - centre[0], np.log(ratio) - centre[1])
    apart = design[:, :0] if bootstrap.block == "seed" else seed_contrasts(runs, design)
    design = np.concatenate([design, apart], axis=1)
    coefficients = solve_weighted(design, loss, np.ones(len(loss)))
    ends = [reach(np.sort(np.log(values))) for values in (rate, ratio)]
    optimum = _optimum(coefficients[None], centre)
    estimates = finite(first(optimum))
    findings = _surface_findings(estimates, rate, ratio)
    findings += seed_finding(apart, coefficients[len(SURFACE_NAMES) :], SURFACE_NAMES[2])
    residuals = loss - design @ coefficients
    leverage, parameters = leverages(design), design.shape[1]
    findings += outliers(residuals, leverage, parameters, runs.rows["row"].to_numpy())
    blocks = blocks_of(runs, bootstrap.block, law)
    kinds = [kind for kind in kinds_of(runs, law) if kind[0] != "budget"]
    findings += [*blocks.findings, *shared_noise(residuals, design, kinds, blocks)]
    draws = None
    if bootstrap.resamples:
        fitted = design @ coefficients
        if blocks.shared is not None and bootstrap.kind == "cases" and blocks.number < MANY:
            bootstrap = bootstrap._replace(kind="residuals")
        targets, weights = _surface_replicates(rate, fitted, residuals, design, bootstrap, blocks)
        draws = _optimum(solve_weighted(design, targets, weights), centre)
        findings += correlated(draws, SURFACE_NAMES[:2])
    fit = FitResult(
        law=law,
        form="paraboloid in (ln T, ln rho)",
        estimates=estimates,
        method="least squares",
        status="converged" if len(estimates) == len(SURFACE_NAMES) else "not converged",
        units=LAWS[law].units,
        findings=tuple(findings),
        **goodness(loss, residuals, parameters),
        **provenance(runs, {"compression_rate": rate, "bytes_per_param": ratio}),
    )
    # The grid tells no more of an optimum than that it lies beyond: the interval has no end there.
    limits = {
        name: Limit(f"runs of {more}", float(np.exp(high)), float(np.exp(low)))
        for name, more, (low, high) in zip(SURFACE_NAMES, _MORE, ends, strict=False)
    }
    how, block = "surface refitted", blocks.what
    return assemble(
        fit, runs, parameters, bootstrap, draws, how, None, block, limits, most_lost=SADDLES
    )


def _surface_replicates(
    rate: Array,
    fitted: Array,
    residuals: Array,
    design: Array,
    bootstrap: Bootstrap,
    blocks: RowBlocks,
) -> tuple[Array, Array]:
    generator, n = bootstrap.generator(), len(rate)
    whole = np.zeros(n, np.int64)
    if blocks.shared is not None and bootstrap.kind == "cases":
        each = np.zeros(blocks.number, np.int64)
        weights = case_weights(each, bootstrap.draws, generator)[:, blocks.numbers]
        return fitted + residuals, weights
    if blocks.shared is not None:
        levels = two_levels(residuals, design, blocks.numbers)
        return shared_targets(fitted, levels, whole, bootstrap.draws, generator), np.ones(n)
    if bootstrap.kind == "cases":
        _, cells = np.unique(rate, return_inverse=True)
        # The bowl is one for all rates, so a rate need not keep three sizes: asking for that would
        # leave four sizes next to no way to differ, and intervals half as wide as they should be.
        weights = case_weights(cells, bootstrap.draws, generator, fewest=2)
        return fitted + residuals, weights
    leverage = leverages(design)
    targets = residual_targets(fitted, residuals, leverage, whole, bootstrap.draws, generator)
    return targets, np.ones(n)


def _optimum(coefficients: Array, centre: tuple[float, float]) -> dict[str, Array]:
    vertex = surface_vertex(coefficients[..., : len(SURFACE_NAMES)])
    columns = list(np.moveaxis(vertex, -1, 0))
    columns[:2] = [place(log + middle) for log, middle in zip(columns[:2], centre, strict=True)]
    # A saddle or a dome has no optimum to report.
    bowl = (columns[3] > 0) & (4 * columns[3] * columns[4] > columns[5] ** 2)
    return {
        name: np.where(bowl, column, np.nan)
        for name, column in zip(SURFACE_NAMES, columns, strict=True)
    }


def _surface_findings(estimates: Mapping[str, float], rate: Array, ratio: Array) -> list[Finding]:
    if len(estimates) < len(SURFACE_NAMES):
        text = "the losses form no bowl in (ln T, ln rho), so there is no optimum"
        return [failure("concave surface", text)]
    findings = []
    for name, values, what in (
        ("compression_rate_opt", rate, "compression rates"),
        ("bytes_per_param_opt", ratio, "sizes"),
    ):
        if not values.min() <= estimates[name] <= values.max():
            text = (
                f"{name} {estimates[name]:.4g} lies outside the {what} trained, "
                f"{values.min():.4g} to {values.max():.4g}"
            )
            findings.append(warning(OUTSIDE, text))
    return findings
