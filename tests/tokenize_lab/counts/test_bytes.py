"""Whole-array word and number finding against Python's own, character by character."""

import re

import numpy as np
import regex
from hypothesis import given
from hypothesis import strategies as st

from tokenize_lab.counts.bytes import WIDE_SPACES, TextBytes
from tokenize_lab.counts.fields import WordSegmenter
from tokenize_lab.counts.text import unspaced_characters, word_runs

_SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f " + WIDE_SPACES
texts_lists = st.lists(
    st.text(
        st.one_of(
            st.sampled_from(_SPACES + "ab12345678é€ก中\u200b\0"),
            st.characters(exclude_categories=["Cs"]),
        ),
        max_size=30,
    ),
    max_size=6,
)


def test_wide_spaces_are_all_that_python_has() -> None:
    everything = "".join(map(chr, range(0x80, 0xD800))) + "".join(map(chr, range(0xE000, 0x110000)))
    assert [c for c in everything if c.isspace()] == list(WIDE_SPACES)


@given(texts_lists)
def test_words_are_those_of_split(texts: list[str]) -> None:
    text = TextBytes.of(texts)
    runs = word_runs(text, texts, WordSegmenter.WHITESPACE)
    found = [text.raw[a : b + 1].decode() for a, b in zip(runs.first, runs.last, strict=True)]
    assert found == [word for string in texts for word in string.split()]
    assert text.per_text(runs.first).tolist() == [len(string.split()) for string in texts]


@given(texts_lists, st.integers(2, 5))
def test_digit_runs_are_those_of_a_regular_expression(texts: list[str], least: int) -> None:
    text = TextBytes.of(texts)
    runs = text.digit_runs(least)
    found = [text.raw[a : b + 1].decode() for a, b in zip(runs.first, runs.last, strict=True)]
    assert found == [n for string in texts for n in re.findall(rf"[0-9]{{{least},}}", string)]


@given(texts_lists)
def test_uax29_segments_are_words_in_order(texts: list[str]) -> None:
    text = TextBytes.of(texts)
    runs = word_runs(text, texts, WordSegmenter.UAX29)
    assert (runs.lengths > 0).all()
    assert (runs.first[1:] > runs.last[:-1]).all()
    for a, b in zip(runs.first, runs.last, strict=True):
        assert regex.search(r"[\p{Alphabetic}\p{N}]", text.raw[a : b + 1].decode())


def test_uax29_on_the_examples_of_the_annex() -> None:
    string = "The quick (“brown”) fox can’t jump 32.3 feet, right?"
    text = TextBytes.of([string])
    runs = word_runs(text, [string], WordSegmenter.UAX29)
    found = [text.raw[a : b + 1].decode() for a, b in zip(runs.first, runs.last, strict=True)]
    expected = ["The", "quick", "brown", "fox", "can’t", "jump", "32.3", "feet", "right"]
    assert found == expected


def test_unspaced_characters_by_script() -> None:
    samples = {
        "สวัสดี": 6,
        "日本語カナ": 5,
        "བོད་": 4,
        "ខ្មែរ": 5,
        "မြန်": 4,
        "한국어": 0,
        "हिन्दी": 0,
        "abc": 0,
    }
    text = TextBytes.of(list(samples))
    assert unspaced_characters(text, WordSegmenter.WHITESPACE).tolist() == list(samples.values())
    of_uax29 = unspaced_characters(text, WordSegmenter.UAX29)
    assert of_uax29.tolist() == [6, 0, 0, 5, 4, 0, 0, 0]


def test_no_texts_and_empty_texts() -> None:
    for texts in ([], [""], ["", ""]):
        text = TextBytes.of(texts)
        assert len(word_runs(text, texts, WordSegmenter.WHITESPACE)) == 0
        assert len(text.digit_runs(4)) == 0
        assert np.array_equal(text.per_text(np.zeros(0, np.int64)), np.zeros(len(texts)))
