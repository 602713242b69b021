"""What the laws say, in plain words, and what they stand on."""

from pathlib import Path

from markupsafe import Markup

from reports.html import TableCell, columns, sortable_table
from reports.languages import language_name
from reports.laws.optimal import BUDGET, placed
from reports.laws.profiles import best_rates_sentence, law2_of
from reports.laws.results import Laws, alike, budget, inside, label, shown_name
from reports.measured import Measured
from reports.numbers import UNMEASURED, ends_of, ends_text, listed, plural, power, said, significant
from reports.page import Section, behind, bullets, lead
from scaling.result import FitResult

_RATE = "compression_rate_opt"
_SINGLE = ("isoflop", "isoflop-surface")  # many fits each, shown in their own sections


def law_overview(laws: Laws) -> Section:
    """Say what was fitted and found."""
    body = lead(
        "At a given training budget, how many bytes should a token hold, how large should the "
        "model be, and how much text should it read? The laws below answer from trained models, "
        "each number with the interval that the runs allow."
    )
    fits = [fit for fit in laws.fits if fit.law not in _SINGLE]
    body += bullets(law_sentences(laws)) + behind(
        "Table: every law that was fitted", _table(laws, fits)
    )
    return Section("laws", "Scaling laws", body)


def law_sentences(laws: Laws) -> list[str]:
    """Return what the laws say, a sentence each, in plain text."""
    sentences = []
    fit = law2_of(laws)
    if fit is not None:
        sentences.append(best_rates_sentence(fit, laws))
        apart = [
            power(budget(bowl))
            for bowl in laws.of("isoflop-surface")
            if alike(bowl, fit) and _apart(bowl, fit)
        ]
        if apart:
            sentences.append(
                f"At {listed(apart)} FLOPs, the bowl fitted to that budget alone has its lowest "
                "place elsewhere than Law II, and the intervals of the two do not meet: there the "
                "two ways of finding T* differ by more than either admits."
            )
    sentences += _bowl_sentences(laws, alone=fit is None)
    failed = [shown_name(fit, laws.fits) for fit in laws.fits if not fit.ok]
    if failed:
        sentences.append(f"Not to be used, see the findings: {', '.join(failed)}.")
    return sentences


def _bowl_sentences(laws: Laws, alone: bool) -> list[str]:
    """Say which bowls have no optimum, and, where no law says it better, what the others have."""
    bowls = laws.of("isoflop-surface")
    sentences = []
    for bowl in bowls:
        if alone and bowl.ok and inside(bowl):
            best = significant(bowl.estimates[_RATE])
            best = f"{best} {ends_text(bowl.intervals.get(_RATE))}".strip()
            where = label(bowl, bowls)
            sentences.append(f"At {where}, the best compression rate is {best} bytes.")
    outside = [label(bowl, bowls) for bowl in bowls if not inside(bowl)]
    if outside:
        sentences.append(
            f"At {listed(outside)}, the bowl's lowest place lies outside the rates or sizes"
            " trained, so there is no optimum to report."
        )
    return sentences


def _apart(bowl: FitResult, law2: FitResult) -> bool:
    """Whether the intervals of T* of a bowl and of Law II do not meet."""
    alone = ends_of(bowl.intervals.get(_RATE))
    by_law = ends_of(law2.predict(_RATE, compute_flops=budget(bowl)))
    return bool(alone and by_law and (alone[1] < by_law[0] or alone[0] > by_law[1]))


def _table(laws: Laws, fits: list[FitResult]) -> Markup:
    return sortable_table(
        f"{plural(len(fits), 'fit')}, and what each stands on",
        columns(
            "law: | status: | rows | left out | R² | RMSE | hold-out RMSE | intervals: | data:",
            {"RMSE": "in the unit of what is fitted: bits per byte, or ln bytes"},
        ),
        [
            [
                shown_name(fit, laws.fits),
                fit.status,
                str(fit.n),
                str(len(fit.excluded)),
                significant(fit.r2, 4),
                significant(fit.rmse, 3),
                TableCell(significant(fit.holdout.rmse, 3), hint=fit.holdout.rule)
                if fit.holdout
                else UNMEASURED,
                fit.interval_method if len(fit.draws) else fit.interval_reason,
                TableCell(Path(fit.data).name, hint=f"SHA-256 {fit.data_sha256}"),
            ]
            for fit in fits
        ],
    )


_LANGUAGES = ("eng", "hin")  # one that the laws were fitted to, one that has a T* of its own


def best_rate_sentences(laws: Laws, measured: Measured, tokenizer: str) -> list[str]:
    """Return T* at two budgets, and what a tokenizer does beside it in English and Hindi."""
    fit = law2_of(laws)
    if fit is None or not measured.corpora:
        return []
    parts = [
        f"{significant(distance.rate)} bytes per token of {language_name(place.language)}, where "
        f"the best rate is {said(place.best)} (price {said(distance.price, 2)} bits per byte)"
        for place in placed(measured, measured.corpora[0], fit)
        for distance in place.distances
        if place.language[:3] in _LANGUAGES and distance.tokenizer == tokenizer
    ]
    sentences = [best_rates_sentence(fit, laws)]
    if parts:
        sentences.append(
            f"At {power(BUDGET)} FLOPs, if tokens are worth what patches are: {tokenizer} holds "
            f"{listed(parts)}."
        )
    return sentences
