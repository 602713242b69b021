"""The two laws an answer stands on, for a family of models, as clouds of coefficients."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError, did_you_mean
from scaling.advise.placement import BUDGET, COLUMNS, ENGLISH
from scaling.engine.bootstrap import RESIDUALS
from scaling.engine.newton import Array
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.surface import fit_surfaces
from scaling.published import tables
from scaling.published.coefficients import COT_LAW1_SUBWORD, COT_LAW2_SUBWORD
from scaling.result import FitResult

Cloud = Mapping[str, Array]
DRAWS = 1000
FEWEST_DRAWS = 100  # the ends of a 95 % interval are the outermost two or three of them
FAMILIES = ("latent", "subword")
_SHIFTED = ("alpha", "beta", "gamma", "delta", "E")


class FamilyLaws(NamedTuple):
    """Laws I and II of a family.

    Attributes:
        family: `latent` (byte latent transformers) or `subword`.
        law1, law2: the fits themselves.
        cloud1, cloud2: [1 + draws] of each coefficient; the first is the estimate. No draws for a
            fit of one's own that carries fewer than `FEWEST_DRAWS`.
        note: where they come from.
        own1, own2: whether the law is of runs of the language asked, where that is not English:
            the language's ratios to English are not for such a law.
    """

    family: str
    law1: FitResult
    law2: FitResult
    cloud1: Cloud
    cloud2: Cloud
    note: str
    own1: bool = False
    own2: bool = False


def family_laws(
    family: str,
    law1: FitResult | None = None,
    law2: FitResult | None = None,
    language: str = ENGLISH,
) -> FamilyLaws:
    """Return the laws of a family: one's own fits where given, the shipped ones otherwise.

    The latent laws are fitted here to the shipped runs and optima. For subword models only
    published coefficients exist; their clouds borrow the scatter of the latent ones.

    Args:
        family: one of `FAMILIES`.
        law1, law2: one's own fits.
        language: which is asked about; a fit may be of its runs or of English ones.

    Raises:
        InputError: the family is unknown, or a fit given is of another law or language, did not
            converge, or has no best rate.
    """
    if family not in FAMILIES:
        raise InputError(f"--family {family}: unknown{did_you_mean(family, FAMILIES)}")
    for given, wanted in ((law1, "law1"), (law2, "law2")):
        if given is not None:
            _refuse(given, wanted, language)
    if law2 is not None:
        if "T0" not in law2.estimates:
            raise InputError(f"--law2: its form {law2.form!r} has no best rate; fit another")
        if not law2.estimates["F"] > 0:
            raise InputError(
                f"--law2: F is {law2.estimates['F']:.3g}, so no rate is best; fit more rates"
            )
    bootstrap = RESIDUALS._replace(draws=DRAWS)
    latent1 = fit_law1(tables.isoflop_runs(exact_params=True), bootstrap)
    latent2 = fit_law2(tables.optima(), bootstrap=bootstrap)
    if family == "latent":
        first, second = law1 or latent1, law2 or latent2
        note = "fitted here to 311 published runs and 48 published optima of byte latent models"
    else:
        first, second = law1 or COT_LAW1_SUBWORD, law2 or COT_LAW2_SUBWORD
        note = (
            "coefficients as published for subword models, which have no interval; the scatter of "
            "the latent models' is borrowed"
        )
    if law1 is not None or law2 is not None:
        both = (("Law I", law1), ("Law II", law2))
        own = "; ".join(_own_note(name, one) for name, one in both if one is not None)
        shipped = next(
            (f"; {name} is the shipped one, {note}" for name, one in both if not one), ""
        )
        note = f"own fits: {own}{shipped}"
    return FamilyLaws(
        family,
        first,
        second,
        _cloud(first, latent1, own=law1 is not None),
        _cloud(second, latent2, own=law2 is not None),
        note,
        _of(law1) == language != ENGLISH,
        _of(law2) == language != ENGLISH,
    )


def _of(fit: FitResult | None) -> str:
    """Return the language of a fit; one that names none is taken for English."""
    return ENGLISH if fit is None else str(fit.context.get("language", ENGLISH))


def _refuse(fit: FitResult, wanted: str, language: str) -> None:
    if fit.law != wanted:
        raise InputError(f"--{wanted}: the fit given is of {fit.law}")
    if not fit.ok:
        failed = [one.message for one in fit.findings if one.severity == "failure"]
        raise InputError(f"--{wanted}: not to be used: {'; '.join([fit.status, *failed])}")
    if _of(fit) not in (ENGLISH, language):
        raise InputError(
            f"--{wanted}: the fit given is of {_of(fit)} runs, and --language is {language}; give "
            f"a fit of {language} or of {ENGLISH}"
        )


def _own_note(name: str, fit: FitResult) -> str:
    language = fit.context.get("language", f"names no language, taken for {ENGLISH}")
    note = f"{name} of {fit.data} ({language})"
    if len(fit.draws) < FEWEST_DRAWS:
        note += (
            f" has {len(fit.draws)} draws, fewer than {FEWEST_DRAWS}: no interval of what rests "
            "on it is shown"
        )
    return note


def _cloud(fit: FitResult, spare: FitResult, own: bool) -> Cloud:
    """Return the fit's draws, or its estimates moved as the spare's draws move.

    Exponents and floors move by as much, amplitudes by as large a factor: so what the coefficients
    predict together moves as the spare's prediction does. One's own fit borrows nothing: with too
    few draws its cloud is the estimate alone.
    """
    if own and len(fit.draws) < FEWEST_DRAWS:
        return {name: np.array([value]) for name, value in fit.estimates.items()}
    source = fit if fit.draws else spare
    table = np.asarray(source.draws)[:DRAWS]
    columns = dict(zip(source.estimates, table.T, strict=True))
    if fit.draws:
        return {
            name: np.concatenate([[value], columns[name]]) for name, value in fit.estimates.items()
        }
    moved = {}
    for name, value in fit.estimates.items():
        centre, column = spare.estimates[name], np.concatenate([[0.0], columns[name]])
        column[0] = centre
        moved[name] = value + (column - centre) if name in _SHIFTED else value * column / centre
    return moved


def anchor_spread() -> dict[str, float]:
    """Return the standard deviation of ln T*, ln rho* and ln L* of one trained language.

    That of the English surface at the budget at which the languages were trained.
    """
    runs = tables.isoflop_runs()
    (fit,) = fit_surfaces(runs.only(runs.column("compute_flops", "advise") == BUDGET))
    columns = dict(zip(fit.estimates, np.asarray(fit.draws).T, strict=True))
    names = ("compression_rate_opt", "bytes_per_param_opt", "bits_per_byte_opt")
    return {
        column: float(np.log(columns[name]).std())
        for column, name in zip(COLUMNS, names, strict=True)
    }
