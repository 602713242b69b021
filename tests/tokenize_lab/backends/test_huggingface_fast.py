"""tiktoken's engine for Hugging Face vocabularies: the same ids, or not used."""

import json
import random
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from tests.tokenize_lab.texts import HARD, embedded_lines, ids_of
from tokenize_lab.backends.characters import read_alike
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.huggingface_fast import FastPath, ranks_of
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.patterns import PATTERNS
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

PATTERN_NAMES = ["gpt2", "gpt4", "llama3", "tekken", "gpt4o", "whitespace"]


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], HuggingFaceTokenizer]:
    folder, made = tmp_path_factory.mktemp("fast"), dict[str, HuggingFaceTokenizer]()

    def make(pattern: str) -> HuggingFaceTokenizer:
        if pattern not in made:
            corpus = DocumentCorpus("lines", [Document(line) for line in embedded_lines()])
            recipe = TrainSettings("bpe", 1500, pattern=pattern)
            loaded = load_tokenizer(str(train_tokenizer(corpus, recipe, folder / pattern).path))
            assert isinstance(loaded, HuggingFaceTokenizer)
            made[pattern] = loaded
        return made[pattern]

    return make


def own(tokenizer: HuggingFaceTokenizer) -> HuggingFaceTokenizer:
    return replace(tokenizer, fast="for comparing")


@pytest.mark.parametrize("pattern", PATTERN_NAMES)
@settings(max_examples=60)
@example(texts=list(HARD))
@example(
    texts=["'\u017f", "'S 'ſ K", "new \u1c89 letters \ua7dc", "plain", "😀 x", "\x85\x1c\u180e"]
)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=5))
def test_any_text_gets_the_same_ids(
    fast: Callable[[str], HuggingFaceTokenizer], pattern: str, texts: list[str]
) -> None:
    tokenizer = fast(pattern)
    assert isinstance(tokenizer.fast, FastPath)
    assert ids_of(tokenizer.encode_batch(texts)) == ids_of(own(tokenizer).encode_batch(texts))


def test_real_text_and_code_get_the_same_ids(fast: Callable[[str], HuggingFaceTokenizer]) -> None:
    lines = [line for line in embedded_lines() if line]
    texts = [*lines, "\n".join(lines[:200]), Path(json.__file__).read_text("utf-8")]
    for pattern in ("gpt2", "gpt4o"):
        tokenizer = fast(pattern)
        assert ids_of(tokenizer.encode_batch(texts)) == ids_of(own(tokenizer).encode_batch(texts))


def test_ids_need_not_be_ranks(fast: Callable[[str], HuggingFaceTokenizer]) -> None:
    content = json.loads(fast("gpt4").serialized)
    vocab = content["model"]["vocab"]
    ids = list(vocab.values())
    random.Random(0).shuffle(ids)
    content["model"]["vocab"] = dict(zip(vocab, ids, strict=True))
    shuffled = huggingface_from_text(json.dumps(content), "x", "x", "x")
    assert isinstance(shuffled.fast, FastPath)
    texts = [line for line in embedded_lines() if line][:200]
    assert ids_of(shuffled.encode_batch(texts)) == ids_of(own(shuffled).encode_batch(texts))
    assert ids_of(shuffled.encode_batch(texts)) != ids_of(fast("gpt4").encode_batch(texts))


def model(merges: list[str], **more: Any) -> dict[str, Any]:
    vocab = {character: i for i, character in enumerate(byte_to_character().values())}
    for merge in merges:
        vocab.setdefault(merge.replace(" ", ""), len(vocab))
    return {"type": "BPE", "vocab": vocab, "merges": merges, **more}


def test_ranks_of_a_list_that_follows_from_them() -> None:
    found = ranks_of(model(["a b", "ab c", "c d"]))
    assert not isinstance(found, str)
    ranks, ids, last = found
    assert list(zip(last.left, last.right, strict=True))[255:] == [
        (-1, -1),
        (ord("a"), ord("b")),
        (256, ord("c")),
        (ord("c"), ord("d")),
    ]
    assert [ranks[token] for token in (b"ab", b"abc", b"cd")] == [256, 257, 258]
    assert ids[256:].tolist() == [256, 257, 258]
    assert len(ids) == 259


@pytest.mark.parametrize(
    ("merges", "reason"),
    [
        (["b c", "a b", "ab c"], "other parts"),  # "bc" comes first, so "abc" is never "ab" + "c"
        (["a b", "a bc", "b c"], "other parts"),  # it would merge "ab" and "c"
    ],
)
def test_lists_that_do_not_follow_from_ranks(merges: list[str], reason: str) -> None:
    found = ranks_of(model(merges))
    assert isinstance(found, str)
    assert reason in found


def test_a_list_that_differs_from_ranks_keeps_its_own_engine(
    fast: Callable[[str], HuggingFaceTokenizer],
) -> None:
    content = json.loads(fast("gpt4").serialized)
    content["model"] |= model(["b c", "a b", "ab c"])
    tokenizer = huggingface_from_text(json.dumps(content), "x", "x", "x")
    assert tokenizer.fast == "tiktoken would merge b'abc' of other parts, or at another time"
    (ids,) = ids_of(tokenizer.encode_batch(["abc"]))
    assert len(ids) == 2  # tiktoken would find the whole piece in the vocabulary


def in_engines(merges: list[str], texts: list[str], orphans: list[str], **more: Any) -> bool:
    """Whether there is a fast engine for the list; asserts that it gives the same ids."""
    its_model = model(merges, **more)
    for piece in orphans:
        its_model["vocab"].setdefault(piece, len(its_model["vocab"]))
    split = {"type": "Split", "pattern": {"Regex": PATTERNS["gpt4"]}, "behavior": "Isolated"}
    letters: dict[str, Any] = {"type": "ByteLevel"}
    letters |= dict.fromkeys(("add_prefix_space", "trim_offsets", "use_regex"), False)
    parts: dict[str, Any] = {"version": "1.0", "added_tokens": [], "normalizer": None}
    pre = {"type": "Sequence", "pretokenizers": [{**split, "invert": False}, letters]}
    content = {**parts, "pre_tokenizer": pre, "decoder": letters, "model": its_model}
    tokenizer = huggingface_from_text(json.dumps(content), "x", "x", "x")
    if isinstance(tokenizer.fast, str):
        return False
    assert ids_of(tokenizer.encode_batch(texts)) == ids_of(own(tokenizer).encode_batch(texts))
    return True


def of_ranks(tokens: list[str]) -> list[str]:
    """A list as it is written from tiktoken's ranks: every pair of tokens that spells a token."""
    known = {*tokens, *"abcd"}
    return [
        f"{token[:cut]} {token[cut:]}"
        for token in tokens
        for cut in range(1, len(token))
        if token[:cut] in known and token[cut:] in known
    ]


@settings(max_examples=40)
@example(tokens=["aa", "aaaa", "aaa"], texts=["aaaaaaa", "baaaab"])  # as Llama 3.1's spaces
@given(
    tokens=st.lists(st.text("abcd", min_size=2, max_size=5), min_size=1, max_size=12, unique=True),
    texts=st.lists(st.text("abcd", max_size=12), max_size=8),
)
def test_lists_made_from_ranks_get_the_same_ids(tokens: list[str], texts: list[str]) -> None:
    merges = of_ranks(tokens)
    assert in_engines(merges, texts + tokens, tokens, ignore_merges=True)
    in_engines(merges, texts + tokens, tokens)


@settings(max_examples=40)
@given(
    merges=st.lists(
        st.tuples(*[st.sampled_from(["a", "b", "c", "ab", "bc", "abc", "aa"])] * 2),
        unique=True,
        max_size=8,
    ),
    orphans=st.lists(st.text("abc", min_size=2, max_size=4), max_size=3),
    texts=st.lists(st.text("abc", max_size=12), max_size=8),
)
def test_any_list_gets_the_same_ids(
    merges: list[tuple[str, str]], orphans: list[str], texts: list[str]
) -> None:
    known, kept = {*"abc"}, list[str]()
    for left, right in merges:
        if left in known and right in known:
            kept.append(f"{left} {right}")
            known.add(left + right)
    in_engines(kept, texts, [])
    in_engines(kept, texts + orphans, orphans, ignore_merges=True)


def test_a_whole_piece_that_no_merges_lead_to() -> None:
    """Both engines take it whole; of two bytes, tiktoken would merge it inside others, too."""
    with_orphan = model(["a b"], ignore_merges=True)
    with_orphan["vocab"]["xyz"] = 257
    found = ranks_of(with_orphan)
    assert not isinstance(found, str) and found[0][b"xyz"] == 257
    with_orphan["vocab"]["xy"] = 258
    assert "other parts" in str(ranks_of(with_orphan))


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERN_NAMES)
def test_libraries_class_all_characters_alike_that_are_read_alike(
    fast: Callable[[str], HuggingFaceTokenizer], pattern: str
) -> None:
    import regex

    engine = own(fast(pattern))
    twin = fast(pattern).fast
    assert isinstance(twin, FastPath)
    points = [p for p in range(0x10000) if unicodedata.category(chr(p)) != "Cs"]
    texts = [f"aA{c}bB {c}1{c}{c}\n{c} {c}'s" for p in points if read_alike(c := chr(p))]
    assert len(texts) > 50_000
    assert np.array_equal(engine.encode_batch(texts).ids, twin.encode_batch(texts).ids)
    splitter = regex.compile(PATTERNS[pattern])
    for text in texts[::7]:
        assert engine.pretoken_count(text) == len(splitter.findall(text)), text
