"""The joint law's forms side by side: what each costs in coefficients and gains in prediction."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.fits import joint, joint_terms
from scaling.fits.single_stage import point
from scaling.laws import joint_terms as terms_law
from scaling.runs import Runs
from scaling.statistics import goodness

Array = NDArray[np.float64]
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
    columns = joint_terms.columns_of(runs)

    def rival(left_out: Mask) -> Array:
        p = point(*joint_terms.make_problem(*(column[~left_out] for column in columns)))
        return terms_law.loss(p, *(column[left_out] for column in columns[:3]))

    scores = []
    for form, names in joint.FORMS.items():

        def predict(left_out: Mask, form: str = form) -> Array:
            return joint.predict_left_out(form, data, left_out)

        fitted = joint.fit_joint(runs, form, NO_BOOTSTRAP)
        scores.append(_score(form, len(names), np.array(fitted.residuals), data, predict))
    p = point(*joint_terms.make_problem(*columns))
    residuals = data.loss - terms_law.loss(p, *columns[:3])
    scores.append(_score(joint_terms.LAW, len(terms_law.NAMES), residuals, data, rival))
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
        quality.rmse,
        quality.aicc,
        quality.bic,
        left_out[float(data.compute.max())],
        _rms(errors[lowest[data.compute == data.compute.max()]]),
        left_out,
        _rms(np.array(list(left_out.values()))),
    )


def _rms(errors: Array) -> float:
    return float(np.sqrt(np.mean(errors**2)))
