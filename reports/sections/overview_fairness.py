"""Sentences about what languages pay: premium, what bytes explain of it, and Gini."""

from markupsafe import Markup

from reports import numbers
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.paired import Estimate, Resamples, extreme
from reports.words import language, listed, name, strong, together
from tokenize_lab.counts import GroupCounts

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


def _charges(measured: Measured, corpus: CorpusResults, tokenizer: str) -> Markup | None:
    reference = reference_language(measured, corpus)
    if reference is None:
        return None
    resamples = measured.resamples
    compared = {
        row["language"]
        for row in corpus.rows
        if row["premium"] is not None and row["tokenizer"] == tokenizer
    }
    parts = {
        str(group.language): part
        for group, part in corpus.counts.items()
        if group.tokenizer == tokenizer and group.language in compared
    }
    below = parts.pop(reference, None)
    if below is None or not parts:
        return None
    premiums = {one: _ratio("tokens", part, below, resamples) for one, part in parts.items()}
    parities = {one: _ratio("bytes", part, below, resamples) for one, part in parts.items()}
    top = extreme(premiums, resamples)
    premium = premiums[top.best]
    ends = resamples.interval(premium)
    if ends[0] <= 1 if ends else premium.value <= 1:
        return Markup("no language is shown to pay more than {}.").format(language(reference))
    sentence = Markup("{} pays most: {} tokens for each token of {} on the same lines").format(
        language(top.best), _PREMIUM.full(premium.value, ends), language(reference)
    )
    as_bytes = all(premiums[one].value == parities[one].value for one in premiums)
    if not as_bytes:
        bytes_alone = _PARITY.text(parities[top.best].value)
        sentence += Markup(", where its bytes are {} to 1").format(bytes_alone)
    sentence += "."
    if top.tied:
        others = listed([language(one) for one in top.tied])
        sentence += Markup(" Not told apart from it: {}.").format(others)
    if tokenizer in corpus.lossy:
        return sentence + " But it loses text, so its tokens do not stand for the same content."
    if as_bytes:
        return sentence + " It charges every language exactly its bytes."
    return sentence + _beside_bytes(premiums, parities, resamples)


def _beside_bytes(
    premiums: dict[str, Estimate], parities: dict[str, Estimate], resamples: Resamples
) -> Markup:
    """Say for how many languages the tokenizer widens or narrows the gap that bytes leave."""
    more = less = 0
    for one, premium in premiums.items():
        ends = resamples.interval(premium.over(parities[one]))
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


def _ratio(counted: str, above: GroupCounts, below: GroupCounts, resamples: Resamples) -> Estimate:
    return resamples.count(counted, above).over(resamples.count(counted, below))


def evenness(measured: Measured, corpus: CorpusResults) -> Markup | None:
    """Say which tokenizers spread tokens over languages most and least evenly; None where fewer
    than two that lose no text can be compared."""
    resamples = measured.resamples
    estimates = {
        tokenizer: resamples.gini([corpus.counts[group] for group in groups])
        for tokenizer, groups in corpus.aligned.items()
        if tokenizer not in corpus.lossy
    }
    if len(estimates) < 2:
        return None
    tops = [extreme(estimates, resamples, largest=largest) for largest in (False, True)]
    if tops[0].next is None:
        return Markup("No tokenizer is told apart from another by how evenly its tokens fall.")
    phrases = []
    for end in tops:
        one = estimates[end.best]
        phrase = Markup("{} (Gini {}").format(
            strong(end.best), _GINI.full(one.value, resamples.interval(one))
        )
        if end.tied:
            tied = listed([name(other) for other in end.tied])
            phrase += Markup("; not told apart: {}").format(tied)
        phrases.append(phrase + ")")
    return Markup("Tokens are spread over languages most evenly by {}, least evenly by {}.").format(
        *phrases
    )
