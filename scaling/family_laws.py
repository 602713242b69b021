"""The two laws an answer stands on, for a family of models, as clouds of coefficients."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError, did_you_mean
from scaling.engine.bootstrap import TWO_STAGE
from scaling.fits.isoflop import fit_surfaces
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.placement import BUDGET, COLUMNS
from scaling.published import tables
from scaling.published.coefficients import COT_LAW1_SUBWORD, COT_LAW2_SUBWORD
from scaling.result import FitResult

Array = NDArray[np.float64]
Cloud = Mapping[str, Array]
DRAWS = 1000
FAMILIES = ("latent", "subword")
_SHIFTED = ("alpha", "beta", "gamma", "delta", "E")


class FamilyLaws(NamedTuple):
    """Laws I and II of a family.

    Attributes:
        family: `latent` (byte latent transformers) or `subword`.
        law1, law2: the fits themselves.
        cloud1, cloud2: [1 + draws] of each coefficient; the first is the estimate.
        note: where they come from.
    """

    family: str
    law1: FitResult
    law2: FitResult
    cloud1: Cloud
    cloud2: Cloud
    note: str


def family_laws(
    family: str, law1: FitResult | None = None, law2: FitResult | None = None
) -> FamilyLaws:
    """Return the laws of a family: one's own fits where given, the shipped ones otherwise.

    The latent laws are fitted here to the shipped runs and optima. For subword models only
    published coefficients exist; their clouds borrow the scatter of the latent ones.

    Raises:
        InputError: the family is unknown, or a fit given is of another law.
    """
    if family not in FAMILIES:
        raise InputError(f"--family {family}: unknown{did_you_mean(family, FAMILIES)}")
    for given, wanted in ((law1, "law1"), (law2, "law2")):
        if given is not None and given.law != wanted:
            raise InputError(f"--{wanted}: the fit given is of {given.law}")
    if law2 is not None and "T0" not in law2.estimates:
        raise InputError(f"--law2: its form {law2.form!r} has no best rate; fit another")
    bootstrap = TWO_STAGE._replace(draws=DRAWS)
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
        note = "own fits: " + ", ".join(one.data for one in (law1, law2) if one is not None)
    return FamilyLaws(family, first, second, _cloud(first, latent1), _cloud(second, latent2), note)


def _cloud(fit: FitResult, spare: FitResult) -> Cloud:
    """Return the fit's draws, or its estimates moved as the spare's draws move.

    Exponents and floors move by as much, amplitudes by as large a factor: so what the coefficients
    predict together moves as the spare's prediction does.
    """
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
