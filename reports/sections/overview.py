"""The overview in plain words: sentences that the data support, and no others. What languages pay
and what bytes explain of it; who holds most text in a token; what comes back from tokens."""

from collections.abc import Mapping

from markupsafe import Markup

from reports import numbers
from reports.html import language, listed, name, strong, together
from reports.measured import CorpusResults, Measured, MeasuredValue, Resamples, extreme
from reports.measures import MEASURES
from tokenize_lab.counts.fields import FIELD_INDEX
from tokenize_lab.counts.schema import GroupCounts
from tokenize_lab.rows import MeasureRow

_PREMIUM, _PARITY, _GINI = MEASURES["premium"], MEASURES["parity"], MEASURES["gini"]


def fairness_sentences(measured: Measured, corpus: CorpusResults) -> list[Markup]:
    """Return what can be said about the cost of the same lines in other languages."""
    charged = {
        tokenizer: charges
        for tokenizer in corpus.tokenizers
        if (charges := _charges(measured, corpus, tokenizer))
    }
    sentences = [Markup("Under {}, {}").format(who, charges) for who, charges in together(charged)]
    even = evenness(measured, corpus)
    return [*sentences, even] if even else sentences


def reference_language(measured: Measured, corpus: CorpusResults) -> str | None:
    """Return the language that the corpus's premiums compare with, or None."""
    for row in corpus.rows:
        if row["premium"] == 1.0 and row["language"].startswith(measured.reference):
            return str(row["language"])
    return None


def who_pays(measured: Measured, corpus: CorpusResults, tokenizer: str) -> Markup | None:
    """Say which language pays most under a tokenizer; None where lines cannot be compared."""
    charges = _charges(measured, corpus, tokenizer)
    return charges and Markup("Under {}, {}").format(strong(tokenizer), charges)


def premiums_over(
    measured: Measured, corpus: CorpusResults, tokenizer: str, counted: str = "tokens"
) -> tuple[str, dict[str, MeasuredValue]] | None:
    """Return the reference language, and what every other costs beside it in tokens or in bytes;
    None where lines cannot be compared."""
    reference = reference_language(measured, corpus)
    if reference is None:
        return None
    compared = {
        row["language"]
        for row in corpus.rows
        if row["premium"] is not None and row["tokenizer"] == tokenizer
    }
    parts = {
        str(group.language): part
        for group, part in corpus.counts.items()
        if group.tokenizer == tokenizer and group.language in compared
        # Nothing can be divided by the counts of lines that are empty, or were damaged.
        if all(part.total[FIELD_INDEX[name]] for name in ("bytes", "tokens"))
    }
    below = parts.pop(reference, None)
    if below is None or not parts:
        return None
    return reference, {
        code: _ratio(counted, part, below, measured.resamples) for code, part in parts.items()
    }


def _charges(measured: Measured, corpus: CorpusResults, tokenizer: str) -> Markup | None:
    found = [premiums_over(measured, corpus, tokenizer, of) for of in ("tokens", "bytes")]
    if found[0] is None or found[1] is None:
        return None
    (reference, premiums), (_, parities) = found[0], found[1]
    resamples = measured.resamples
    top = extreme(premiums, resamples)
    premium = premiums[top.best]
    ends = resamples.interval(premium)
    if ends[0] <= 1 if ends else premium.value <= 1:
        return Markup("no language is shown to pay more than {}.").format(language(reference))
    sentence = Markup("{} pays most: {} tokens for each token of {} on the same lines").format(
        language(top.best), _PREMIUM.full(premium.value, ends), language(reference)
    )
    as_bytes = all(premiums[code].value == parities[code].value for code in premiums)
    if not as_bytes:
        bytes_alone = _PARITY.text(parities[top.best].value)
        sentence += Markup(", where its bytes are {} to 1").format(bytes_alone)
    sentence += "."
    if top.tied:
        others = listed([language(code) for code in top.tied])
        sentence += Markup(" Not told apart from it: {}.").format(others)
    if tokenizer in corpus.losing:
        return sentence + " But it loses text, so its tokens do not stand for the same content."
    if as_bytes:
        return sentence + " It charges every language exactly its bytes."
    return sentence + _beside_bytes(premiums, parities, resamples)


def _beside_bytes(
    premiums: dict[str, MeasuredValue], parities: dict[str, MeasuredValue], resamples: Resamples
) -> Markup:
    """Say for how many languages the tokenizer widens or narrows the gap that bytes leave."""
    more = less = 0
    for code, premium in premiums.items():
        ends = resamples.interval(premium.over(parities[code]))
        if ends is None:
            return Markup("")
        more += ends[0] > 1
        less += ends[1] < 1
    unsure = len(premiums) - more - less
    if len(premiums) in (more, less):
        what = "more than its bytes account for" if more else "less than its bytes"
        return Markup(" Every other language pays {}.").format(what)
    said = [
        f"{count} {'pays' if count == 1 else 'pay'} {what}"
        for count, what in (
            (more, "more than their bytes account for"),
            (less, "less than their bytes"),
        )
        if count
    ]
    if unsure:
        said.append(f"for {unsure} it cannot be told")
    return Markup(" Of {} other languages, {}.").format(len(premiums), numbers.listed(said))


def _ratio(
    counted: str, above: GroupCounts, below: GroupCounts, resamples: Resamples
) -> MeasuredValue:
    return resamples.count(counted, above).over(resamples.count(counted, below))


def evenness(measured: Measured, corpus: CorpusResults) -> Markup | None:
    """Say which tokenizers spread tokens over languages most and least evenly; None where fewer
    than two that lose no text can be compared."""
    resamples = measured.resamples
    estimates = {
        tokenizer: resamples.gini([corpus.counts[group] for group in groups])
        for tokenizer, groups in corpus.aligned.items()
        if tokenizer not in corpus.losing
    }
    if len(estimates) < 2:
        return None
    tops = [extreme(estimates, resamples, largest=largest) for largest in (False, True)]
    if tops[0].next is None:
        return Markup("No tokenizer is told apart from another by how evenly its tokens fall.")
    phrases = []
    for end in tops:
        estimate = estimates[end.best]
        phrase = Markup("{} (Gini {}").format(
            strong(end.best), _GINI.full(estimate.value, resamples.interval(estimate))
        )
        if end.tied:
            tied = listed([name(other) for other in end.tied])
            phrase += Markup("; not told apart: {}").format(tied)
        phrases.append(phrase + ")")
    return Markup("Tokens are spread over languages most evenly by {}, least evenly by {}.").format(
        *phrases
    )


_RATE = MEASURES["bytes_per_token"]


def ranked_rates(
    measured: Measured, corpus: CorpusResults
) -> tuple[dict[str, MeasuredValue], dict[str, MeasuredValue]]:
    """Return bytes per token over all the text of the tokenizers that can be ranked by it, and of
    those that cannot: who leaves text out needs fewer tokens for it, and that is no compression.
    """
    everyone = _bytes_per_token(corpus.pooled, measured.resamples)
    ranked = {
        tokenizer: rate for tokenizer, rate in everyone.items() if tokenizer not in corpus.losing
    } or everyone
    return ranked, {name: rate for name, rate in everyone.items() if name not in ranked}


def compression_sentences(measured: Measured, corpus: CorpusResults) -> list[Markup]:
    """Return what can be said about bytes per token."""
    resamples = measured.resamples
    estimates, unranked = ranked_rates(measured, corpus)
    if not estimates:
        return []
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
        ).format(strong(top.best), value, listed([name(tokenizer) for tokenizer in top.tied]))
    if top.next is not None and top.gap is not None:
        gap = _RATE.full(top.gap.value, resamples.interval(top.gap))
        sentence += Markup(" That is {} more than {}, the next.").format(gap, name(top.next))
    if top.tied is None:
        sentence += " Without intervals this may be chance."
    if unranked:
        sentence += Markup(" Not ranked, for losing text: {}.").format(
            listed(
                [
                    Markup("{} ({})").format(name(tokenizer), _RATE.text(rate.value))
                    for tokenizer, rate in unranked.items()
                ]
            )
        )
    if len(corpus.languages) < 2:
        return [sentence]
    return [sentence, highest_and_lowest(measured, corpus, top.best)]


def highest_and_lowest(measured: Measured, corpus: CorpusResults, tokenizer: str) -> Markup:
    """Say where a tokenizer compresses most and least."""
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
        estimate = estimates[end.best]
        value = _RATE.full(estimate.value, measured.resamples.interval(estimate))
        text = Markup("{} ({}").format(language(end.best), value)
        if end.tied:
            text += Markup("; not told apart: {}").format(listed([language(t) for t in end.tied]))
        ends.append(text + ")")
    return Markup("Under {}, bytes per token are highest in {} and lowest in {}.").format(
        name(tokenizer), *ends
    )


def _bytes_per_token(
    parts: Mapping[str, GroupCounts], resamples: Resamples
) -> dict[str, MeasuredValue]:
    return {
        key: resamples.count("bytes", part).over(tokens)
        for key, part in parts.items()
        if (tokens := resamples.count("tokens", part)).value
    }


def fidelity_sentences(measured: Measured, corpus: CorpusResults) -> list[Markup]:
    """Return what can be said about the way back from tokens to text."""
    sentences: list[Markup] = []
    exact = [name(t) for t, row in corpus.overall.items() if row["exact_share"] == 1]
    if len(exact) == len(corpus.overall) and len(exact) > 1:
        sentences.append(
            Markup("Every text came back from its tokens byte for byte, under every tokenizer.")
        )
    elif exact:
        sentences.append(
            Markup("Every text came back from its tokens byte for byte under {}.").format(
                listed(exact)
            )
        )
    sentences += [
        _lossy(measured, tokenizer, row)
        for tokenizer, row in corpus.overall.items()
        if row["exact_share"] is not None and row["exact_share"] < 1
    ]
    for rate, phrase in (
        ("byte_fallback_share", "are single raw bytes, for want of the character (byte fallback)"),
        ("split_character_share", "start or end inside a character"),
    ):
        shares = {
            tokenizer: _where(corpus, tokenizer, rate, phrase)
            for tokenizer, row in corpus.overall.items()
            if row[rate] and _worth_saying(row, rate)
        }
        sentences += [
            Markup("Of the tokens of {}, {}").format(who, where) for who, where in together(shares)
        ]
    return sentences


def _worth_saying(row: MeasureRow, rate: str) -> bool:
    """Bytes cut characters by definition, and so do the tokens of byte fallback, said before."""
    if rate != "split_character_share":
        return True
    return bool(row["bytes_per_token"] != 1 and row[rate] != row["byte_fallback_share"])


def _lossy(measured: Measured, tokenizer: str, row: MeasureRow) -> Markup:
    documents, exact = row["documents"], row["exact_documents"]
    reasons = [
        series.facts["lossy_reason"] for series in measured.series if series.name == tokenizer
    ]
    lost = row["lost_share"]
    sentence = Markup("{} {} text: {} of {} do not come back exactly").format(
        strong(tokenizer),
        "loses" if lost else "changes",
        numbers.count(documents - exact),
        numbers.plural(documents, "text"),
    )
    if lost:
        sentence += f", {numbers.share(lost)} of the bytes are in no token"
    return sentence + (Markup(" ({}).").format(name(reasons[0])) if reasons[0] else Markup("."))


def _where(corpus: CorpusResults, tokenizer: str, rate: str, phrase: str) -> Markup:
    measure = MEASURES[rate]
    row = corpus.overall[tokenizer]
    share = measure.full(row[rate], row["intervals"][rate])
    sentence = Markup("{} {}").format(share, phrase)
    rows = [r for r in corpus.rows if r["tokenizer"] == tokenizer and r[rate] is not None]
    if len(rows) < 2:
        return sentence + "."
    most = max(rows, key=lambda r: (r[rate], r["language"]))
    return sentence + Markup("; the largest share measured is in {}, {}.").format(
        language(most["language"]), measure.full(most[rate], most["intervals"][rate])
    )
