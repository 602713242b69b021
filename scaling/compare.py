"""Fits beside each other: two by their coefficients, several by what they explain and predict."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.bootstrap import Interval
from corpora.errors import InputError
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.engine.newton import Array
from scaling.fits import joint
from scaling.fits.assemble import columns, goodness
from scaling.fits.single_stage import point
from scaling.laws.joint import TERMS, terms_loss
from scaling.laws.registry import Options
from scaling.result import FitResult
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
    for name, one in first.estimates.items():
        if name not in second.estimates:
            continue
        other = second.estimates[name]
        mine, theirs = first.intervals.get(name), second.intervals.get(name)
        rows.append(
            Coefficient(
                name,
                one,
                other,
                one - other,
                (one - other) / other if other else None,
                _inside(other, mine),
                _inside(one, theirs),
                None
                if mine is None or theirs is None
                else mine.low <= theirs.high and theirs.low <= mine.high,
            )
        )
    return tuple(rows)


def _inside(value: float, interval: Interval | None) -> bool | None:
    return None if interval is None else value in interval


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
        InputError: they were fitted to different numbers of rows, so that AICc does not compare.
    """
    sizes = {result.n for result in results}
    if len(sizes) > 1:
        raise InputError(
            f"fits to {', '.join(str(size) for size in sorted(sizes))} rows cannot be weighed "
            "against each other; fit them to the same table"
        )
    known = [result.aicc for result in results if result.aicc is not None]
    best = min(known) if known else None
    rows = [
        Weight(
            one.law,
            one.form,
            len(one.estimates),
            one.n,
            one.rmse,
            one.r2,
            one.aicc,
            one.bic,
            None if one.holdout is None else one.holdout.rmse,
            None if one.aicc is None or best is None else one.aicc - best,
        )
        for one in results
    ]
    return tuple(sorted(rows, key=lambda row: (row.aicc is None, row.aicc or 0.0)))


Mask = NDArray[np.bool_]


class FormScore(NamedTuple):
    """One form, fitted to all runs and to all but one budget in turn; errors in bits per byte.

    Attributes:
        form: its name.
        coefficients: how many are free.
        rmse, aicc, bic: of the fit to all runs.
        holdout_rmse: of the largest budget, predicted from the others.
        holdout_lowest_rmse: of the lowest loss at each rate of the largest budget.
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
    left_out_rmse: Mapping[float, float]
    left_out_mean: float


def score_forms(runs: Runs) -> tuple[FormScore, ...]:
    """Score every form of the joint law, and its first rival, on the same runs."""
    data = joint.read(runs)
    terms = columns(runs, "joint-terms")

    def rival(left_out: Mask) -> Array:
        p = point(*joint.terms_problem(*(column[~left_out] for column in terms)))
        return terms_loss(p, *(column[left_out] for column in terms[:3]))

    scores = []
    for form, names in joint.FORMS.items():

        def predict(left_out: Mask, form: str = form) -> Array:
            return joint.predict_left_out(form, data, left_out)

        fitted = joint.fit_joint(runs, Options(form), NO_BOOTSTRAP)
        scores.append(_score(form, len(names), np.array(fitted.residuals), data, predict))
    p = point(*joint.terms_problem(*terms))
    residuals = data.loss - terms_loss(p, *terms[:3])
    scores.append(_score("joint-terms", len(TERMS.names), residuals, data, rival))
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
    for budget in np.unique(data.compute):
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
        left_out,
        _rms(np.array(list(left_out.values()))),
    )


def _rms(errors: Array) -> float:
    return float(np.sqrt(np.mean(errors**2)))
