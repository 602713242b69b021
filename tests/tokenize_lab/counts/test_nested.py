"""Counts of vocabularies that go on from one another, beside those of each by itself."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Batch, Document
from tests.cli import answer
from tests.tokenize_lab.texts import CUT_PARTS, HARD, embedded_lines
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer, huggingface_from_text
from tokenize_lab.backends.huggingface_fast import FastPath
from tokenize_lab.counts.batches import BatchCounter, CountJob
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.counts.nested import nested
from tokenize_lab.merges.derived import truncated
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

SIZES = (2000, 300, 900, 1999, 2000, 256)
ADDED = {
    "content": "<tool>", "special": False, "single_word": False, "lstrip": False, "rstrip": False,
    "normalized": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def largest(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTokenizer:
    lines = DocumentCorpus("lines", [Document(line) for line in embedded_lines()])
    out = tmp_path_factory.mktemp("bpe") / "largest"
    loaded = load_tokenizer(str(train_tokenizer(lines, TrainSettings("bpe", 2000), out).path))
    assert isinstance(loaded, HuggingFaceTokenizer) and isinstance(loaded.fast, FastPath)
    return loaded


@pytest.fixture(scope="module")
def family(largest: HuggingFaceTokenizer) -> list[Tokenizer]:
    """The largest, and its first merges in any order of sizes; one of them with other ids."""
    found: list[Tokenizer] = [changed(largest, "shuffled", shuffle_ids)]
    for place, size in enumerate(SIZES):
        cut = truncated(largest, size)
        assert isinstance(cut, HuggingFaceTokenizer)
        found.append(replace(cut, name=f"{size}-{place}"))
    return found


def changed(
    tokenizer: HuggingFaceTokenizer, name: str, change: Callable[[dict[str, Any]], None]
) -> HuggingFaceTokenizer:
    content = json.loads(tokenizer.serialized)
    change(content)
    return huggingface_from_text(json.dumps(content), name, name, name)


def shuffle_ids(content: dict[str, Any]) -> None:
    vocab = content["model"]["vocab"]
    ids = list(vocab.values())
    Random(0).shuffle(ids)
    content["model"]["vocab"] = dict(zip(vocab, ids, strict=True))


def within(tokenizers: list[Tokenizer]) -> list[str | None]:
    return [found and found.within for found in nested(tokenizers, ["alike"] * len(tokenizers))]


def batch(texts: list[str]) -> Batch:
    return Batch(texts, "und", "", "here", [str(i) for i in range(len(texts))])


def assert_counted_the_same(tokenizers: list[Tokenizer], texts: list[str]) -> None:
    settings = TextSettings()
    together = BatchCounter(CountJob(tokenizers, settings, None)).count(batch(texts))
    assert not together.notices
    for tokenizer, found in zip(tokenizers, together.tokens, strict=True):
        alone = BatchCounter(CountJob([tokenizer], settings, None, sharing=False))
        (plain,) = alone.count(batch(texts)).tokens
        for ours, theirs in zip(found, plain, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@given(st.lists(st.lists(st.sampled_from(CUT_PARTS), max_size=12).map("".join), max_size=4))
def test_tokens_of_any_text_follow(family: list[Tokenizer], texts: list[str]) -> None:
    ways = nested(family, ["alike"] * len(family))
    for tokenizer, way in zip(family, ways, strict=True):
        assert way is not None
        ours, own = way.of(way.larger.encode_batch(texts)), tokenizer.encode_batch(texts)
        np.testing.assert_array_equal(ours.ids, own.ids)
        np.testing.assert_array_equal(ours.lengths, own.lengths)


def test_counts_are_those_of_each_by_itself(family: list[Tokenizer]) -> None:
    assert_counted_the_same(family, [*embedded_lines()][::3])
    random = np.random.default_rng(0)  # repeats little, so that it is encoded whole
    strange = ["".join(map(chr, random.integers(0x4E00, 0x9000, 300))) for _ in range(20)]
    assert_counted_the_same(family, [*strange, *HARD])


def test_only_the_largest_encodes(family: list[Tokenizer], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = HuggingFaceTokenizer.encode_batch
    encoded: dict[str, int] = {}

    def encode_batch(tokenizer: HuggingFaceTokenizer, texts: list[str]) -> Any:
        encoded[tokenizer.name] = encoded.get(tokenizer.name, 0) + sum(map(len, texts))
        return plain(tokenizer, texts)

    monkeypatch.setattr(HuggingFaceTokenizer, "encode_batch", encode_batch)
    counter = BatchCounter(CountJob(family, TextSettings(), None))
    lines = [*embedded_lines()]
    for start in range(0, len(lines), 500):
        found = counter.count(batch(lines[start : start + 500]))
        assert len(set(found.encode_seconds)) == 1  # of a family, in equal parts
    leading = max(encoded, key=lambda name: encoded[name])
    assert leading in ("shuffled", "2000-0", "2000-4")
    # The others are asked for the heads of texts alone, to be compared.
    assert all(5 * n < encoded[leading] for name, n in encoded.items() if name != leading)


def test_what_does_not_go_on_from_another_stands_alone(
    largest: HuggingFaceTokenizer, family: list[Tokenizer]
) -> None:
    small = family[2]
    assert within([small, largest]) == [largest.name, None]
    assert nested([small, largest], ["one", "other"]) == [None, None]
    assert nested([small, largest], [None, None]) == [None, None]

    def another(content: dict[str, Any]) -> None:
        merges = content["model"]["merges"]
        del merges[0]

    other = changed(largest, "other", another)
    assert isinstance(other.fast, (FastPath, str))
    assert within([small, other]) == [None, None]


def test_a_piece_that_is_taken_whole_is_no_one_elses(largest: HuggingFaceTokenizer) -> None:
    def with_whole_pieces(content: dict[str, Any]) -> None:
        content["model"]["ignore_merges"] = True
        content["model"]["vocab"]["Ġqzqzq"] = 2000

    whole = changed(largest, "whole", with_whole_pieces)
    assert isinstance(whole.fast, FastPath)
    assert whole.encode_batch([" qzqzq"]).lengths.tolist() == [1]
    assert within([largest, whole]) == [None, None]


def test_added_tokens_of_either_are_its_own(family: list[Tokenizer]) -> None:
    def add(content: dict[str, Any]) -> None:
        content["added_tokens"] = [{"id": len(content["model"]["vocab"]), **ADDED}]

    with_added: list[Tokenizer] = []
    for one in family[1:4]:
        assert isinstance(one, HuggingFaceTokenizer)
        with_added.append(changed(one, f"{one.name}+", add))
    texts = [*embedded_lines()][:400]
    assert_counted_the_same([*with_added, *family], texts)
    texts[100] = f"a{texts[100]}<tool> and{texts[101]}"
    assert_counted_the_same([*with_added, *family], texts)


def test_explain_says_whose_tokens_follow(tmp_path: Path, largest: HuggingFaceTokenizer) -> None:
    (tmp_path / "large.json").write_text(largest.serialized)
    line = f"measure embedded -t {tmp_path}/large.json -t truncated:600:{tmp_path}/large.json"
    large, small, byte = answer(f"{line} -t byte --explain")
    assert large["nested_in"] is None and byte["nested_in"] is None
    assert small["nested_in"] == large["tokenizer"]
