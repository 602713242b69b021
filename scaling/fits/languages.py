"""Fitting the laws over languages: a line in ln parity for all, and what each language has of its
own, drawn towards it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.engine.newton import Array
from scaling.engine.pooling import SPARE, PooledGroups, draw_pooled, pool
from scaling.fits.assemble import (
    FitContext,
    assemble,
    finite,
    first,
    fit_each,
    held_out,
    need,
    provenance,
    unfitted,
)
from scaling.fits.findings import note, warning
from scaling.fits.language_optima import found_optima
from scaling.fits.language_tables import (
    LAW,
    OwnOptima,
    by_language,
    given_optima,
    language_labels,
    parities_of,
)
from scaling.fits.parities import Parities
from scaling.laws.languages import (
    AT_1,
    NEW,
    OWN,
    PARITY,
    POOLED,
    RATE,
    SLOPE,
    TAU,
    UNITS,
    WEIGHT,
)
from scaling.laws.registry import DEFAULTS, Options
from scaling.result import Finding, FitResult, HoldOut
from scaling.runs import Runs

FEWEST_FOR_A_SLOPE = 2 + SPARE  # languages
APART = 1.05  # parities nearer to each other than this factor tell no slope
BORROWED = 0.5  # weight of a language's own runs, below which it is said to borrow


def fit_languages(
    runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES
) -> tuple[FitResult, ...]:
    """Fit T*, rho* and L* of all languages against parity, for every budget.

    A table may hold runs of each language, runs of several languages at once (columns
    `bits_per_byte:NAME`), or a row of optima a language (`compression_rate_opt`).

    Raises:
        InputError: fewer than three languages have an optimum of their own, nothing tells the
            parity of one, or the runs are too few.
    """
    if bootstrap.block not in ("", "row"):
        raise InputError(
            f"`block={bootstrap.block}`: {LAW} resamples no rows; what its runs leave open is drawn"
            " from their likelihood; leave it out"
        )
    runs = by_language(runs)
    labels = language_labels(runs)
    parities, notes = parities_of(runs, labels, options.parity)
    runs = replace(runs, notes=(*runs.notes, *notes))

    def fit_one(context: FitContext, part: Runs) -> Sequence[FitResult]:
        return (_fit(part, parities, bootstrap),)

    return fit_each(LAW, runs.groups(("compute_flops",)), fit_one)


def _fit(runs: Runs, parities: Parities, bootstrap: Bootstrap) -> FitResult:
    labels = language_labels(runs)
    given = "compression_rate_opt" in runs.rows.columns
    own = given_optima(runs, labels) if given else found_optima(runs, labels)
    if isinstance(own, Finding):
        return unfitted(LAW, runs, {}, own.message, [own])
    need(runs, LAW, (len(own.names), 1 + SPARE, "languages with an optimum"))
    parity = np.array([parities[name] for name in own.names])
    design, findings = _design(parity)
    names = (*own.names, *own.others)
    draws = bootstrap.draws if bootstrap.resamples else 0
    columns = {PARITY.format(name): np.full(1 + draws, parities[name]) for name in names}
    generator = bootstrap.generator()
    for outcome in (name for name in UNITS if name in own.logs):
        fitted = pool(own.logs[outcome], design, own.errors[outcome])
        columns |= _columns(outcome, own, parities, design, fitted, draws, generator)
        findings += _pooling_findings(outcome, own.names, fitted, own.errors[outcome])
    line = pool(own.logs[RATE], design, own.errors[RATE]).line
    residuals = own.logs[RATE] - design @ line
    estimates = finite(first(columns))
    fit = FitResult(
        law=LAW,
        form="line in ln parity" if design.shape[1] > 1 else "no slope",
        estimates=estimates,
        method=f"{own.method}; restricted likelihood of what languages have of their own",
        status="converged",
        units=_units(estimates),
        holdout=_each_left_out(own, design),
        findings=(*own.findings, *findings, *_others(own, parities, parity)),
        n=len(parity),
        residuals=tuple(residuals.tolist()),
        rmse=float(np.sqrt(np.mean(residuals**2))),
        **provenance(runs, {"parity": parity}),
    )
    drawn = {name: column[1:] for name, column in columns.items()} if draws else None
    fit = assemble(fit, runs, design.shape[1], bootstrap, drawn, "")
    return _with_what_is_given(fit, bootstrap)


def _columns(
    outcome: str,
    own: OwnOptima,
    parities: Parities,
    design: Array,
    fitted: PooledGroups,
    draws: int,
    generator: np.random.Generator,
) -> dict[str, Array]:
    """Return [1 + draws] of each coefficient of T*, rho* or L*; the first is the estimate."""
    y, errors = own.logs[outcome], own.errors[outcome]
    line, tau = fitted.line[None], np.array([fitted.tau])
    groups, alone = fitted.groups[None], y[None]
    if draws:
        drawn = draw_pooled(y, design, errors, own.free, draws, generator)
        noise = generator.multivariate_normal(0 * y, errors, draws, method="eigh")
        if math.isfinite(own.free):
            noise *= np.sqrt(own.free / generator.chisquare(own.free, (draws, 1)))
        line, tau = np.concatenate([line, drawn.line]), np.concatenate([tau, drawn.tau])
        groups, alone = np.concatenate([groups, drawn.groups]), np.concatenate([alone, y + noise])

    def effect() -> Array:
        unknown = generator.standard_normal(draws)
        return np.concatenate([[0.0], tau[1:] * unknown])

    found = {AT_1.format(outcome): np.exp(line[:, 0])}
    if line.shape[1] > 1:
        found[SLOPE.format(outcome)] = line[:, 1]
    found |= {TAU.format(outcome): tau, NEW.format(outcome): effect()}
    pooled = {name: groups[:, index] for index, name in enumerate(own.names)}
    for name in own.others:
        slope = line[:, 1] if line.shape[1] > 1 else 0.0
        pooled[name] = line[:, 0] + slope * math.log(parities[name]) + effect()
    found |= {POOLED.format(outcome, name): np.exp(values) for name, values in pooled.items()}
    for index, name in enumerate(own.names):
        if errors.any():  # else it is the pooled one
            found[OWN.format(outcome, name)] = np.exp(alone[:, index])
        weight = float(fitted.weights[index])
        found[WEIGHT.format(outcome, name)] = np.full(1 + draws, weight)
    return found


def _design(parity: Array) -> tuple[Array, list[Finding]]:
    """Return [m, 1 or 2] columns of the line, and why it has no slope where it has none."""
    ones, x = np.ones(len(parity)), np.log(parity)
    if len(parity) < FEWEST_FOR_A_SLOPE:
        text = f"{len(parity)} languages have optima of their own, and a slope over parity takes"
        text += (
            f" {FEWEST_FOR_A_SLOPE}: languages are drawn towards their mean, whatever their parity"
        )
        return ones[:, None], [warning("no slope", text)]
    if np.ptp(x) < np.log(APART):
        text = f"all parities are alike ({parity.min():.3g} to {parity.max():.3g}), so there is no"
        text += " slope: they are drawn towards their mean, whatever their parity"
        return ones[:, None], [warning("no slope", text)]
    return np.stack([ones, x], axis=1), []


def _units(estimates: Mapping[str, float]) -> dict[str, str]:
    """Return the unit of each coefficient that has one."""
    of = {"residuals": "ln bytes per token"}
    for name in estimates:
        outcome = next((outcome for outcome in UNITS if name.startswith(outcome)), "")
        if not outcome:
            continue
        kind = name.removeprefix(outcome).partition(":")[0]
        if kind in ("_at_1", "_opt", "_own"):
            of[name] = UNITS[outcome]
        elif kind in ("_tau", "_new"):
            of[name] = f"of ln {outcome}"
    return of


def _pooling_findings(
    outcome: str, names: Sequence[str], fitted: PooledGroups, errors: Array
) -> list[Finding]:
    """Return which languages borrow, and that none has anything of its own where that is so."""
    if not errors.any():
        return []
    if fitted.tau == 0:
        text = f"{outcome}: languages lie off the line by no more than their own errors: no effect"
        return [note("tau is 0", f"{text} of a language is told, and each is put on the line")]
    weights = dict(zip(names, fitted.weights.tolist(), strict=True))
    few = {name: weight for name, weight in weights.items() if weight < BORROWED}
    if not few:
        return []
    said = ", ".join(f"{name} {weight:.0%}" for name, weight in few.items())
    text = f"{outcome}: weight of a language's own runs, the rest being the line's: {said}"
    return [note("borrows", text)]


def _others(own: OwnOptima, parities: Parities, known: Array) -> list[Finding]:
    findings = []
    for name, why in own.others.items():
        text = f"{name} {why}, and so no optimum of its own: it is put on the line by its parity"
        findings.append(note("borrows", f"{text} {parities[name]:.3g}"))
        if not known.min() <= parities[name] <= known.max():
            text = f"parity {parities[name]:.3g} of {name} lies beyond those that tell the line,"
            findings.append(
                warning("extrapolated parity", f"{text} {known.min():.3g} to {known.max():.3g}")
            )
    return findings


def _each_left_out(own: OwnOptima, design: Array) -> HoldOut | None:
    """Leave out each language and predict its ln T* by its parity, as a new one's is."""
    m, q = design.shape
    if m - 1 <= q:
        return None
    y, errors = own.logs[RATE], own.errors[RATE]
    told = np.empty(m)
    for index in range(m):
        rest = np.arange(m) != index
        if np.linalg.matrix_rank(design[rest]) < q:
            return None
        line = pool(y[rest], design[rest], errors[np.ix_(rest, rest)]).line
        told[index] = design[index] @ line
    return held_out("each language left out, by its parity alone; error of ln T*", y, told)


def _with_what_is_given(fit: FitResult, bootstrap: Bootstrap) -> FitResult:
    """Return the fit, its draws called what they are, and no interval of what is no estimate."""
    heads = [PARITY.format(""), *(WEIGHT.format(outcome, "") for outcome in UNITS)]
    unsure = {name.partition("_own:")[0] for name in fit.estimates if "_own:" in name}
    heads += [POOLED.format(outcome, "") for outcome in UNITS if outcome not in unsure]
    given = [name for name in fit.estimates if name.startswith(tuple(heads))]
    how, reason = fit.interval_method, fit.interval_reason
    if len(fit.draws):
        how = f"{bootstrap.draws} draws by the restricted likelihood, percentiles"
        reason = reason or "what is given has no error, and a weight is of the estimate"
    return fit.model_copy(
        update={
            "intervals": fit.intervals | dict.fromkeys(given),
            "interval_method": how,
            "interval_reason": reason,
        }
    )
