"""Where a text is cut: pieces of the parts, one after the other, are the pieces of the whole."""

from itertools import pairwise

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.open import stdlib_files
from tests.tokenize_lab.texts import CUT_PARTS, HARD, embedded_lines
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.cut_rules import CutRule, chunk_starts
from tokenize_lab.patterns import RULES


def chunks(texts: list[str], rule: CutRule) -> list[list[str]]:
    """Return the chunks of each text."""
    text = TextBytes.of(texts)
    starts = chunk_starts(text, rule)
    edges = [*starts.tolist(), len(text.raw)]
    found: list[list[str]] = []
    for begin, end in pairwise(text.starts.tolist()):
        inside = [(a, b) for a, b in pairwise(edges) if begin <= a < end]
        found.append([text.raw[a:b].decode() for a, b in inside])
        assert "".join(found[-1]).encode() == text.raw[begin:end]
    return found


def assert_nothing_shows(texts: list[str]) -> None:
    for rule in CutRule:
        parts = chunks(texts, rule)
        for pattern in (pattern for pattern, its in RULES.items() if its is rule):
            pieces = regex.compile(pattern).findall
            for text, cut in zip(texts, parts, strict=True):
                assert [piece for part in cut for piece in pieces(part)] == pieces(text)


@settings(max_examples=400)
@given(st.lists(st.lists(st.sampled_from(CUT_PARTS), max_size=12).map("".join), max_size=4))
def test_no_pattern_notices(texts: list[str]) -> None:
    assert_nothing_shows(texts)


@pytest.mark.slow
@settings(max_examples=30_000)
@given(st.lists(st.lists(st.sampled_from(CUT_PARTS), max_size=24).map("".join), max_size=4))
def test_no_pattern_notices_at_length(texts: list[str]) -> None:
    assert_nothing_shows(texts)


def test_no_pattern_notices_in_real_text() -> None:
    assert_nothing_shows([*embedded_lines()][::7])
    assert_nothing_shows([path.path.read_text("utf-8", "replace") for path in stdlib_files()[::60]])
    assert_nothing_shows([*HARD])


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Don't, he said.", "Don't|,| he| said|."),
        ("print('a', x[1:])", "print|('|a|',| x|[|1|:])"),
        ('say ("No" or "Yes")', 'say| ("|No|"| or| "|Yes|")'),
        ("self._x.y = -1.5e3", "self|._|x|.y| =| -|1|.|5|e|3"),
        ("the dogs' bowls; rock 'n' roll", "the| dogs|'| bowls|;| rock| '|n|'| roll"),
        ("Он сказал: «да», да.", "Он| сказал|:| «да»,| да|."),
        ("café, naïve – 3×4,5", "café|,| naïve| –| 3×4|,|5"),
        ("“Yes,” she said—“it’s”…", "“Yes|,”| she| said|—“it|’s|”…"),
        ("a.\n/(b /(c\t(d ((e", "a|.\n/(b| /(c|\t(d| ((|e"),
        ("a \u2028b c\u2029", "a| \u2028b| c\u2029"),
        ("if x:\n        y", "if| x|:\n       | y"),
    ],
)
def test_words_part_from_their_marks(text: str, cut: str) -> None:
    assert chunks([text], CutRule.GPT_RUNS) == [cut.split("|")]


def test_a_text_does_not_see_the_one_before() -> None:
    texts = ["end(", "(a", "b ", "“f", "'c", "d'", "'e", "”", "”f", "g\n ", "h"]
    assert chunks(texts, CutRule.GPT_RUNS) == [
        chunks([text], CutRule.GPT_RUNS)[0] for text in texts
    ]
