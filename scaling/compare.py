"""Two fits beside each other, coefficient by coefficient; several, by what they explain."""

from collections.abc import Sequence
from typing import NamedTuple

from corpora.errors import InputError
from scaling.result import FitResult, Interval


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
