"""Sentences about what comes back: lossless or not, byte fallback, torn characters."""

from markupsafe import Markup

from reports import numbers
from reports.measured import CorpusResults, Measured
from reports.measures import MEASURES
from reports.words import language, listed, name, strong, together
from tokenize_lab.rows import Row


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


def _worth_saying(row: Row, rate: str) -> bool:
    """Bytes cut characters by definition, and so do the tokens of byte fallback, said before."""
    if rate != "split_character_share":
        return True
    return bool(row["bytes_per_token"] != 1 and row[rate] != row["byte_fallback_share"])


def _lossy(measured: Measured, tokenizer: str, row: Row) -> Markup:
    documents, exact = row["documents"], row["exact_documents"]
    reasons = [one.facts["lossy_reason"] for one in measured.series if one.name == tokenizer]
    sentence = Markup("{} loses text: {} of {} do not come back exactly").format(
        strong(tokenizer), numbers.count(documents - exact), numbers.plural(documents, "text")
    )
    return sentence + (Markup(" ({}).").format(name(reasons[0])) if reasons[0] else Markup("."))


def _where(corpus: CorpusResults, tokenizer: str, rate: str, phrase: str) -> Markup:
    measure = MEASURES[rate]
    row = corpus.overall[tokenizer]
    share = measure.full(row[rate], row["intervals"][rate])
    sentence = Markup("{} {}").format(share, phrase)
    own = [r for r in corpus.rows if r["tokenizer"] == tokenizer and r[rate] is not None]
    if len(own) < 2:
        return sentence + "."
    most = max(own, key=lambda r: (r[rate], r["language"]))
    return sentence + Markup("; the largest share measured is in {}, {}.").format(
        language(most["language"]), measure.full(most[rate], most["intervals"][rate])
    )
