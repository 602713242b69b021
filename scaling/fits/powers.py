"""Power laws of compute: approaches 1 and 2 of Hoffmann et al. 2022, the loss envelope, and the
optimum by interpolation of Porian et al. 2024 (arXiv 2406.19146).
"""

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
    assemble,
    few_left,
    few_minima,
    finite,
    first,
    goodness,
    held_out,
    need,
    provenance,
)
from scaling.fits.blocks import blocks_of, blocks_of_curves
from scaling.fits.findings import misfit, note
from scaling.fits.minima import cell_findings, find_minima, make_cells, replicates, with_law_misfit
from scaling.laws.optimum import envelope, power_params
from scaling.laws.registry import DEFAULTS, LAWS, Options
from scaling.result import FitResult
from scaling.runs import Runs

# Porian et al.: per budget the losses are interpolated (Akima, in logarithms) and the lowest point
# of a fine grid is N*. That is repeated with the noise of a seed added to every loss; the spread of
# ln N* weighs the budget in the power law, and the power laws of the repetitions give the interval.
POINTS_PER_SIZE = 25
FEWEST_BUDGETS = 3  # a line through two is no fit
LEAST_STEPS = 0.33 * POINTS_PER_SIZE  # a spread is at least so many steps of the grid

# Standard deviation of a loss from seed to seed, nats per token, by data set. The published code
# means to let it rise with the loss, but compares ln L with a threshold on L, so that every loss
# gets the lowest value; these are the ones its published intervals come from.
SEED_NOISE = {"rw": 0.002, "owt2": 0.01}


def fit_approach1(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> FitResult:
    """Fit N* and D* as powers of C through the runs on the envelope of lowest loss.

    A run is on the envelope if no run of as little compute has a lower loss (Hoffmann et al. 2022,
    section 3.1, with final losses for training curves).

    Raises:
        InputError: fewer than three runs on the envelope.
    """
    law = "approach1"
    compute = np.log(runs.column("compute_flops", law))
    params = np.log(runs.column("params", law))
    data = np.log(runs.column("train_tokens" if runs.has("train_tokens") else "train_bytes", law))
    loss = _losses(runs, law)
    front = _envelope(compute, loss, np.ones((1, len(loss))))[0]
    need(runs, law, (int(front.sum()), 3, "runs on the envelope of lowest loss"))
    estimates = first(_powers(compute, params, data, front[None]))
    draws, blocks = None, blocks_of(runs, bootstrap.block, law)
    if bootstrap.resamples:
        bootstrap = bootstrap._replace(kind="cases")
        each = np.zeros(blocks.number, np.int64)
        weights = case_weights(each, bootstrap.draws, bootstrap.generator())[:, blocks.numbers]
        chosen = _envelope(compute, loss, weights) * weights
        few = (chosen > 0).sum(axis=1) < 3
        draws = _powers(compute, params, data, np.where(few[:, None], 0.0, chosen))
    kept = front > 0
    fitted = np.log(power_params(estimates, np.exp(compute[kept])))
    fit = FitResult(
        law=law,
        form="envelope of final losses",
        estimates=finite(estimates),
        method="least squares of ln N and ln D on ln C along the envelope",
        status="converged",
        units=LAWS[law].units,
        findings=blocks.findings,
        **goodness(params[kept], params[kept] - fitted, 2),
        **provenance(runs, {"compute_flops": np.exp(compute[kept])}),
    )
    return assemble(
        fit, runs, 2, bootstrap, draws, "envelope and powers repeated", block=blocks.what
    )


def _envelope(ln_compute: Array, loss: Array, weights: Array) -> Array:
    """Return [R, n] 1 where a run seen by the replicate lowers the loss reached so far."""
    order = np.lexsort((loss, ln_compute))
    seen = np.where(weights[:, order] > 0, loss[order], np.inf)
    best = np.minimum.accumulate(seen, axis=1)
    before = np.concatenate([np.full((len(seen), 1), np.inf), best[:, :-1]], axis=1)
    out = np.empty_like(seen)
    out[:, order] = seen < before
    return out


def _powers(ln_compute: Array, params: Array, data: Array, weights: Array) -> dict[str, Array]:
    n_level, a = line(ln_compute, params, weights)
    d_level, b = line(ln_compute, data, weights)
    return {"n0": np.exp(n_level), "a": a, "d0": np.exp(d_level), "b": b}


def fit_approach2(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = RESIDUALS
) -> FitResult:
    """Fit N* and D* as powers of C through the parabola minima (Hoffmann et al. 2022, section 3.2).

    Budgets without a minimum among their sizes are left out; with fewer than three others nothing
    is fitted.

    Raises:
        InputError: the table has fewer than three budgets, or several compression rates.
    """
    law = "approach2"
    cells, runs = make_cells(runs, law)
    budgets = np.array([cell.compute for cell in cells])
    if len(np.unique(budgets)) < len(cells):
        raise InputError(
            f"{runs.name}: {law} knows compute only, and the table has several compression rates "
            "at one budget; fit law1, or select one rate"
        )
    loss = _losses(runs, law)
    found = find_minima(cells, loss[None])
    good = np.isfinite(found.ln_bytes[0])
    findings = cell_findings(cells, found, loss)
    need(runs, law, (len(cells), FEWEST_BUDGETS, "budgets with a minimum"))
    if good.sum() < FEWEST_BUDGETS:
        return few_minima(runs, law, budgets, good, FEWEST_BUDGETS, "budgets", findings)
    ln_compute = np.log(budgets)
    ones = np.ones(len(cells))
    estimates = first(_powers(ln_compute, found.ln_params, found.ln_bytes, ones[None]))
    observed, compute = found.ln_params[0, good], ln_compute[good]
    residuals = observed - np.log(estimates["n0"]) - estimates["a"] * compute
    draws = None
    curves = [cell.rows for cell, inside in zip(cells, good, strict=True) if inside]
    blocks = blocks_of_curves(runs, curves, bootstrap.block, law)
    copies = replicates(cells, loss, bootstrap, student=False)
    if copies is not None:
        design = np.stack([np.ones(good.sum()), compute], axis=1)
        placed = np.log(estimates["d0"]) + estimates["b"] * compute
        missed = found.ln_bytes[0, good] - placed
        minima, share = with_law_misfit(
            cells, find_minima(cells, *copies), good, missed, design, bootstrap, blocks, placed
        )
        enough = np.isfinite(minima.ln_bytes).sum(axis=1, keepdims=True) >= FEWEST_BUDGETS
        draws = _powers(ln_compute, minima.ln_params, minima.ln_bytes, np.where(enough, ones, 0.0))
        findings += misfit(share, law)
    fit = FitResult(
        law=law,
        form="parabola minima",
        estimates=finite(estimates),
        method="parabola per budget; least squares of ln N* and ln D* on ln C",
        status="converged",
        units=LAWS[law].units,
        findings=tuple(findings),
        **goodness(observed, residuals, 2),
        **provenance(runs, {"compute_flops": np.exp(compute)}),
    )
    return assemble(fit, runs, 2, bootstrap, draws, "both stages repeated", block=blocks.what)


def fit_envelope(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = RESIDUALS
) -> FitResult:
    """Fit L* = E + A C^-alpha with E given, through the lowest loss of each budget, in logarithms.

    The largest budget is also left out and predicted.

    Raises:
        InputError: no E, fewer than three budgets, or a loss not above E.
    """
    law, irreducible = "envelope", options.irreducible
    if irreducible is None:
        raise InputError("envelope needs the irreducible loss E: give `irreducible`, e.g. 1.6")
    budgets, loss = runs.column("compute_flops", law), _losses(runs, law)
    compute = np.unique(budgets)
    lowest = np.array([loss[budgets == budget].min() for budget in compute])
    need(runs, law, (len(compute), 3, "compute budgets"))
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
    estimates = finite(public(level, slope))
    fitted = level + slope * x
    draws = None
    best = [
        np.flatnonzero((budgets == budget) & (loss == low))
        for budget, low in zip(compute, lowest, strict=True)
    ]
    blocks = blocks_of_curves(runs, [rows[:1] for rows in best], bootstrap.block, law)
    if bootstrap.resamples:
        bootstrap = bootstrap._replace(kind="residuals")
        design, whole = np.stack([ones, x - x.mean()], axis=1), np.zeros(len(x), np.int64)
        generator, missed = bootstrap.generator(), y - fitted
        if blocks.shared is None:
            leverage = leverages(design)
            targets = residual_targets(fitted, missed, leverage, whole, bootstrap.draws, generator)
        else:
            levels = two_levels(missed, design, blocks.shared)
            targets = shared_targets(fitted, levels, whole, bootstrap.draws, generator)
        draws = public(*line(x, targets, ones))
    holdout, few = None, [note("no hold-out", few_left(compute[-1], f"{len(x) - 1} budgets"))]
    if len(x) > 3:
        few = []
        rest = finite(public(*line(x[:-1], y[:-1], ones[:-1])))
        rule = f"compute_flops = {compute[-1]:g} left out"
        holdout = held_out(rule, lowest[-1:], envelope(rest, compute[-1:]))
    fit = FitResult(
        law=law,
        form="E given",
        estimates=estimates,
        method="least squares of ln (L - E) on ln C",
        status="converged",
        units=LAWS[law].units,
        holdout=holdout,
        findings=tuple(few),
        **goodness(lowest, lowest - envelope(estimates, compute), 2),
        **provenance(runs, {"compute_flops": compute}),
    )
    return assemble(fit, runs, 2, bootstrap, draws, "line refitted", block=blocks.what)


def _losses(runs: Runs, law: str) -> Array:
    return runs.column("nats_per_token" if runs.has("nats_per_token") else "bits_per_byte", law)


def line(ln_compute: Array, ln_values: Array, weights: Array) -> tuple[Array, Array]:
    """Return [...] intercept and slope of weighted lines ln y = intercept + slope ln C.

    Args:
        ln_compute, ln_values, weights: [..., n], broadcast; points of nan are left out.
    """
    ln_compute, ln_values, weights = np.broadcast_arrays(ln_compute, ln_values, weights)
    found = np.isfinite(ln_values)
    weights = np.where(found, weights, 0.0)
    centre = float(np.mean(ln_compute))
    design = np.stack([np.ones_like(ln_compute), ln_compute - centre], axis=-1)
    level, slope = np.moveaxis(
        solve_weighted(design, np.where(found, ln_values, 0.0), weights), -1, 0
    )
    return level - slope * centre, slope


class _Optimum(NamedTuple):
    """The optimum of one budget: ln N* and ln D* in each repetition, and its spread."""

    ln_params: Array
    ln_tokens: Array
    spread: float


def fit_with_seed_noise(runs: Runs, noise: float, bootstrap: Bootstrap) -> FitResult:
    """Fit N* and D* as powers of C as Porian et al. do.

    Args:
        noise: standard deviation of a loss from seed to seed.
        bootstrap: its draws and seed; the kind does not apply.

    Raises:
        InputError: fewer than three budgets with an optimum inside their grid.
    """
    law = "approach2"
    compute, params, tokens, loss = (
        runs.column(name, law)
        for name in ("compute_flops", "params", "train_tokens", "nats_per_token")
    )
    generator = bootstrap.generator()
    found: dict[float, _Optimum] = {}
    for budget in np.unique(compute):
        rows = compute == budget
        optimum = _interpolated_optimum(
            params[rows], tokens[rows], loss[rows], noise, bootstrap, generator
        )
        if optimum is not None:
            found[float(budget)] = optimum
    need(runs, law, (len(found), 3, "budgets with an optimum inside their grid"))
    optima = list(found.values())
    ln_compute = np.log(np.array(list(found)))
    weights = np.array([optimum.spread**-2 for optimum in optima])
    sizes = np.array([np.median(optimum.ln_params) for optimum in optima])
    data = np.array([np.median(optimum.ln_tokens) for optimum in optima])
    fewest = min(len(optimum.ln_params) for optimum in optima)
    size_draws = np.stack([optimum.ln_params[:fewest] for optimum in optima], axis=1)
    data_draws = np.stack([optimum.ln_tokens[:fewest] for optimum in optima], axis=1)
    estimates = finite(_powers(ln_compute, sizes, data, weights))
    fitted = np.log(power_params(estimates, np.exp(ln_compute)))
    fit = FitResult(
        law=law,
        form="interpolated minima",
        estimates=estimates,
        method="Akima interpolation per budget; weighted least squares of ln N* on ln C",
        status="converged",
        units=LAWS[law].units,
        **goodness(sizes, sizes - fitted, 2),
        **provenance(runs, {"compute_flops": np.exp(ln_compute)}),
    )
    bootstrap = bootstrap._replace(kind="residuals")
    draws = _powers(ln_compute, size_draws, data_draws, weights)
    fit = assemble(fit, runs, 2, bootstrap, draws, "")
    how = f"seed noise {noise:g} added to every loss, {fewest} draws, percentiles"
    return fit.model_copy(update={"interval_method": how})


def fit_given_optima(compute: Array, params: Array, spread: Array) -> dict[str, float]:
    """Return n0 and a of the weighted power law through optima that somebody else found.

    Args:
        compute, params, spread: [n] C, N*, and the standard deviation of ln N*.
    """
    level, slope = line(np.log(compute), np.log(params), spread**-2)
    return {"n0": float(np.exp(level)), "a": float(slope)}


def _interpolated_optimum(
    params: Array,
    tokens: Array,
    loss: Array,
    noise: float,
    bootstrap: Bootstrap,
    generator: np.random.Generator,
) -> _Optimum | None:
    """Return the optimum, or None where most repetitions put it at an end of the grid."""
    from scipy.interpolate import Akima1DInterpolator

    sizes = np.unique(params)
    if len(sizes) < 3:
        return None
    best = [np.flatnonzero(params == size)[np.argmin(loss[params == size])] for size in sizes]
    x, tokens, loss = np.log(params[best]), np.log(tokens[best]), loss[best]
    fine = np.linspace(x[0], x[-1], (len(x) - 1) * POINTS_PER_SIZE)
    noisy = loss[:, None] + noise * generator.standard_normal((len(x), bootstrap.draws))
    curves = Akima1DInterpolator(x, np.log(noisy))(np.clip(fine, x[0], x[-1]))
    place = np.argmin(curves, axis=0)
    inside = (place > 0) & (place < len(fine) - 1)
    if inside.sum() < bootstrap.draws // 2:
        return None
    stars = fine[place[inside]]
    spread = max(float(stars.std()), LEAST_STEPS * float(fine[1] - fine[0]))
    return _Optimum(
        stars, np.interp(stars, x, tokens), spread * bootstrap.draws / int(inside.sum())
    )
