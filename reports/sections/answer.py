"""The first screen of a measurement: one sentence that is the answer, one chart that shows it, and
a handful of findings; everything else that can be said is folded behind them.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from reports import numbers
from reports.charts.rows import Dot, dot_plot
from reports.charts.svg import Series, legend
from reports.html import language, listed, name, render, strong
from reports.languages import language_name
from reports.measured import CorpusResults, Extreme, Measured, MeasuredValue, extreme
from reports.measures import MEASURES
from reports.page import Section, behind, bullets, corpus_section, figure, lead
from reports.sections.compression import FAINT, caveats, dots_by_language
from reports.sections.fairness import dearest_first
from reports.sections.overview import (
    compression_sentences,
    evenness,
    fairness_sentences,
    fidelity_sentences,
    highest_and_lowest,
    premiums_over,
    ranked_rates,
    reference_language,
)

MOST_FINDINGS = 5
MOST_SERIES = 4  # in the first chart: more could not be told apart in a row as low as a line
MOST_ROWS = 25
_RATE, _PREMIUM = MEASURES["bytes_per_token"], MEASURES["premium"]


def answer(measured: Measured, corpus: CorpusResults) -> Markup:
    """Return the first screen of a corpus: answer, chart, findings."""
    sentence = answer_sentence(measured, corpus)
    return Markup('<div class="answer">{}<div class="shown">{}</div>{}</div>').format(
        lead(sentence), _chart(measured, corpus), bullets(findings(measured, corpus))
    )


def answer_sentence(measured: Measured, corpus: CorpusResults) -> Markup:
    """Return which tokenizer holds the most text, by how much, and what it charges whom."""
    rates, _ = ranked_rates(measured, corpus)
    if not rates:
        return Markup("There is no text to measure.")
    top = extreme(rates, measured.resamples)
    sentence = _most(measured, rates, top)
    charges = premiums_over(measured, corpus, top.best)
    if charges is None or top.best in corpus.losing:
        return sentence + "."
    reference, premiums = charges
    dearest = extreme(premiums, measured.resamples)
    paid = premiums[dearest.best]
    ends = measured.resamples.interval(paid)
    if ends[0] <= 1 if ends else paid.value <= 1:
        return sentence + Markup("; it is not shown to charge any language more than {}.").format(
            language(reference)
        )
    return sentence + Markup("; it charges {} {} times {}.").format(
        language(dearest.best), _number(measured, paid, _PREMIUM.name), language(reference)
    )


def _most(measured: Measured, rates: dict[str, MeasuredValue], top: Extreme[str]) -> Markup:
    """Return who holds the most text per token, without the full stop."""
    best = rates[top.best]
    value = _number(measured, best, _RATE.name)
    if len(rates) == 1:
        return Markup("{} holds {} bytes per token").format(strong(top.best), value)
    if top.tied:
        others = listed([strong(tied) for tied in top.tied])
        return Markup("{} holds {} bytes per token, not told apart from {}").format(
            strong(top.best), value, others
        )
    if top.next is None:
        return Markup("{} holds {} bytes per token").format(strong(top.best), value)
    times = best.over(rates[top.next])
    return Markup("{} holds {} bytes per token, {} times {}, the next").format(
        strong(top.best), value, _number(measured, times, _RATE.name), name(top.next)
    )


def _number(measured: Measured, estimate: MeasuredValue, rate: str) -> Markup:
    """Return a number, its interval in small print."""
    value, _, ends = (
        MEASURES[rate].full(estimate.value, measured.resamples.interval(estimate)).partition(" ")
    )
    return Markup("<b>{}</b> <small>{}</small>").format(value, ends) if ends else Markup(value)


def findings(measured: Measured, corpus: CorpusResults) -> list[Markup]:
    """Return at most five short findings beside the answer."""
    rates, unranked = ranked_rates(measured, corpus)
    if not rates:
        return []
    best = extreme(rates, measured.resamples).best
    found = [
        _others_charge(measured, corpus, best),
        highest_and_lowest(measured, corpus, best) if len(corpus.languages) > 1 else None,
        evenness(measured, corpus),
        *fidelity_sentences(measured, corpus)[:1],
    ]
    if unranked:
        found.insert(0, _unranked(unranked))
    return [finding for finding in found if finding][:MOST_FINDINGS]


def _unranked(unranked: dict[str, MeasuredValue]) -> Markup:
    said = [Markup("{} ({})").format(name(t), _RATE.text(v.value)) for t, v in unranked.items()]
    return Markup("Not ranked, for losing text: {}.").format(listed(said))


def _others_charge(measured: Measured, corpus: CorpusResults, best: str) -> Markup | None:
    """Return what the other tokenizers charge at most, grouped by whom."""
    groups: dict[str, list[tuple[str, float]]] = {}
    reference = ""
    for tokenizer in corpus.tokenizers:
        charges = premiums_over(measured, corpus, tokenizer)
        if tokenizer == best or tokenizer in corpus.losing or charges is None:
            continue
        reference, premiums = charges
        dearest = extreme(premiums, measured.resamples)
        if premiums[dearest.best].value > 1:
            groups.setdefault(dearest.best, []).append((tokenizer, premiums[dearest.best].value))
    if not groups:
        return None
    parts = []
    for code, charged in groups.items():
        values = sorted({_PREMIUM.text(value) for _, value in charged})
        times = values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
        who = listed([name(tokenizer) for tokenizer, _ in charged])
        parts.append(Markup("{} {} times under {}").format(language(code), times, who))
    return Markup("The others charge most ({} is 1): {}.").format(
        language(reference), Markup("; ").join(parts)
    )


def shown_series(measured: Measured, corpus: CorpusResults) -> list[Series]:
    """Return the tokenizers of the first chart: those that hold the most text."""
    rates, unranked = ranked_rates(measured, corpus)
    order = sorted(rates, key=lambda t: -rates[t].value)
    order += sorted(unranked, key=lambda t: -unranked[t].value)
    known = {series.name: series for series in measured.series}
    return [known[tokenizer] for tokenizer in order[:MOST_SERIES]]


def _chart(measured: Measured, corpus: CorpusResults) -> Markup:
    """Return bytes per token and, of aligned lines, premiums, in rows by language: those that pay
    most first. Of one language, a row for each tokenizer."""
    if len(corpus.languages) < 2:
        return _by_tokenizer(measured, corpus)
    series = shown_series(measured, corpus)
    best = ranked_best(measured, corpus)
    premiums = dearest_first(corpus, best)
    languages = evenly(premiums or corpus.languages)
    read = corpus.reader(_RATE.name)
    picture = dots_by_language(
        f"answer-rates-{corpus.index}", _RATE, languages, series, read, small=True,
        caveat=caveats(corpus, _RATE),
    )  # fmt: skip
    if picture is None:
        return Markup("")
    charts = [picture]
    paid = premiums and dots_by_language(
        f"answer-premium-{corpus.index}",
        _PREMIUM,
        languages,
        series,
        corpus.reader(_PREMIUM.name),
        caveat=caveats(corpus, _PREMIUM),
        small=True,
        one_is=language_name(reference_language(measured, corpus) or measured.reference),
    )
    if paid:
        charts.append(paid)
    return figure(
        Markup('<div class="pair">{}</div>').format(Markup("").join(charts)),
        _caption(measured, corpus, languages, len(series), bool(paid), best),
        legend(series),
    )


def ranked_best(measured: Measured, corpus: CorpusResults) -> str:
    """Return the tokenizer that holds the most text; empty where there is no text."""
    rates, _ = ranked_rates(measured, corpus)
    return extreme(rates, measured.resamples).best if rates else ""


def evenly(languages: Sequence[str], most: int = MOST_ROWS) -> list[str]:
    """Return the first and the last of ranked languages and, between, as many as there is room
    for, at even steps."""
    if len(languages) <= most:
        return list(languages)
    return [languages[int(i)] for i in np.linspace(0, len(languages) - 1, most).round()]


def _caption(
    measured: Measured,
    corpus: CorpusResults,
    languages: Sequence[str],
    shown: int,
    paid: bool,
    best: str,
) -> Markup:
    order = (
        Markup("Those that {} charges most stand first.").format(name(best))
        if paid
        else Markup("The best compressed stand first.")
    )
    left = []
    if len(languages) < len(corpus.languages):
        left.append(f"{len(languages)} of {len(corpus.languages)} languages")
    if shown < len(measured.series):
        left.append(f"{shown} of {len(measured.series)} tokenizers, those that hold the most text")
    more = f" Shown are {' and '.join(left)}; the sections below have all." if left else ""
    lines = " Lines through markers are 95 % intervals." if corpus.with_intervals else ""
    return order + f"{lines}{FAINT if corpus.losing else ''}{more}"


def _by_tokenizer(measured: Measured, corpus: CorpusResults) -> Markup:
    rates, unranked = ranked_rates(measured, corpus)
    everyone = {**rates, **unranked}
    series = {s.name: s for s in measured.series}
    rows = []
    for tokenizer in sorted(everyone, key=lambda t: (t in unranked, -everyone[t].value)):
        estimate = everyone[tokenizer]
        ends = measured.resamples.interval(estimate)
        hint = f"{tokenizer}: {_RATE.full(estimate.value, ends)}"
        dot = Dot(series[tokenizer].style, 0, estimate.value, ends, hint)
        rows.append((tokenizer, [dot]))
    if not rows:
        return Markup("")
    picture = dot_plot(
        f"answer-rates-{corpus.index}",
        "Bytes per token by tokenizer",
        "One row for each tokenizer, the one that holds the most text first.",
        _RATE.heading,
        rows,
        small=True,
    )
    lost = " Those that lose text stand last." if unranked else ""
    return figure(
        Markup('<div class="pair">{}</div>').format(picture),
        f"Bytes per token over all the text, with 95 % intervals where there are any.{lost}",
    )


def all_findings(measured: Measured, corpus: CorpusResults, introduction: Markup) -> Markup:
    """Return everything that can be said of a corpus in sentences, folded."""
    sentences = [
        *compression_sentences(measured, corpus),
        *fairness_sentences(measured, corpus),
        *fidelity_sentences(measured, corpus),
    ]
    total = next(iter(corpus.overall.values()))
    read = render(
        "overview.html",
        corpus=corpus,
        languages=numbers.plural(len(corpus.languages), "language"),
        documents=numbers.plural(total["documents"], "text"),
        lines=_lines(corpus),
        size=numbers.size(total["bytes"]),
    )
    words = f"All {numbers.plural(len(sentences), 'finding')}, and how to read the numbers"
    return behind(words, read + introduction + bullets(sentences))


def overview(measured: Measured) -> Section:
    """Say what was found, first in a sentence and a chart, and what was measured."""
    intervals = measured.resamples.bootstrap.replicates > 0
    introduction = render("introduction.html", intervals=intervals, tokenizers=len(measured.series))

    def part(corpus: CorpusResults) -> Markup:
        return answer(measured, corpus) + all_findings(measured, corpus, introduction)

    return corpus_section(measured, "overview", "The answer", part)


def _lines(corpus: CorpusResults) -> str:
    """Return how many aligned lines each language has, where that is one number."""
    if not corpus.compared:
        return ""
    counts = {row["documents"] for row in corpus.rows if row["premium"] is not None}
    return numbers.plural(counts.pop(), "aligned line") if len(counts) == 1 else ""
