"""Fits beside each other: two by their coefficients, several by what they explain and predict."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.arguments import word
from corpora.errors import InputError, is_file
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.engine.newton import Array
from scaling.fits import joint
from scaling.fits.assemble import columns, goodness
from scaling.fits.fit import fit
from scaling.fits.results import Fits
from scaling.fits.single_stage import point
from scaling.laws.joint import TERMS, terms_loss
from scaling.laws.registry import Options
from scaling.published.tables import PUBLISHED
from scaling.result import FitResult, context_text, read_fit
from scaling.runs import Runs


class Coefficient(NamedTuple):
    """One coefficient in two fits of a law.

    Attributes:
        name: of the coefficient.
        first, second: the two estimates.
        difference: first less second; relative: that, over the second (None where it is 0).
        in_first, in_second: whether the other's estimate lies in this one's interval; None where
            there is none.
        overlap: whether the two intervals meet; None where one is missing.
    """

    name: str
    first: float
    second: float
    difference: float
    relative: float | None
    in_first: bool | None
    in_second: bool | None
    overlap: bool | None


def compare(first: FitResult, second: FitResult) -> tuple[Coefficient, ...]:
    """Return the coefficients the two have in common, in the order of the first.

    Raises:
        InputError: the two are fits of different laws.
    """
    if first.law != second.law:
        raise InputError(f"a {first.law} fit and a {second.law} fit have no coefficients in common")
    rows = []
    for name in first.estimates:
        if name not in second.estimates:
            continue
        ours, theirs = first.estimates[name], second.estimates[name]
        left, right = first.intervals.get(name), second.intervals.get(name)
        rows.append(
            Coefficient(
                name,
                first=ours,
                second=theirs,
                difference=ours - theirs,
                relative=(ours - theirs) / theirs if theirs else None,
                in_first=left and theirs in left,
                in_second=right and ours in right,
                overlap=left and right and left.low <= right.high and right.low <= left.high,
            )
        )
    return tuple(rows)


class Weight(NamedTuple):
    """One of several fits to the same rows, for a table of rivals.

    Attributes:
        law, form: which. coefficients: fitted. n: rows.
        rmse, r2, aicc, bic: of the fit; holdout_rmse: of what was held out.
        delta_aicc: AICc above the best of the table.
    """

    law: str
    form: str
    coefficients: int
    n: int
    rmse: float | None
    r2: float | None
    aicc: float | None
    bic: float | None
    holdout_rmse: float | None
    delta_aicc: float | None


def weigh(results: Sequence[FitResult]) -> tuple[Weight, ...]:
    """Return nested and rival fits of the same rows in one table, lowest AICc first.

    Raises:
        InputError: they were fitted to different numbers of rows, or predict different things, so
            that AICc does not compare.
    """
    sizes = sorted({result.n for result in results})
    if len(sizes) > 1:
        raise InputError(
            f"fits to {', '.join(map(str, sizes))} rows cannot be weighed against each other; "
            "fit them to the same table, and laws of runs apart from laws of optima"
        )
    units = sorted({result.units.get("residuals", "") for result in results})
    if len(units) > 1:
        raise InputError(
            f"fits of {' and '.join(units)} cannot be weighed against each other; compare laws "
            "that predict the same"
        )
    known = [result.aicc for result in results if result.aicc is not None]
    best = min(known) if known else None
    rows = [
        Weight(
            law=result.law,
            form=result.form,
            coefficients=len(result.estimates),
            n=result.n,
            rmse=result.rmse,
            r2=result.r2,
            aicc=result.aicc,
            bic=result.bic,
            holdout_rmse=None if result.holdout is None else result.holdout.rmse,
            delta_aicc=None if result.aicc is None or best is None else result.aicc - best,
        )
        for result in results
    ]
    return tuple(sorted(rows, key=lambda row: (row.aicc is None, row.aicc or 0.0)))


class Comparison(NamedTuple):
    """A fit beside others.

    Attributes:
        context: what the fits are confined to.
        laws: the fit and its rivals on the same rows, lowest AICc first.
        coefficients: of the fit and of a given fit of the same law, by the other's name.
    """

    context: Mapping[str, float | str]
    laws: tuple[Weight, ...]
    coefficients: Mapping[str, tuple[Coefficient, ...]]


def compare_with(
    fits: Fits, runs: Runs, others: Sequence[str | FitResult | Fits], **options: Any
) -> tuple[Comparison, ...]:
    """Set each fit beside others.

    Args:
        runs: what was fitted.
        others: each a law (`joint`), a form of one (`law2:constant`), both fitted to the same runs;
            or a fit, its file or a published name, set beside coefficient by coefficient.
        options: of `scaling.fits.fit.fit` for the laws fitted.

    Raises:
        InputError: another is unknown, is of other rows, or has no coefficient in common.
    """
    given, rivals = {}, []
    for number, name in enumerate(others, 1):
        if isinstance(name, FitResult | Fits):
            given[f"fit {number}"] = name.only if isinstance(name, Fits) else name
            continue
        name = word("others", name)
        if name in PUBLISHED or is_file(Path(name)):
            given[name] = PUBLISHED[name] if name in PUBLISHED else read_fit(Path(name))
        else:
            law, _, form = name.partition(":")
            rivals.append(fit(runs, law, form=form, **options))
    found = []
    for result in fits:
        same = [rival for results in rivals for rival in results if rival.context == result.context]
        if len(same) < len(rivals):
            where = context_text(result.context) or "the whole table"
            raise InputError(f"{result.law} is of {where}, and not each law to compare it with is")
        coefficients = {name: compare(result, theirs) for name, theirs in given.items()}
        laws = weigh([result, *same]) if same else ()
        found.append(Comparison(result.context, laws, coefficients))
    return tuple(found)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return what `scaling fit --compare --json` prints of one fit."""
    return {
        **comparison.context,
        "laws": [weight._asdict() for weight in comparison.laws],
        "coefficients": {
            name: [coefficient._asdict() for coefficient in coefficients]
            for name, coefficients in comparison.coefficients.items()
        },
    }


Mask = NDArray[np.bool_]


class FormScore(NamedTuple):
    """One form, fitted to all runs and to all but one budget in turn; errors in bits per byte.

    Attributes:
        form: its name. coefficients: how many are free.
        rmse, aicc, bic: of the fit to all runs.
        holdout_rmse: of the largest budget, predicted from the others.
        holdout_lowest_rmse: of the lowest loss at each rate of the largest budget.
        holdout_two_rmse: of the two largest budgets, predicted from the others; nan where fewer
            than three budgets would be left.
        left_out_rmse: of each budget, predicted from the others.
        left_out_mean: root mean square of those, each budget counted once.
    """

    form: str
    coefficients: int
    rmse: float
    aicc: float | None
    bic: float | None
    holdout_rmse: float
    holdout_lowest_rmse: float
    holdout_two_rmse: float
    left_out_rmse: Mapping[float, float]
    left_out_mean: float


RIVAL = "joint-terms"


def score_forms(runs: Runs, forms: Sequence[str] = (*joint.FORMS, RIVAL)) -> tuple[FormScore, ...]:
    """Score forms of the joint law, and its first rival `joint-terms`, on the same runs."""
    data = joint.read(runs)
    terms = columns(runs, RIVAL)

    def rival(left_out: Mask) -> Array:
        p = point(*joint.terms_problem(*(column[~left_out] for column in terms)))
        return terms_loss(p, *(column[left_out] for column in terms[:3]))

    scores = []
    for form in forms:
        if form == RIVAL:
            p = point(*joint.terms_problem(*terms))
            residuals = data.loss - terms_loss(p, *terms[:3])
            scores.append(_score(form, len(TERMS.names), residuals, data, rival))
            continue

        def predict(left_out: Mask, form: str = form) -> Array:
            return joint.predict_left_out(form, data, left_out)

        fitted = joint.fit_joint(runs, Options(form), NO_BOOTSTRAP)
        residuals = np.array(fitted.residuals)
        scores.append(_score(form, len(joint.FORMS[form]), residuals, data, predict))
    return tuple(scores)


def lowest_of_largest(data: joint.Data) -> Mask:
    """Return which runs have the lowest loss of their rate at the largest budget."""
    chosen = np.zeros(len(data.loss), bool)
    largest = data.compute == data.compute.max()
    for rate in np.unique(data.rate[largest]):
        rows = np.flatnonzero(largest & (data.rate == rate))
        chosen[rows[np.argmin(data.loss[rows])]] = True
    return chosen


def _score(
    form: str,
    coefficients: int,
    residuals: Array,
    data: joint.Data,
    predict: Callable[[Mask], Array],
) -> FormScore:
    quality = goodness(data.loss, residuals, coefficients)
    lowest = lowest_of_largest(data)
    left_out, errors = {}, np.zeros(0)
    budgets = np.unique(data.compute)
    two = data.compute >= budgets[-2:][0]
    two_rmse = _rms(data.loss[two] - predict(two)) if len(budgets) > 4 else float("nan")
    for budget in budgets:
        rows = data.compute == budget
        errors = data.loss[rows] - predict(rows)
        left_out[float(budget)] = _rms(errors)
    return FormScore(
        form,
        coefficients,
        quality["rmse"],
        quality.get("aicc"),
        quality.get("bic"),
        left_out[float(data.compute.max())],
        _rms(errors[lowest[data.compute == data.compute.max()]]),
        two_rmse,
        left_out,
        _rms(np.array(list(left_out.values()))),
    )


def _rms(errors: Array) -> float:
    return float(np.sqrt(np.mean(errors**2)))
