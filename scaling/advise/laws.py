"""The two laws an answer stands on, for a family of models, as draws of their coefficients."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from corpora.errors import InputError, did_you_mean
from scaling.advise.placement import ENGLISH
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, RESIDUALS
from scaling.engine.newton import Array
from scaling.fits.findings import check_usable
from scaling.fits.joint import fit_joint
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.laws.registry import Options
from scaling.published import tables
from scaling.published.tables import COT_LAW1_SUBWORD, COT_LAW2_SUBWORD
from scaling.result import FitResult
from scaling.runs import Runs

Draws = Mapping[str, Array]  # [1 + draws] of each coefficient; the first is the estimate
DRAWS = 1000
JOINT_DRAWS = 300
FEWEST_DRAWS = 100  # the ends of a 95 % interval are the outermost two or three of them
FAMILIES = ("latent", "subword")
_LAW1 = ("B0", "alpha", "beta", "N0")
REST_ON = (
    "an answer rests on Laws I and II: give fits of law1 and law2 of the same runs, or of languages"
)


class SampledLaw(NamedTuple):
    """A law as an answer uses it.

    Attributes:
        fit: the law.
        draws: of its coefficients; no more than the estimate for a user's fit that carries fewer
            than `FEWEST_DRAWS`.
        of_language: whether it is of runs of the language asked, where that is not English: the
            language's ratios to English are not for such a law.
    """

    fit: FitResult
    draws: Draws
    of_language: bool


class FamilyLaws(NamedTuple):
    """Laws I and II of a family, and where they come from."""

    family: str
    law1: SampledLaw
    law2: SampledLaw
    note: str


def family_laws(
    family: str,
    law1: FitResult | None = None,
    law2: FitResult | None = None,
    language: str = ENGLISH,
) -> FamilyLaws:
    """Return the laws of a family: the user's fits where given, the shipped ones otherwise.

    The latent laws are fitted here to the shipped runs and optima. For subword models only
    published coefficients exist; their draws borrow the scatter of the latent ones.

    Args:
        family: one of `FAMILIES`.
        law1, law2: the user's fits.
        language: which is asked about; a fit may be of its runs or of English ones.

    Raises:
        InputError: the family is unknown, or a fit given is of another law or language, did not
            converge, or has no best rate.
    """
    if family not in FAMILIES:
        raise InputError(f"`family` {family}: unknown{did_you_mean(family, FAMILIES)}")
    _check(law1, "law1", language)
    _check(law2, "law2", language)
    return FamilyLaws(
        family,
        _shipped(family, "law1") if law1 is None else _given(law1, language),
        _shipped(family, "law2") if law2 is None else _given(law2, language),
        _note(family, law1, law2),
    )


def language_of(fit: FitResult) -> str:
    """Return the language of a fit; one that names none is taken for English."""
    return str(fit.context.get("language", ENGLISH))


def _check(fit: FitResult | None, wanted: str, language: str) -> None:
    if fit is None:
        return
    if fit.law != wanted:
        raise InputError(f"`{wanted}`: the fit given is of {fit.law}; {REST_ON}")
    check_usable(wanted, fit)
    if language_of(fit) not in (ENGLISH, language):
        raise InputError(
            f"`{wanted}`: the fit given is of {language_of(fit)} runs, and `language`"
            f" is {language}; give a fit of {language} or of {ENGLISH}"
        )
    if wanted == "law1":
        _ = [fit.estimates[name] for name in _LAW1]  # a file may lack one, and is named
        return
    if "T0" not in fit.estimates:
        raise InputError(f"`law2`: its form {fit.form!r} has no best rate; fit another")
    bend = "K" if "K" in fit.estimates else "F"
    if not fit.estimates[bend] > 0:
        raise InputError(
            f"`law2`: {bend} is {fit.estimates[bend]:.3g}, so no rate is best; fit more rates"
        )


def _given(fit: FitResult, language: str) -> SampledLaw:
    # It borrows no scatter: with too few draws it is its estimate alone.
    count = DRAWS if len(fit.draws) >= FEWEST_DRAWS else 0
    return SampledLaw(fit, fit.coefficients(count), language_of(fit) == language != ENGLISH)


def _shipped(family: str, law: str) -> SampledLaw:
    if family == "latent":
        latent = _latent_law1() if law == "law1" else _latent_law2()
        return SampledLaw(latent, latent.coefficients(DRAWS), False)
    published = COT_LAW1_SUBWORD if law == "law1" else COT_LAW2_SUBWORD
    lender = _latent_law1() if law == "law1" else _latent_law2(published.form)
    return SampledLaw(published, _borrowed(published, lender), False)


@cache
def _latent_law1() -> FitResult:
    runs = tables.isoflop_runs(exact_params=True)
    return fit_law1(runs, bootstrap=RESIDUALS._replace(draws=DRAWS))


@cache
def _latent_law2(form: str = "") -> FitResult:
    return fit_law2(tables.optima(), Options(form), RESIDUALS._replace(draws=DRAWS))


@cache
def joint_law_draws() -> Draws:
    """Return [1 + `JOINT_DRAWS`] coefficients of the joint law on the shipped runs."""
    fit = fit_joint(tables.isoflop_runs(), bootstrap=CASES._replace(draws=JOINT_DRAWS))
    return fit.coefficients(DRAWS)


@cache
def joint_law_estimate(form: str) -> Draws:
    """Return [1] coefficients of a form of the joint law on the shipped runs, without draws."""
    return fit_joint(tables.isoflop_runs(), Options(form), NO_BOOTSTRAP).coefficients()


@cache
def joint_law_range() -> dict[str, tuple[float, float]]:
    """Return the lowest and highest C, T and bytes per effective parameter of the shipped runs."""
    return joint_range(tables.isoflop_runs())


def joint_range(runs: Runs) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest T, and bytes per effective parameter, of runs."""
    names = ("compute_flops", "compression_rate", "train_bytes")
    compute, rate, data = (runs.column(name, "joint") for name in names)
    ratio = 6 * data**2 / (compute * rate)
    named = {
        "compute_flops": compute,
        "compression_rate": rate,
        "bytes per effective parameter": ratio,
    }
    return {name: (float(column.min()), float(column.max())) for name, column in named.items()}


def _borrowed(fit: FitResult, lender: FitResult) -> Draws:
    """Return the fit's estimates, moved as the lender's draws move.

    Exponents and floors move by as much, amplitudes by as large a factor: so what the coefficients
    predict together moves as the lender's prediction does.
    """
    draws = lender.coefficients(DRAWS)
    moved = {}
    for name, value in fit.estimates.items():
        centre, column = lender.estimates[name], draws[name]
        moves_by_sum = name in ("alpha", "beta", "gamma", "delta", "E")
        moved[name] = value + (column - centre) if moves_by_sum else value * column / centre
    return moved


def _note(family: str, law1: FitResult | None, law2: FitResult | None) -> str:
    """Return where the laws come from."""
    shipped = (
        "fitted here to 311 published runs and 48 published optima of byte latent models"
        if family == "latent"
        else "coefficients as published for subword models, which have no interval; the scatter of "
        "the latent models' is borrowed"
    )
    if law1 is None and law2 is None:
        return shipped
    both = (("Law I", law1), ("Law II", law2))
    given = "; ".join(_note_of(name, fit) for name, fit in both if fit is not None)
    rest = "".join(f"; {name} is the shipped one, {shipped}" for name, fit in both if fit is None)
    return f"own fits: {given}{rest}"


def _note_of(name: str, fit: FitResult) -> str:
    language = fit.context.get("language", f"names no language, taken for {ENGLISH}")
    note = f"{name} of {fit.data} ({language})"
    if len(fit.draws) < FEWEST_DRAWS:
        note += (
            f" has {len(fit.draws)} draws, fewer than {FEWEST_DRAWS}: no interval of what rests "
            "on it is shown"
        )
    return note
