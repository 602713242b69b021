"""Distinct words and their counts, beside the splitter that the finished tokenizer has."""

from collections import Counter

import pytest
from tokenizers import Regex, pre_tokenizers

from corpora.corpus import DocumentCorpus
from tests.tokenize_lab.texts import HARD
from tokenize_lab.patterns import PATTERNS, rule_of
from tokenize_lab.training.text import TrainingText
from tokenize_lab.training.words import word_counts

RULED = [name for name, pattern in PATTERNS.items() if rule_of(pattern)]
# Longer than a chunk may be; unassigned, folded and new characters; a trailing run of blanks.
ODD = ["漢" * 700, "x\u0378y K's ſ's \u1c89\u1c8a 𞤀𞤣 ꟑ", "a \n  ", "\r\n\r\n", "  ", "don'T"]


def _by_library(texts: list[str], pattern: str) -> Counter[str]:
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated").pre_tokenize_str
    return Counter(word for text in texts for word, _ in split(text))


@pytest.mark.parametrize("most_bytes", [1, 64 << 20])
@pytest.mark.parametrize("name", RULED)
def test_words_are_those_of_the_library(
    name: str, most_bytes: int, embedded: DocumentCorpus
) -> None:
    texts = [*(document.text for document in embedded.documents[::7]), *HARD, *ODD]
    pattern = PATTERNS[name]
    rule = rule_of(pattern)
    assert rule is not None
    batches = [texts[start : start + 40] for start in range(0, len(texts), 40)]
    found = word_counts(batches, pattern, rule, most_bytes)
    counted = dict(zip(found.words, found.counts.tolist(), strict=True))
    assert counted == dict(_by_library(texts, pattern))


def test_a_text_is_read_once_for_a_pattern(embedded: DocumentCorpus) -> None:
    doings: list[str] = []
    text = TrainingText(embedded, lambda doing, _: doings.append(doing))
    first = text.counted("gpt4o")
    read = len(doings)
    assert first is not None and read
    assert text.counted("gpt4o") is first and len(doings) == read
    assert text.counted("none") is None
    assert first.facts.documents == len(embedded.documents)


def test_no_text_has_no_words() -> None:
    pattern = PATTERNS["gpt2"]
    rule = rule_of(pattern)
    assert rule is not None
    for batches in ([], [[""]], [["", ""], [""]]):
        assert word_counts(batches, pattern, rule).words == []
    assert word_counts([["a a"]], pattern, rule).counts.tolist() == [1, 1]
