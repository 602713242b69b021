"""Where laws would put the vocabulary: the size that reaches T*, and the vocabulary law's."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reports.vocabulary.material import Curves, DrawnCurve
from scaling.advice import Estimate, Question
from scaling.desk import estimate, set_out
from scaling.family_laws import FamilyLaws, anchor_spread, family_laws
from scaling.laws.vocabulary import best_vocabulary
from scaling.placement import Placement, place
from scaling.price import vocabulary_for_rate
from scaling.published import tables
from scaling.published.coefficients import TAO_VOCABULARY

BUDGETS = (1e19, 1e20, 1e21)  # within what Law II was fitted to
_SETTING = "monolingual"
_HEAD = 128  # width of a head; a model of L layers has width 128 L and 12 L (128 L)^2 parameters


class Wanted(NamedTuple):
    """What the laws want at a budget.

    Attributes:
        budget: FLOPs.
        latent, subword: T* by Law II of byte latent and of subword models, in the language's bytes.
        params: N* of a subword model by Law I, without its vocabulary.
        vocabulary: the vocabulary law's best size for N* and the budget, of English text.
    """

    budget: float
    latent: Estimate
    subword: Estimate
    params: float
    vocabulary: float


class Reached(NamedTuple):
    """Where a curve meets what is wanted.

    Attributes:
        latent, subword: the sizes at which it reaches T*; None where no size does.
        rate: bytes per token at the vocabulary law's size; None where that lies outside the curve.
    """

    latent: Estimate
    subword: Estimate
    rate: float | None


class PlacedCurves(NamedTuple):
    """One language: its curves and what the laws want of it.

    Attributes:
        language: its code.
        parity: bytes over English's; None where not measured.
        basis: `runs`, `measured` or `analogy`, see `scaling.placement`.
        curves: by tokenizer.
        wanted: one for each of `BUDGETS`.
    """

    language: str
    parity: float | None
    basis: str
    curves: Sequence[DrawnCurve]
    wanted: Sequence[Wanted]


def placed_curves(curves: Curves) -> list[PlacedCurves]:
    """Return the languages that can be placed, those by their own runs before those by parity."""
    places = {language: _place(curves, language) for language in curves.languages}
    if not any(places.values()):
        return []
    latent, subword = family_laws("latent"), family_laws("subword")
    found = [
        PlacedCurves(
            language,
            curves.parity(language),
            where.basis,
            curves.languages[language],
            [_wanted(budget, language, where, latent, subword) for budget in BUDGETS],
        )
        for language, where in places.items()
        if where is not None
    ]
    return sorted(found, key=lambda one: one.basis == "analogy")


def reached(curve: DrawnCurve, wanted: Wanted) -> Reached:
    """Return where a curve meets what is wanted."""
    points = curve.points
    sizes, rates = zip(*points, strict=True)
    inside = sizes[0] <= wanted.vocabulary <= sizes[-1]
    rate = float(np.interp(np.log(wanted.vocabulary), np.log(sizes), rates))
    return Reached(
        _sizes(wanted.latent, points), _sizes(wanted.subword, points), rate if inside else None
    )


def best_size(params: float, compute_flops: float) -> float:
    """Return the vocabulary law's best V for a model of the paper's shapes.

    Tao et al. 2024 (arXiv 2407.13623), approach 3, its published coefficients.

    Args:
        params: N without the vocabulary. compute_flops: C = 6 (N + V d) D.
    """
    layers = (params / (12 * _HEAD**2)) ** (1 / 3)
    found = best_vocabulary(
        TAO_VOCABULARY.estimates,
        np.asarray(params),
        np.asarray(_HEAD * layers),
        np.asarray(compute_flops),
    )
    return float(found)


def _sizes(rate: Estimate, points: Sequence[tuple[int, float]]) -> Estimate:
    found = [
        None if one is None else vocabulary_for_rate(one, points)
        for one in (rate.value, rate.low, rate.high)
    ]
    return Estimate(found[0], found[1], found[2], "ids")


def _place(curves: Curves, language: str) -> Placement | None:
    table = tables.table(tables.LANGUAGES)
    trained = set(table.filter(setting=_SETTING)["language"])
    code = next((one for one in trained if one in (language, f"{language}{one[3:]}")), None)
    parity = curves.parity(language)
    if code is None and parity is None:
        return None
    return place(table, code or language, parity, _SETTING, anchor_spread())


def _wanted(
    budget: float, language: str, where: Placement, latent: FamilyLaws, subword: FamilyLaws
) -> Wanted:
    desks = [
        set_out(Question(budget, language, laws.family), laws, where) for laws in (latent, subword)
    ]
    rates = [estimate(desk.best_rate, "bytes per token") for desk in desks]
    alone = desks[1].alone()
    params = float(alone.spend(alone.best_rate, alone.vocabulary).params[0])
    return Wanted(budget, rates[0], rates[1], params, best_size(params, budget))
