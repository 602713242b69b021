"""What the laws say, in plain words, and what they stand on."""

from pathlib import Path

from markupsafe import Markup

from reports.charts.chart import Panel, panels
from reports.charts.figure import again
from reports.charts.svg import Series, legend
from reports.html import TableCell, columns, sortable_table
from reports.languages import language_name
from reports.laws.allocation import CURVES
from reports.laws.bowl import contour_panels
from reports.laws.optimal import BUDGET, placed
from reports.laws.profiles import (
    best_rate_panel,
    best_rates_sentence,
    law2_of,
    losses_panel,
    optima_of,
    told_budgets,
)
from reports.laws.results import Laws, alike, budget, inside, label, runs_words, shown_name
from reports.measured import Measured
from reports.numbers import UNMEASURED, ends_of, ends_text, listed, plural, power, said, significant
from reports.page import Section, behind, bullets, lead
from scaling.result import FitResult

_RATE = "compression_rate_opt"
_SINGLE = (*CURVES, "isoflop-surface")  # many fits each, shown in their own sections


_MOST_FINDINGS = 4
_MOST_BOWLS = 2  # on the first screen


def law_overview(laws: Laws) -> Section:
    """Say what was found: the best rate in a sentence, the picture, and what to do."""
    sentences = law_sentences(laws)
    said = [*sentences[:_MOST_FINDINGS], *to_do(laws)]
    body = Markup('<div class="answer">{}<div class="shown">{}</div>{}</div>').format(
        lead(best_rate_answer(laws)), _picture(laws), bullets(said)
    )
    fits = [fit for fit in laws.fits if fit.law not in _SINGLE]
    if len(sentences) > _MOST_FINDINGS:
        more = bullets(sentences[_MOST_FINDINGS:])
        body += behind(plural(len(sentences) - _MOST_FINDINGS, "more finding"), more)
    if fits:
        body += behind("Table: every law that was fitted", _table(laws, fits))
    return Section("laws", "What the laws say", body)


def answering_bowl(laws: Laws) -> FitResult | None:
    """Return the bowl of the largest budget whose lowest place lies inside what was trained."""
    bowls = [bowl for bowl in laws.of("isoflop-surface") if bowl.ok and inside(bowl)]
    return max(bowls, key=budget, default=None)


def best_rate_answer(laws: Laws) -> Markup:
    """Return T* with its interval, the budget it is of, and whose runs say so."""
    fit, bowl = law2_of(laws), answering_bowl(laws)
    if fit is not None and fit.ok:
        spent = told_budgets(fit)[1]
        best, source = fit.predict(_RATE, compute_flops=spent), fit
        who = f"Law II, {plural(fit.n, 'optimum', 'optima')}"
        value, ends = significant(float(best.value)), ends_text(best)
    elif bowl is not None:
        spent, source = budget(bowl), bowl
        who = plural(bowl.n, "run")
        value, ends = significant(bowl.estimates[_RATE]), ends_text(bowl.intervals.get(_RATE))
    else:
        return Markup("No fit here gives a best compression rate{}.").format(
            ": no bowl has its lowest place among the rates and sizes trained"
            if laws.of("isoflop-surface")
            else ""
        )
    return Markup(
        "At {} FLOPs the best compression rate T* is <b>{}</b> <small>{}</small> bytes per token, "
        "by {} of {}."
    ).format(power(spent), value, ends, who, runs_words(source))


def _picture(laws: Laws) -> Markup:
    """Return the chart that shows the best rate: of Law II, else of bowls from above."""
    fit, drawn = law2_of(laws), list[Panel]()
    series: list[Series] = []
    if fit is not None and fit.ok:
        bowls = [bowl for bowl in laws.of("isoflop-surface") if alike(bowl, fit)]
        drawn = [best_rate_panel(fit, "Law II", bowls)]
        if optima := optima_of(laws, fit):
            losses, series = losses_panel(fit, "Law II", optima)
            drawn.insert(0, losses)
    elif found := laws.with_runs("isoflop-surface"):
        answer = answering_bowl(laws)
        shown = sorted(found, key=lambda pair: (pair[0] is not answer, -budget(pair[0])))
        drawn = contour_panels(shown[:_MOST_BOWLS], laws.fits)
    if not drawn:
        return Markup("")
    key = legend(series, lines=True) if series else Markup("")
    return key + panels([again(panel, "answer") for panel in drawn])


def to_do(laws: Laws) -> list[Markup]:
    """Return what to do with the answer, as commands that can be run."""
    found = []
    if law2_of(laws) is not None:
        found.append(
            Markup(
                "What to do: <code>tokenize-lab scaling advise --compute 1e21 --language eng_Latn"
                "</code> gives rate, model and text for a budget and a language, and with "
                "<code>-t TOKENIZER</code> what keeping a tokenizer costs."
            )
        )
    elif answering_bowl(laws) is None and laws.of("isoflop-surface"):
        found.append(Markup("What to do: train rates and sizes beyond the ends of this grid."))
    elif laws.of("isoflop-surface"):
        found.append(
            Markup("What to do: train three budgets or more, and fit Law II to see T* move.")
        )
    return found


def law_sentences(laws: Laws) -> list[str]:
    """Return what the laws say, a sentence each, in plain text."""
    sentences = []
    fit = law2_of(laws)
    if fit is not None:
        sentences.append(best_rates_sentence(fit))
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
            where = f"{power(budget(bowl))} FLOPs of {runs_words(bowl)}"
            sentences.append(f"At {where}, the best compression rate is {best} bytes.")
    outside = [label(bowl, laws.fits) for bowl in bowls if not inside(bowl)]
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
        f"{plural(len(fits), 'law')}, and what each stands on; the fits of single budgets stand in "
        "sections of their own",
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
    sentences = [best_rates_sentence(fit)]
    if parts:
        sentences.append(
            f"At {power(BUDGET)} FLOPs, if tokens are worth what patches are: {tokenizer} holds "
            f"{listed(parts)}."
        )
    return sentences
