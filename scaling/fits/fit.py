"""Fitting a law by its name: one result per family, and per budget where the law is of one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from corpora.arguments import has_values, listed, one_of, real, refused, text, whole
from corpora.errors import InputError, did_you_mean, is_present
from scaling.complete import last_rows
from scaling.engine.bootstrap import DRAWS, RESAMPLING, SEED, Bootstrap
from scaling.fits.assemble import FAMILY, FitContext, fit_each
from scaling.fits.blocks import BLOCKS
from scaling.fits.findings import check_usable, vary
from scaling.fits.parities import GivenParities, given_parities
from scaling.fits.results import Fits
from scaling.laws.registry import LAWS, MINIMA, Options, form_of, law_named, load
from scaling.load_table import LoadedTable, RunsSource
from scaling.published.tables import PUBLISHED
from scaling.read_runs import read_runs
from scaling.result import FitResult, noted, read_fit
from scaling.runs import LOSSES, Runs

# Of the law of fresh text, from and to what each coefficient is one: below or above, powers of it
# leave what numbers hold.
BASE = {
    "E": (0.0, 1e3),
    "A": (1e-30, 1e30),
    "B": (1e-30, 1e30),
    "alpha": (0.01, 10.0),
    "beta": (0.01, 10.0),
}
BASE_LAWS = ("chinchilla", "repeated", "overfitting")  # which hold it, in nats per token
INTERVALS = (*RESAMPLING, "hessian", "profile", "none")
SAME_BUDGET = 1e-3  # between a budget as it is typed and as the table has it
MOST_DRAWS = 100_000
LEVELS = (0.5, 0.999)


def fit(
    runs: Runs | RunsSource | LoadedTable,
    law: str,
    *,
    form: str = "",
    minima: str = "parabola",
    irreducible: float | None = None,
    base: str | Path | FitResult | Fits | Mapping[str, float] | None = None,
    chance: float | None = None,
    parity: GivenParities = None,
    target: str | Mapping[str, float] = "",
    intervals: str = "",
    draws: int = DRAWS,
    seed: int = SEED,
    level: float = 0.95,
    block: str = "",
    budget: float | Sequence[float] | None = (),
    up_to: float | None = None,
) -> Fits:
    """Fit a law to runs, to each tokenization, language and data set among them on its own.

    One of them that cannot be fitted has a result that says why, if another one can be.

    Args:
        runs: what `read_runs` returns, or anything it reads: a `.csv` or `.parquet` file, the
            folder of a sweep, a data frame.
        law: a name of `scaling.laws.registry.LAWS`.
        form: of the law; its default where none is given.
        minima: how law2 finds the optima of runs: `parabola` of a curve, or its `lowest` run.
        irreducible: E of the envelope, in the unit of the loss.
        base: the law of fresh text under `repeated`: a fit, its file, a published name, or E, A, B,
            alpha and beta.
        chance: the task error of guessing, which `downstream` never exceeds.
        parity: of `languages`: bytes per byte of English, by language or text, as a mapping or as
            `tha=2.6,hin_Deva=2.5`, or the file of what `measure --json` printed; where it tells
            none, the table's column `parity`, else the embedded corpus.
        target: languages of a mixture whose mean is minimised: `NAME`, `NAME=2,NAME`, or weights by
            name; all alike where nothing is given.
        intervals: `cases`, `residuals`, `hessian`, `profile` or `none`; the law's own bootstrap
            where nothing is given.
        draws: bootstrap replicates; 0 for none.
        seed: of the draws.
        level: coverage of the intervals.
        block: what is resampled whole, since its rows are not independent: `run`, `cell` (a budget
            and rate), `budget` or a column of the table; `row` for rows by themselves. Where
            nothing is given, checkpoints by `run`, and what the law says.
        budget: fit only runs of these training FLOPs.
        up_to: fit only runs of at most so many training FLOPs.

    Raises:
        InputError: the law, form or an option is unknown or out of its bounds, or the table lacks
            what the law needs.
    """
    declared = law_named(law)
    form_of(law, form)
    one_of("minima", minima, MINIMA)
    draws, seed = whole("draws", draws, 0, MOST_DRAWS), whole("seed", seed, 0)
    level = real("level", level, *LEVELS)
    several = listed("budget", budget) if has_values(budget) else [budget]
    budgets = [] if budget is None else [real("budget", compute, 0) for compute in several]
    up_to = None if up_to is None else real("up_to", up_to, 0)
    irreducible = None if irreducible is None else real("irreducible", irreducible)
    kind = text("intervals", intervals) or declared.resampling
    one_of("intervals", kind, INTERVALS)
    if kind in ("hessian", "profile") and not declared.one_stage:
        offered = ", ".join(name for name in LAWS if LAWS[name].one_stage)
        raise InputError(
            f"{law} is fitted in stages, and {kind} intervals see only the last; use cases or "
            f"residuals ({kind} intervals are offered for {offered})"
        )
    if kind in RESAMPLING and draws == 0:
        kind = "none"
    if not isinstance(block, str):
        raise refused("block", block, f"{', '.join(BLOCKS)} or a column")
    bootstrap = Bootstrap(kind, draws if kind in RESAMPLING else 0, seed, level, block)
    chance = None if chance is None else real("chance", chance, 0, 1)
    of_base = None if base is None else _base(base)
    parities = given_parities(parity) or None
    if not isinstance(target, str | Mapping | None):
        raise refused("target", target, "a language, or a mapping of languages to weights")
    options = Options(form, minima, irreducible, of_base, chance, parities, target)
    for name, value in options._asdict().items():
        if name not in ("form", *declared.takes) and value != Options._field_defaults[name]:
            takes = next(other for other in LAWS if name in LAWS[other].takes)
            raise InputError(f"`{name}` is for {takes}; leave it out of {law}")
    table = runs if isinstance(runs, Runs) else read_runs(runs)
    table = _of_budgets(table, law, budgets, up_to)
    if "compute_flops" in declared.columns:
        table = _ended(table)
    fit_family = load(declared.fit)
    family = [column for column in FAMILY if column not in declared.across]
    if not family:
        whole_fits: Fits = fit_family(table, options, bootstrap)
        return whole_fits

    def fit_one(context: FitContext, family: Runs) -> Sequence[FitResult]:
        _refuse_constant(family, context)
        found = fit_family(family, options, bootstrap)
        return (found,) if isinstance(found, FitResult) else found

    return Fits(law, fit_each(law, table.groups(family), fit_one))


def _of_budgets(runs: Runs, law: str, budgets: Sequence[float], up_to: float | None) -> Runs:
    if budgets:
        compute = runs.column("compute_flops", law)
        near = np.isclose(compute[:, None], budgets, rtol=SAME_BUDGET)
        runs = runs.only(np.asarray(near.any(axis=1), np.bool_))
        if not len(runs):
            known = ", ".join(f"{budget:g}" for budget in np.unique(compute))
            raise InputError(f"{runs.name}: no run at that `budget`; it has {known}")
    if up_to is not None:
        runs = runs.only(runs.column("compute_flops", law) <= up_to)
        if not len(runs):
            raise InputError(f"{runs.name}: no run up to `up_to={up_to:g}`")
    return runs


def _ended(runs: Runs) -> Runs:
    """Leave out checkpoints on the way to a budget, which their runs declare from the start."""
    rows = runs.rows
    if not {"run_id", "compute_flops"} <= set(rows.columns):
        return runs
    ended = rows.filter(pl.col("compute_flops").n_unique().over("run_id") == 1)
    gone = set(ended["row"]) - set(last_rows(ended)["row"])
    if not gone:
        return runs
    kept = runs.only(~rows["row"].is_in(list(gone)).to_numpy())
    text = f"{len(gone)} rows are checkpoints of runs on their way to a budget: the last is taken"
    return replace(kept, notes=(*runs.notes, noted("checkpoints", text)))


def _refuse_constant(runs: Runs, context: FitContext) -> None:
    """Refuse losses that differ by nothing but rounding: a law would be fitted to that."""
    for column in LOSSES:
        if runs.has(column):
            losses = runs.column(column, "a law")
            if len(losses) > 1 and not vary(losses):
                where = "".join(f", {name} {value}" for name, value in context.items())
                raise InputError(
                    f"{runs.name}{where}: {column} is {losses[0]:g} in every row, so nothing can be"
                    " learnt; see how the table was made"
                )


def _base(base: str | Path | FitResult | Fits | Mapping[str, float]) -> dict[str, float]:
    """Return the coefficients of a Chinchilla law."""
    name = str(base) if isinstance(base, str | Path) else "given"
    if isinstance(base, str | Path):
        if name not in PUBLISHED and not is_present(Path(name)):
            near = did_you_mean(name, PUBLISHED)
            raise InputError(f"`base={name}`: no such fit, and no published law{near}")
        base = PUBLISHED[name] if name in PUBLISHED else read_fit(Path(name))
    if isinstance(base, Fits):
        base = base.only
    if isinstance(base, FitResult) and base.law not in BASE_LAWS:
        raise InputError(
            f"`base={name}`: a fit of {base.law}; give one of {', '.join(BASE_LAWS)}, in tokens"
        )
    if isinstance(base, FitResult):
        check_usable(f"base={name}", base)
    estimates = base.estimates if isinstance(base, FitResult) else base
    if not isinstance(estimates, Mapping):
        raise refused("base", base, "a fit, its file, a published name or coefficients by name")
    if any(coefficient not in estimates for coefficient in BASE):
        held = ", ".join(map(str, estimates))
        raise InputError(f"`base={name}`: holds {held}, not {', '.join(BASE)}")
    return {
        coefficient: real(f"base={name}: {coefficient}", estimates[coefficient], *ends)
        for coefficient, ends in BASE.items()
    }
