"""Distinct words and their counts, beside the splitter that the finished tokenizer has."""

from collections import Counter

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from corpora.corpus import DocumentCorpus
from tests.tokenize_lab.texts import CUT_PARTS, HARD
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.counts.chunks import ChunkTable
from tokenize_lab.cut_rules import CutRule, chunk_starts
from tokenize_lab.patterns import PATTERNS, rule_of
from tokenize_lab.training.text import TrainingText
from tokenize_lab.training.words import word_counts

RULED = [name for name, pattern in PATTERNS.items() if rule_of(pattern)]
# Longer than a chunk may be; unassigned, folded and new characters; a trailing run of blanks.
ODD = [
    "漢" * 700,
    "a\0b a\0 b a a\0b\0",
    "one of nine letters or ten",
    "x\u0378y K's ſ's \u1c89\u1c8a 𞤀𞤣 ꟑ",
    "a \n  ",
    "\r\n\r\n",
    "  ",
    "don'T",
]


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
    batches = [TextBytes.of(texts[start : start + 40]) for start in range(0, len(texts), 40)]
    found = word_counts(batches, pattern, rule, most_bytes)
    counted = dict(zip(found.words, found.counts.tolist(), strict=True))
    assert counted == dict(_by_library(texts, pattern))


@pytest.mark.parametrize("name", RULED)
@given(st.lists(st.lists(st.sampled_from(CUT_PARTS), max_size=8).map("".join), max_size=6))
def test_chunks_laid_side_by_side_are_split_apart(name: str, texts: list[str]) -> None:
    pattern = PATTERNS[name]
    rule = rule_of(pattern)
    assert rule is not None
    found = word_counts([TextBytes.of(texts)], pattern, rule)
    words = Counter(word for text in texts for word in regex.findall(pattern, text))
    assert dict(zip(found.words, found.counts.tolist(), strict=True)) == dict(words)


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
        assert word_counts(map(TextBytes.of, batches), pattern, rule).words == []
    assert word_counts([TextBytes.of(["a a"])], pattern, rule).counts.tolist() == [1, 1]


def test_a_table_tallies_what_it_numbers(embedded: DocumentCorpus) -> None:
    texts = [*(document.text for document in embedded.documents[::5]), *HARD, *ODD[1:]]
    tallied, numbered = ChunkTable(), ChunkTable()
    for part in (texts[::2], texts[1::2], [text.replace("\0", "") for text in texts]):
        text = TextBytes.of(part)
        starts = chunk_starts(text, CutRule.GPT)
        tally = tallied.tally(text.raw, starts)
        numbers = numbered.numbers(text.raw, starts)
        assert tally is not None and numbers is not None
        chunks, plain = tallied.chunks(), numbered.chunks()
        found = Counter[bytes]()
        for distinct, times in tally:
            found.update(dict(zip([chunks[n] for n in distinct], times.tolist(), strict=True)))
        assert found == Counter(plain[number] for number in numbers.tolist())
    none = TextBytes.of([""])
    assert tallied.tally(none.raw, chunk_starts(none, CutRule.GPT)) is None
    long = TextBytes.of([ODD[0]])
    assert tallied.tally(long.raw, chunk_starts(long, CutRule.GPT)) is None
