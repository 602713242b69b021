"""Sentences about compression: which tokenizer holds most text in a token, and where least."""

from collections.abc import Mapping

from markupsafe import Markup

from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.paired import Estimate, Resamples, extreme
from reports.words import language, listed, name, strong
from tokenize_lab.counts import GroupCounts

_RATE = MEASURES["bytes_per_token"]


def compression_sentences(measured: Measured, corpus: CorpusResults) -> list[Markup]:
    """Return what can be said about bytes per token."""
    resamples = measured.resamples
    everyone = _bytes_per_token(corpus.pooled, resamples)
    if not everyone:
        return []
    # Who leaves text out needs fewer tokens for it: that is no compression.
    estimates = {one: rate for one, rate in everyone.items() if one not in corpus.lossy} or everyone
    unranked = [one for one in everyone if one not in estimates]
    top = extreme(estimates, resamples)
    best = estimates[top.best]
    value = _RATE.full(best.value, resamples.interval(best))
    sentence = Markup("{} holds the most text per token: {} bytes over all the text.").format(
        strong(top.best), value
    )
    if len(estimates) == 1:
        sentence = Markup("{} holds {} bytes per token over all the text.").format(
            strong(top.best), value
        )
    elif top.tied:
        sentence = Markup(
            "The most text per token is held by {} ({} bytes over all the text); not told apart "
            "from it: {}."
        ).format(strong(top.best), value, listed([name(one) for one in top.tied]))
    if top.next is not None and top.gap is not None:
        gap = _RATE.full(top.gap.value, resamples.interval(top.gap))
        sentence += Markup(" That is {} more than {}, the next.").format(gap, name(top.next))
    if top.tied is None:
        sentence += " Without intervals this may be chance."
    if unranked:
        sentence += Markup(" Not ranked, for losing text: {}.").format(
            listed(
                [
                    Markup("{} ({})").format(name(one), _RATE.text(everyone[one].value))
                    for one in unranked
                ]
            )
        )
    if len(corpus.languages) < 2:
        return [sentence]
    return [sentence, _range(measured, corpus, top.best)]


def _range(measured: Measured, corpus: CorpusResults, tokenizer: str) -> Markup:
    """Where that tokenizer compresses most and least."""
    parts = {
        str(group.language): part
        for group, part in corpus.counts.items()
        if group.tokenizer == tokenizer
    }
    estimates = _bytes_per_token(parts, measured.resamples)
    tops = [extreme(estimates, measured.resamples, largest=largest) for largest in (True, False)]
    if tops[0].next is None:
        return Markup(
            "Under {}, no language is told apart from another by bytes per token."
        ).format(name(tokenizer))
    ends = []
    for end in tops:
        one = estimates[end.best]
        value = _RATE.full(one.value, measured.resamples.interval(one))
        text = Markup("{} ({}").format(language(end.best), value)
        if end.tied:
            text += Markup("; not told apart: {}").format(listed([language(t) for t in end.tied]))
        ends.append(text + ")")
    return Markup("Under {}, bytes per token are highest in {} and lowest in {}.").format(
        name(tokenizer), *ends
    )


def _bytes_per_token(parts: Mapping[str, GroupCounts], resamples: Resamples) -> dict[str, Estimate]:
    return {
        key: resamples.count("bytes", part).over(tokens)
        for key, part in parts.items()
        if (tokens := resamples.count("tokens", part)).value
    }
