"""How far measured tokenizers are from the best compression rate, and what that costs."""

from typing import NamedTuple

import numpy as np
import polars as pl

from reports.measured import CorpusResults, Measured
from scaling.advice import Estimate, Question
from scaling.desk import Desk, estimate, set_out
from scaling.family_laws import FamilyLaws, anchor_spread, family_laws
from scaling.placement import Placement, place
from scaling.price import price
from scaling.published import tables
from scaling.result import FitResult

BUDGET = 1e20  # at which the languages of the shipped table were trained
_SETTING = "monolingual"


class Distance(NamedTuple):
    """One tokenizer on one language.

    Attributes:
        tokenizer: its name.
        rate: bytes per token, measured.
        over_best: that over T*.
        price: bits per byte lost against T* at the budget.
        multiplier: of the budget that would buy them back; no value where none within a
            millionfold does.
        outside: by what factor the rate leaves those that the law was fitted to; 1 if it does not.
    """

    tokenizer: str
    rate: float
    over_best: Estimate
    price: Estimate
    multiplier: Estimate
    outside: float


class Placed(NamedTuple):
    """One language: its best rate, and the tokenizers beside it.

    Attributes:
        language: its code, as measured.
        parity: bytes over English's on the same lines; None where not measured.
        basis: `runs`, `measured` or `analogy`, see `scaling.placement`.
        best, best_later: T* at `BUDGET`, and at ten times that.
        distances: one for each tokenizer.
    """

    language: str
    parity: float | None
    basis: str
    best: Estimate
    best_later: Estimate
    distances: tuple[Distance, ...]


def placed(measured: Measured, corpus: CorpusResults, law2: FitResult) -> list[Placed]:
    """Return every language of a corpus that can be placed, by rising best rate.

    A language that was trained has a measured T*. Another is placed by its parity to English where
    the corpus tells it; where it does not, nothing is said of it.
    """
    codes = {language: _place_of(measured, corpus, language) for language in corpus.languages}
    if not any(codes.values()):
        return []
    laws, spread = family_laws("latent", law2=law2), anchor_spread()
    table = tables.table(tables.LANGUAGES)
    found = []
    for language, known in codes.items():
        if known is None:
            continue
        code, parity = known
        where = place(table, code, parity, _SETTING, spread)
        found.append(_one(corpus, language, parity, where, laws))
    return sorted(found, key=lambda one: (one.best.value or 0.0, one.language))


def _place_of(
    measured: Measured, corpus: CorpusResults, language: str
) -> tuple[str, float | None] | None:
    """Return the code under which a language is placed and its parity; None if it cannot be."""
    known: pl.DataFrame = tables.table(tables.LANGUAGES).filter(setting=_SETTING)
    trained = [code for code in known["language"] if code in (language, f"{language}{code[3:]}")]
    row = corpus.cells.get((language, measured.series[0].name))
    by_english = measured.reference.startswith("eng")
    parity = row["parity"] if row is not None and by_english else None
    if trained:
        return trained[0], parity
    return (language, parity) if parity else None


def _one(
    corpus: CorpusResults,
    language: str,
    parity: float | None,
    where: Placement,
    laws: FamilyLaws,
) -> Placed:
    desk = set_out(Question(BUDGET, where.language), laws, where)
    later = set_out(Question(10 * BUDGET, where.language), laws, where)
    distances = []
    for tokenizer in corpus.tokenizers:
        row = corpus.cells.get((language, tokenizer))
        if row is not None and row["bytes_per_token"]:
            distances.append(_distance(desk, tokenizer, row["bytes_per_token"]))
    return Placed(
        language,
        parity,
        where.basis,
        estimate(desk.best_rate, "bytes per token"),
        estimate(later.best_rate, "bytes per token"),
        tuple(distances),
    )


def _distance(desk: Desk, tokenizer: str, rate: float) -> Distance:
    rates = np.full_like(desk.best_rate, rate)
    cost = price(desk.law2, desk.budget, rates / desk.rate_ratio, desk.loss_ratio)
    return Distance(
        tokenizer,
        rate,
        estimate(rates / desk.best_rate, "of T*"),
        estimate(cost.bits_per_byte, "bits per byte"),
        estimate(cost.multiplier, "times the budget"),
        desk.outside(rates).get("compression_rate", 1.0),
    )
