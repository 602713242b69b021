"""Where a language lies beside English by runs of many: the law over languages in place of analogy.

A fit of the law `languages` (`scaling.laws.languages`) has T*, bytes per parameter and loss of each
language at one budget. A language among them is placed by its own, pooled values; another by its
parity, with all that languages of one parity differ by. What the fit does not tell, as bytes per
parameter of runs of one size, is left to `place_language`. As there, ratios to English are assumed
to be the same at every budget.
"""

from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from corpora.languages import same_languages
from scaling.advise.placement import ENGLISH, Placement, check_parity, place_language, trained
from scaling.fits.findings import check_usable
from scaling.laws.languages import (
    LOSS,
    POOLED,
    RATE,
    RATIO,
    TAU,
    UNITS,
    WEIGHT,
    languages_of,
    pooled,
)
from scaling.result import FitResult

LAW = "languages"
POOLED_BASIS, LINE_BASIS = "pooled", "line"
_NORMAL = 1.959964
_SAID = {RATE: "T*", RATIO: "bytes per parameter", LOSS: "loss"}


class _Ratio(NamedTuple):
    """Of a language over English: the estimate, and the standard deviation of its logarithm."""

    value: float
    spread: float


def place_by_fit(
    fit: FitResult, language: str, parity: float | None = None, setting: str = "monolingual"
) -> Placement:
    """Return where a language lies by a fit of many languages.

    Args:
        fit: of the law `languages`, English among its languages.
        language: its code. parity: its bytes per byte of English, where it is not in the fit.
        setting: of what the fit does not tell.

    Raises:
        InputError: the fit is of another law, failed, or has no English; or the language is not in
            it and no parity is given.
    """
    check_parity(parity)
    if fit.law != LAW:
        raise InputError(f"`languages`: the fit given is of {fit.law}; give one of the law {LAW}")
    names = languages_of(fit.estimates)
    if not names:
        raise InputError("`languages`: the fit given tells of no language; fit again")
    check_usable("languages", fit)
    english = next((name for name in names if same_languages(ENGLISH, [name])), None)
    if english is None:
        raise InputError(
            f"`languages`: the fit is of {', '.join(names)}; a language is placed beside English,"
            f" so fit runs of {ENGLISH} with the others"
        )
    if same_languages(language, [english]):
        return trained(language, "the laws are of English runs", 1.0)
    name = next((name for name in names if same_languages(language, [name])), None)
    if name is None and parity is None:
        raise InputError(
            f"`language` {language!r} is not among the languages of the fit ({', '.join(names)});"
            " give `parity`, the bytes it needs per byte of English"
        )
    told = {
        outcome: _ratio(fit, outcome, english, name, parity)
        for outcome in UNITS
        if POOLED.format(outcome, english) in fit.estimates
    }
    basis, note, beyond = _said(fit, language, name, parity, len(names))
    if len(told) < len(UNITS):
        rest = place_language(language, parity, setting)
        others = zip((RATE, RATIO, LOSS), rest[3:6], rest.spread, strict=True)
        lacks = " and ".join(_SAID[outcome] for outcome in UNITS if outcome not in told)
        note += f"; {lacks} as without the fit ({rest.basis})"
        told = {outcome: _Ratio(value, spread) for outcome, value, spread in others} | told
    spreads = (told[RATE].spread, told[RATIO].spread, told[LOSS].spread)
    values = (told[RATE].value, told[RATIO].value, told[LOSS].value)
    if name is not None:
        parity = fit.estimates[f"parity:{name}"]
    return Placement(language, basis, parity, *values, spreads, None, note, beyond)


def _ratio(
    fit: FitResult, outcome: str, english: str, name: str | None, parity: float | None
) -> _Ratio:
    columns = fit.coefficients()
    if name is not None:
        ours = columns[POOLED.format(outcome, name)]
    else:
        ours = pooled(columns, np.array(parity), outcome)
    logs = np.log(ours / columns[POOLED.format(outcome, english)])
    if not np.isfinite(logs[0]):
        raise InputError(
            f"`languages`: the fit tells no {_SAID[outcome]} of {name or 'that parity'} over that"
            f" of {english}; fit again"
        )
    spread = 0.0
    if len(logs) > 1:
        low, high = np.percentile(logs[1:], [2.5, 97.5])
        spread = float(high - low) / (2 * _NORMAL)
    return _Ratio(float(np.exp(logs[0])), spread)


def _said(
    fit: FitResult, language: str, name: str | None, parity: float | None, count: int
) -> tuple[str, str, str]:
    """Return the basis, what is assumed, and that the parity lies beyond those fitted."""
    of = f"{count} languages of {fit.data}"
    every = "its ratios to English there are assumed at every budget"
    if name is not None:
        weight = fit.estimates.get(WEIGHT.format(RATE, name), 0.0)
        share = f"its own runs have {weight:.0%} of its T*, the line over parity the rest"
        return POOLED_BASIS, f"{language} is placed by a fit of {of}: {share}; {every}", ""
    note = (
        f"{language} has no runs among {of}: its parity {parity:.3g} puts it on the line through"
        f" them, as unsure as languages differ (tau {fit.estimates[TAU.format(RATE)]:.2g}); {every}"
    )
    low, high = fit.data_range.get("parity", (-np.inf, np.inf))
    if parity is None or low <= parity <= high:
        return LINE_BASIS, note, ""
    beyond = f"parity {parity:.3g} lies beyond the languages fitted, {low:.3g} to {high:.3g}:"
    return LINE_BASIS, note, f"{beyond} where {language} stands is an extrapolation"
