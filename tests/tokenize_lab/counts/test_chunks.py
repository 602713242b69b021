"""Counts from distinct chunks are those of plain encoding, to the last one; or are not made."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from corpora.corpus import DocumentCorpus
from corpora.document import Batch, Document, batched
from corpora.open import stdlib_files
from tests.tokenize_lab.texts import HARD, embedded_lines, parallel_lines
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.tiktoken import TiktokenTokenizer, table_of_ranks
from tokenize_lab.counts.batches import BatchCounter, CountJob
from tokenize_lab.counts.boundaries import token_boundaries
from tokenize_lab.counts.bytes import WIDE_SPACES, TextBytes
from tokenize_lab.counts.chunks import LONGEST, ChunkTable, PretokenIndex
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.counts.sharing import ChunkCounter, encoding_plan
from tokenize_lab.counts.text import AnnotatedText
from tokenize_lab.counts.tokens import TokenCounts, count_encoded
from tokenize_lab.cut_rules import CutRule, chunk_starts
from tokenize_lab.measurement import count_corpora
from tokenize_lab.patterns import PATTERNS, RULES, rule_of
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

SETTINGS = TextSettings()
BYTE_LEVEL = {
    "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False
}  # fmt: skip
ODD = [
    "\r\n", "\n", "\t", "  ", "   ", " \n ", "'", "'s", "'LL", "\u017f", "\u0301", "e\u0301",
    "'re", "a" * 300, " " * 200, "\n" * 40, "1234567", "x86", ".", "...\n\n", "://", "/\n/",
    "\x1c", "\x85", "\ud7ff", "\ue000", "\U0010ffff", "漢字", "かな", "नमस्ते", "ก็", "ЖЗ", "ß", "²",
    "Ⅷ", "٣٤", "\u200d", "😀", *WIDE_SPACES,
]  # fmt: skip
PUNCTUATION = {
    "type": "Sequence",
    "pretokenizers": [{"type": "Punctuation", "behavior": "Isolated"}, BYTE_LEVEL],
}
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(ODD),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
        st.text(st.sampled_from(" \t\r\n'.,aAbB12\u0301é"), max_size=12),
    ),
    max_size=14,
).map("".join)


@cache
def trained(pattern: str, folder: Path) -> HuggingFaceTokenizer:
    corpus = DocumentCorpus("lines", [Document(line) for line in embedded_lines()])
    recipe = TrainSettings("bpe", 900, pattern=pattern)
    loaded = load_tokenizer(str(train_tokenizer(corpus, recipe, folder / pattern).path))
    assert isinstance(loaded, HuggingFaceTokenizer)
    return replace(loaded, fast="its own engine is what is compared with")


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], HuggingFaceTokenizer]:
    folder = tmp_path_factory.mktemp("patterns")
    return lambda pattern: trained(pattern, folder)


def batch_of(texts: Sequence[str], domain: str = "") -> Batch:
    return Batch(texts, "und", domain, "here", [str(i) for i in range(len(texts))])


def from_chunks(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    is_code: bool = False,
    sharing: ChunkCounter | None = None,
) -> TokenCounts | None:
    """Return the counts from chunks; None where there are none."""
    plan = encoding_plan(tokenizer, SETTINGS)
    assert plan.rule is not None, plan.reason
    text = AnnotatedText(texts, SETTINGS, is_code)
    batch = (sharing or ChunkCounter(SETTINGS, 1.0)).begin(text, batch_of(texts), plan.rule)
    return None if batch is None else batch.counts(tokenizer, plan)


def plain(tokenizer: Tokenizer, texts: Sequence[str], is_code: bool = False) -> TokenCounts:
    text, encoding = AnnotatedText(texts, SETTINGS, is_code), tokenizer.encode_batch(texts)
    boundaries = token_boundaries(text.text_bytes, encoding, tokenizer)
    return count_encoded(text, encoding, tokenizer, boundaries)


def assert_same(one: TokenCounts | None, other: TokenCounts) -> None:
    assert one is not None
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "llama3", "tekken", "gpt4o", "whitespace"])
@settings(max_examples=40)
@example(texts=list(HARD), is_code=False)
@example(texts=["".join(ODD[:18]), "'".join(ODD[18:]), "a".join(ODD[18:])], is_code=False)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), is_code=st.booleans())
def test_any_text_counts_the_same(
    bpe: Callable[[str], HuggingFaceTokenizer], pattern: str, texts: list[str], is_code: bool
) -> None:
    tokenizer = bpe(pattern)
    found = from_chunks(tokenizer, texts, is_code)
    if found is not None:
        assert_same(found, plain(tokenizer, texts, is_code))
        return
    indented = is_code and any(text[:1] in (" ", "\t") for text in texts)
    rule = encoding_plan(tokenizer, SETTINGS).rule
    assert rule is not None
    text = TextBytes.of(texts)
    rule = rule.outside_runs if is_code else rule
    sizes = np.diff(chunk_starts(text, rule), append=len(text.raw))
    assert indented or sizes.max(initial=LONGEST + 1) > LONGEST


@pytest.mark.parametrize("pattern", RULES)
def test_every_proven_pattern_is_cut_where_it_ends_pieces(pattern: str) -> None:
    tekken = load_tokenizer("mistral:tekken")
    assert isinstance(tekken, TiktokenTokenizer)
    ranks = {tekken.token_bytes[tekken.first_id + rank]: rank for rank in range(3000)}
    table = table_of_ranks(ranks, len(ranks))
    tokenizer = replace(tekken, token_bytes=table, pattern=pattern, first_id=0)
    random = Random(0)
    words = [*ODD, "the", "Don't", "I'LL", "3.14", "a/b", "end.", '"Hi,"', "(a)", "CamelCase", "_x"]
    for _ in range(40):
        parts = (random.choice(words) + " " * random.choice([0, 0, 1, 1, 2]) for _ in range(30))
        texts = ["".join(parts), "".join(random.sample(words, 8))]
        found = from_chunks(tokenizer, texts)
        if found is not None:
            assert_same(found, plain(tokenizer, texts))


def test_many_texts_count_as_few_do(bpe: Callable[[str], HuggingFaceTokenizer]) -> None:
    lines = [line for line in embedded_lines() if line][:400]
    tokenizer = bpe("gpt4")
    many = from_chunks(tokenizer, lines)
    assert_same(many, plain(tokenizer, lines))
    for line in lines[::40]:
        assert_same(from_chunks(tokenizer, [line]), plain(tokenizer, [line]))


def test_parallel_languages_count_the_same(
    shared: Path, bpe: Callable[[str], HuggingFaceTokenizer]
) -> None:
    tekken = load_tokenizer("mistral:tekken")
    kept = ChunkCounter(SETTINGS, 1.0)
    languages = 0
    for _, lines in parallel_lines(shared / "data" / "parallel", 3):
        assert_same(from_chunks(tekken, lines, sharing=kept), plain(tekken, lines))
        few = lines[::15]
        for pattern in ("gpt2", "gpt4", "llama3"):
            assert_same(from_chunks(bpe(pattern), few), plain(bpe(pattern), few))
        languages += 1
    assert languages == 38
    assert not kept.switched_off


def test_code_counts_the_same(bpe: Callable[[str], HuggingFaceTokenizer]) -> None:
    sources = [f.path.read_text("utf-8", "replace") for f in stdlib_files()[::40]]
    for tokenizer in (load_tokenizer("mistral:tekken"), bpe("gpt2"), bpe("llama3")):
        assert_same(from_chunks(tokenizer, sources, True), plain(tokenizer, sources, True))


def test_a_whole_measurement_is_the_same_without_sharing(
    bpe: Callable[[str], HuggingFaceTokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenize_lab.counts.sharing._MOST_NEW", 1.0)
    tokenizers = [replace(bpe(name), name=name) for name in ("gpt2", "gpt4", "whitespace")] + [
        load_tokenizer("mistral:tekken")
    ]
    lines = [line for line in embedded_lines() if line]
    documents = [Document(text, f"l{i // 200}") for i, text in enumerate(lines[:1000])]
    corpus = DocumentCorpus("lines", documents)
    one, other = (
        count_corpora([corpus], CountJob(tokenizers, SETTINGS, None, sharing=sharing))
        for sharing in (True, False)
    )
    assert list(one.counts) == list(other.counts)
    for group, part in one.counts.items():
        np.testing.assert_array_equal(part.units, other.counts[group].units)
        ours, theirs = part.histogram.settle(), other.counts[group].histogram.settle()
        np.testing.assert_array_equal(ours.ids, theirs.ids)
        np.testing.assert_array_equal(ours.occurrences, theirs.occurrences)


def with_normaliser(tokenizer: HuggingFaceTokenizer, name: str) -> HuggingFaceTokenizer:
    content = json.loads(tokenizer.serialized)
    content["normalizer"] = {"type": name}
    return huggingface_from_text(json.dumps(content), name, name, name)


def test_one_pattern_but_two_normalisers_do_not_share(
    bpe: Callable[[str], HuggingFaceTokenizer],
) -> None:
    composed = with_normaliser(bpe("gpt4"), "NFC")
    plan = encoding_plan(composed, SETTINGS)
    assert plan.rule is None
    assert "normaliser NFC" in plan.reason
    assert isinstance(composed.fast, str)
    texts = ["e\u0301te\u0301 e\u0301t"] * 50
    first, second = (
        BatchCounter(CountJob([bpe("gpt4"), composed], SETTINGS, None))
        .count(batch_of(texts))
        .tokens
    )
    assert first.per_text[:, 0].sum() > second.per_text[:, 0].sum()
    np.testing.assert_array_equal(second.per_text[:, 0], composed.encode_batch(texts).lengths)


def test_a_pattern_without_proven_places_is_encoded_whole(
    bpe: Callable[[str], HuggingFaceTokenizer],
) -> None:
    content = json.loads(bpe("gpt4").serialized)
    content["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": "th| |[^ ]"}
    own = huggingface_from_text(json.dumps(content), "own", "own", "own")
    plan = encoding_plan(own, SETTINGS)
    assert plan.rule is None
    assert "no places are proven" in plan.reason
    documents = DocumentCorpus("own", [Document("the other thing")])
    (notice,) = count_corpora([documents], CountJob([own], SETTINGS, None)).notices
    assert notice.startswith("own encodes every text whole: no places are proven")
    texts = ["the other thing"] * 9
    (counts,) = BatchCounter(CountJob([own], SETTINGS, None)).count(batch_of(texts)).tokens
    assert_same(counts._replace(per_text=counts.per_text[:, :3]), _first(plain(own, texts)))


def _first(counts: TokenCounts) -> TokenCounts:
    return counts._replace(per_text=counts.per_text[:, :3])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pre_tokenizer": BYTE_LEVEL | {"add_prefix_space": True}}, "a space before"),
        ({"pre_tokenizer": BYTE_LEVEL}, "nothing confines"),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [PUNCTUATION, BYTE_LEVEL]}},
            "own",
        ),
    ],
)
def test_what_may_cross_pieces_is_refused(
    bpe: Callable[[str], HuggingFaceTokenizer], change: dict[str, Any], reason: str
) -> None:
    content = {**json.loads(bpe("gpt4").serialized), **change}
    plan = encoding_plan(huggingface_from_text(json.dumps(content), "x", "x", "x"), SETTINGS)
    assert plan.rule is None
    assert reason in plan.reason


def test_unigram_is_shared_only_where_white_space_splits_it(
    trained_unigram: HuggingFaceTokenizer,
) -> None:
    assert encoding_plan(trained_unigram, SETTINGS).rule is not None
    assert isinstance(trained_unigram.fast, str)
    lines = [line for line in embedded_lines() if line][:300]
    assert_same(from_chunks(trained_unigram, lines), plain(trained_unigram, lines))
    assert encoding_plan(load_tokenizer("mistral:v3"), SETTINGS).rule is None


@pytest.fixture(scope="module")
def trained_unigram(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTokenizer:
    corpus = DocumentCorpus("lines", [Document(line) for line in list(embedded_lines())[:300]])
    recipe = TrainSettings("unigram", 600, "huggingface", pattern="gpt4")
    path = train_tokenizer(corpus, recipe, tmp_path_factory.mktemp("unigram")).path
    loaded = load_tokenizer(str(path))
    assert isinstance(loaded, HuggingFaceTokenizer)
    return loaded


def test_a_split_that_does_not_hold_is_found_out(
    bpe: Callable[[str], HuggingFaceTokenizer],
) -> None:
    """A tokenizer whose merges cross spaces, filed under a pattern that ends pieces there."""
    content = json.loads(bpe("gpt4").serialized)
    content["pre_tokenizer"] = BYTE_LEVEL
    vocab, merges = content["model"]["vocab"], content["model"]["merges"]
    vocab["eĠ"] = max(vocab.values()) + 1
    merges.insert(0, "e Ġ" if isinstance(merges[0], str) else ["e", "Ġ"])
    crossing = huggingface_from_text(json.dumps(content), "x", "crossing", "x")
    assert encoding_plan(crossing, SETTINGS).rule is None
    claimed = replace(crossing, splitting=bpe("gpt4").splitting)
    assert encoding_plan(claimed, SETTINGS).rule is CutRule.GPT
    texts = ["the one time we came here " * 20] * 40
    result = BatchCounter(CountJob([claimed], SETTINGS, None)).count(batch_of(texts))
    (notice,) = result.notices
    assert notice.startswith("crossing: tokens of its pieces are not those of whole texts")
    np.testing.assert_array_equal(result.tokens[0].per_text[:, 0], claimed.encode_batch(texts)[1])


def test_added_tokens_are_looked_for_in_whole_texts(
    bpe: Callable[[str], HuggingFaceTokenizer],
) -> None:
    content = json.loads(bpe("gpt4").serialized)
    added = {"id": 900, "content": "one two", "special": False, "single_word": False}
    added |= {"lstrip": False, "rstrip": False, "normalized": False}
    content["added_tokens"] = [added]
    tokenizer = huggingface_from_text(json.dumps(content), "x", "x", "x")
    assert encoding_plan(tokenizer, SETTINGS).literals == ("one two",)
    counter = BatchCounter(CountJob([tokenizer], SETTINGS, None))
    for texts in (["zero one two three"] * 60, ["one three two"] * 60, [" two", "one"] * 60):
        (counts,) = counter.count(batch_of(texts)).tokens
        whole = replace(tokenizer, fast="").encode_batch(texts)
        np.testing.assert_array_equal(counts.per_text[:, 0], whole.lengths)
        assert (900 in counts.ids) == ("one two" in texts[0])


def test_memory_is_bounded_and_counts_are_not_touched(
    bpe: Callable[[str], HuggingFaceTokenizer],
) -> None:
    most = 600_000
    sharing, tokenizer, emptied = ChunkCounter(SETTINGS, 1.0, most), bpe("gpt4"), 0
    for batch in batched([Document(line) for line in embedded_lines() if line], 8000):
        before = sharing.nbytes
        assert_same(
            from_chunks(tokenizer, batch.texts, sharing=sharing), plain(tokenizer, batch.texts)
        )
        emptied += sharing.nbytes < before
        assert sharing.nbytes < 2 * most
    assert emptied > 1


def test_text_that_repeats_little_is_encoded_whole(
    bpe: Callable[[str], HuggingFaceTokenizer],
) -> None:
    random = np.random.default_rng(0)
    sharing, tokenizer = ChunkCounter(SETTINGS), bpe("gpt4")
    texts = ["".join(map(chr, random.integers(0x4E00, 0x9000, 300))) for _ in range(20)]
    assert from_chunks(tokenizer, texts, sharing=sharing) is None
    assert sharing.nbytes < 300_000


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    )
)
def test_chunks_are_numbered_as_a_dictionary_numbers_them(rounds: list[list[bytes]]) -> None:
    table, expected = ChunkTable(), dict[bytes, int]()
    for chunks in rounds:
        starts = np.cumsum([0, *map(len, chunks[:-1])])
        numbers = table.numbers(b"".join(chunks), starts)
        assert numbers is not None
        for chunk in chunks:
            expected.setdefault(chunk, len(expected))
        assert numbers.tolist() == [expected[chunk] for chunk in chunks]
    assert table.chunks() == list(expected)


def test_many_chunks_and_long_ones() -> None:
    table = ChunkTable()
    chunks = [b"%d" % (n * n) for n in range(60_000)]
    starts: NDArray[np.int64] = np.cumsum([0, *map(len, chunks[:-1])])
    for _ in range(2):
        numbers = table.numbers(b"".join(chunks), starts)
        assert numbers is not None
        assert numbers.tolist() == list(range(60_000))
    assert table.numbers(b"x" * LONGEST, np.array([0])) is not None
    assert table.numbers(b"x" * (LONGEST + 1), np.array([0])) is None
    assert table.numbers(b"new", np.array([0]), most_new=0.5) is None
    assert len(table) == 60_001


@pytest.mark.parametrize("pattern", sorted(set(PATTERNS) - {"none"}))
@settings(max_examples=40)
@example(texts=list(HARD))
@given(texts=st.lists(TEXTS, max_size=4))
def test_distinct_pretokens_are_those_of_the_pattern(pattern: str, texts: list[str]) -> None:
    import regex

    index = PretokenIndex(regex.compile(PATTERNS[pattern]).findall, rule_of(PATTERNS[pattern]))
    for part in (texts, texts[:2]):
        found = index.add(part)
        expected = [regex.findall(PATTERNS[pattern], text) for text in part]
        assert found.lengths.tolist() == [len(pieces) for pieces in expected]
        ours = [index.pieces[number] for number in found.numbers]
        assert ours == [piece for pieces in expected for piece in pieces]


def test_what_is_cut_nowhere_for_certain_is_split_text_by_text() -> None:
    index = PretokenIndex(re.compile(r"th|[\s\S]").findall)
    assert index.add(["this", ""]).lengths.tolist() == [3, 0]
    assert index.pieces == ["th", "i", "s"]
