"""Power laws of the optimum in compute: approaches 1 and 2 of Hoffmann et al. 2022."""

import numpy as np

from corpora.errors import InputError
from scaling.engine.bootstrap import (
    CASES,
    RESIDUALS,
    Bootstrap,
    case_weights,
    leverages,
    residual_targets,
    with_misfit,
)
from scaling.engine.newton import Array, solve_weighted
from scaling.fits.assemble import assemble, held_out
from scaling.fits.findings import misfit
from scaling.fits.minima import along, cell_findings, find_minima, make_cells, replicates
from scaling.fits.single_stage import need
from scaling.laws import power
from scaling.result import FitResult
from scaling.runs import Runs


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


def fit_approach1(runs: Runs, bootstrap: Bootstrap = CASES) -> FitResult:
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
    loss = runs.column("nats_per_token" if runs.has("nats_per_token") else "bits_per_byte", law)
    front = _envelope(compute, loss, np.ones((1, len(loss))))[0]
    need(runs, law, (int(front.sum()), 3, "runs on the envelope of lowest loss"))
    estimates = {name: one[0] for name, one in _powers(compute, params, data, front[None]).items()}
    draws = None
    if bootstrap.resamples:
        whole = np.zeros(len(loss), np.int64)
        weights = case_weights(whole, bootstrap.draws, bootstrap.generator())
        chosen = _envelope(compute, loss, weights) * weights
        few = (chosen > 0).sum(axis=1) < 3
        draws = _powers(compute, params, data, np.where(few[:, None], 0.0, chosen))
    kept = front > 0
    fitted = np.log(power.params(estimates, np.exp(compute[kept])))
    return assemble(
        law=law,
        form="envelope of final losses",
        estimates=estimates,
        draws=draws,
        observed=params[kept],
        residuals=params[kept] - fitted,
        parameters=2,
        converged=True,
        method="least squares of ln N and ln D on ln C along the envelope",
        pipeline="envelope and powers repeated",
        bootstrap=bootstrap._replace(kind="cases") if draws is not None else bootstrap,
        runs=runs,
        inputs={"compute_flops": np.exp(compute[kept])},
        units={"residuals": "ln parameters"},
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


def fit_approach2(runs: Runs, bootstrap: Bootstrap = RESIDUALS) -> FitResult:
    """Fit N* and D* as powers of C through the parabola minima (Hoffmann et al. 2022, section 3.2).

    Raises:
        InputError: fewer than three budgets with a minimum, or several compression rates.
    """
    law = "approach2"
    cells, runs = make_cells(runs, law)
    budgets = np.array([cell.compute for cell in cells])
    if len(np.unique(budgets)) < len(cells):
        raise InputError(
            f"{runs.name}: {law} knows compute only, and the table has several compression rates "
            "at one budget; fit law1, or select one rate"
        )
    column = "nats_per_token" if runs.has("nats_per_token") else "bits_per_byte"
    loss = runs.column(column, law)
    found = find_minima(cells, loss[None], np.ones((1, len(loss))))
    good = np.isfinite(found.ln_bytes[0])
    need(runs, law, (int(good.sum()), 3, "budgets with a minimum"))
    ln_compute = np.log(budgets)
    ones = np.ones(len(cells))
    estimates = {
        name: one[0]
        for name, one in _powers(ln_compute, found.ln_params, found.ln_bytes, ones[None]).items()
    }
    observed, compute = found.ln_params[0, good], ln_compute[good]
    residuals = observed - np.log(estimates["n0"]) - estimates["a"] * compute
    findings, draws = cell_findings(cells, found, loss), None
    copies = replicates(cells, loss, bootstrap, student=False)
    if copies is not None:
        minima = find_minima(cells, *copies)
        design = np.stack([np.ones(good.sum()), compute], axis=1)
        ln_data = found.ln_bytes[0, good]
        missed = ln_data - np.log(estimates["d0"]) - estimates["b"] * compute
        moved, share = with_misfit(
            minima.ln_bytes[:, good], missed, leverages(design), bootstrap.generator()
        )
        places = np.full(minima.ln_bytes.shape, np.nan)
        places[:, good] = moved
        minima = along(cells, minima, places)
        draws = _powers(ln_compute, minima.ln_params, minima.ln_bytes, ones)
        findings += misfit(share, law)
    return assemble(
        law=law,
        form="parabola minima",
        estimates=estimates,
        draws=draws,
        observed=observed,
        residuals=residuals,
        parameters=2,
        converged=True,
        method="parabola per budget; least squares of ln N* and ln D* on ln C",
        pipeline="both stages repeated",
        bootstrap=bootstrap,
        runs=runs,
        inputs={"compute_flops": np.exp(compute)},
        units={"residuals": "ln parameters"},
        findings=findings,
    )


# Fitting the loss envelope: the best loss of a budget as a power of the budget.


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
