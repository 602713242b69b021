"""What the laws say, in plain words, and what they stand on."""

from pathlib import Path

from markupsafe import Markup

from reports.charts.chart import laws_style
from reports.html import Cell, Column, sortable_table
from reports.languages import language_name
from reports.laws.optimal import BUDGET, placed
from reports.laws.profiles import best_rates_sentence, law2_of
from reports.laws.results import Laws, alike, budget, inside, label, shown_name
from reports.laws.text import ends_text, estimated, power, significant
from reports.measured import Measured
from reports.numbers import UNMEASURED, listed, plural
from reports.page import Section, behind
from scaling.result import FitResult

_SINGLE = ("isoflop", "isoflop-surface")  # many fits each, shown in their own sections


def opening(laws: Laws) -> Section:
    """Say what was fitted and found."""
    points = law_sentences(laws)
    body = Markup('<p class="lead">{}</p>').format(
        "At a given training budget, how many bytes should a token hold, how large should the "
        "model be, and how much text should it read? The laws below answer from trained models, "
        "each number with the interval that the runs allow."
    )
    if points:
        items = Markup("").join(Markup("<li>{}</li>").format(one) for one in points)
        body += Markup('<ul class="findings">{}</ul>').format(items)
    fits = [one for one in laws.fits if one.law not in _SINGLE]
    body += behind("Table: every law that was fitted", _table(laws, fits))
    return Section("laws", "Scaling laws", body, style=laws_style())


def law_sentences(laws: Laws) -> list[str]:
    """Return what the laws say, a sentence each, in plain text."""
    sentences = []
    fit = law2_of(laws)
    if fit is not None:
        sentences.append(best_rates_sentence(fit, laws))
        apart = [
            power(budget(one))
            for one in laws.of("isoflop-surface")
            if alike(one, fit) and _apart(one, fit)
        ]
        if apart:
            sentences.append(
                f"At {listed(apart)} FLOPs, the bowl fitted to that budget alone has its lowest "
                "place elsewhere than Law II, and the intervals of the two do not meet: there the "
                "two ways of finding T* differ by more than either admits."
            )
    sentences += _bowl_sentences(laws, alone=fit is None)
    failed = [shown_name(one, laws.fits) for one in laws.fits if not one.ok]
    if failed:
        sentences.append(f"Not to be used, see the findings: {', '.join(failed)}.")
    return sentences


def _bowl_sentences(laws: Laws, alone: bool) -> list[str]:
    """Say which bowls have no optimum, and, where no law says it better, what the others have."""
    bowls = laws.of("isoflop-surface")
    sentences = []
    for one in bowls:
        if alone and one.ok and inside(one):
            own = one.intervals.get("compression_rate_opt")
            best = significant(one.estimates["compression_rate_opt"])
            ends = "" if own is None else f" {ends_text(own.low, own.high)}"
            where = label(one, bowls)
            sentences.append(f"At {where}, the best compression rate is {best}{ends} bytes.")
    outside = [label(one, bowls) for one in bowls if not inside(one)]
    if outside:
        sentences.append(
            f"At {listed(outside)}, the bowl's lowest place lies outside the rates or sizes"
            " trained, so there is no optimum to report."
        )
    return sentences


def _apart(bowl: FitResult, law2: FitResult) -> bool:
    """Whether the intervals of T* of a bowl and of Law II do not meet."""
    own = bowl.intervals.get("compression_rate_opt")
    theirs = law2.predict("compression_rate_opt", compute_flops=budget(bowl))
    if own is None or theirs.low is None or theirs.high is None:
        return False
    return bool(own.high < theirs.low or own.low > theirs.high)


def _table(laws: Laws, fits: list[FitResult]) -> Markup:
    return sortable_table(
        f"{plural(len(fits), 'fit')}, and what each stands on",
        [
            Column("law", numeric=False),
            Column("status", numeric=False),
            Column("rows"),
            Column("left out"),
            Column("R²"),
            Column("RMSE", hint="in the unit of what is fitted: bits per byte, or ln bytes"),
            Column("hold-out RMSE"),
            Column("intervals", numeric=False),
            Column("data", numeric=False),
        ],
        [
            [
                shown_name(one, laws.fits),
                one.status,
                str(one.n),
                str(len(one.excluded)),
                significant(one.r2, 4),
                significant(one.rmse, 3),
                UNMEASURED
                if one.holdout is None
                else Cell(significant(one.holdout.rmse, 3), hint=one.holdout.rule),
                one.interval_method if one.draws else one.interval_reason,
                Cell(Path(one.data).name, hint=f"SHA-256 {one.data_sha256}"),
            ]
            for one in fits
        ],
    )


# What the demo prints of the laws: sentences that the fits and the counts support.


_LANGUAGES = ("eng", "hin")  # one that the laws were fitted to, one that has a T* of its own


def best_rate_sentences(laws: Laws, measured: Measured, tokenizer: str) -> list[str]:
    """Return T* at two budgets, and what a tokenizer does beside it in English and Hindi."""
    fit = law2_of(laws)
    if fit is None or not measured.corpora:
        return []
    parts = []
    for one in placed(measured, measured.corpora[0], fit):
        own = next((each for each in one.distances if each.tokenizer == tokenizer), None)
        if one.language[:3] in _LANGUAGES and own is not None:
            parts.append(
                f"{significant(own.rate)} bytes per token of {language_name(one.language)}, where "
                f"the best rate is {estimated(one.best)} (price {estimated(own.price, 2)} bits per "
                "byte)"
            )
    sentences = [best_rates_sentence(fit, laws)]
    if parts:
        sentences.append(
            f"At {power(BUDGET)} FLOPs, if tokens are worth what patches are: {tokenizer} holds "
            f"{listed(parts)}."
        )
    return sentences
