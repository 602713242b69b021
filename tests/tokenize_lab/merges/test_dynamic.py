"""Tokens merged afresh in every batch: the authors' example, and what a batch may not do."""

import pickle
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from corpora.corpus import corpus_of
from corpora.errors import InputError
from tests.cli import answer, mistake
from tests.tokenize_lab.forensics.made import byte_level
from tests.tokenize_lab.texts import HARD, ids_of
from tokenize_lab.counts.boundaries import token_boundaries
from tokenize_lab.counts.bytes import TextBytes
from tokenize_lab.forensics.diff import diff
from tokenize_lab.merges.dynamic import dynamic, refuse_dynamic
from tokenize_lab.tokenizer import table_of
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizer

# From the README of the authors' repository, DariusFeher/dynamic-tokenization.
SENTENCES = [
    "Ribonucleoprotein particles regulate mRNA stability.",
    "mRNA stability is modulated by ribonucleoprotein factors.",
]


def test_the_authors_example() -> None:
    """Theirs: 36 tokens, three of them special, become 20, four special, by 10 merges."""
    source = load_tokenizer("mistral:v1")
    assert len(source.encode_batch(SENTENCES).ids) == 36 - 3
    merged = dynamic(source, 32, 10)
    encoding = merged.encode_batch(SENTENCES)
    table = table_of(merged, encoding)
    words = [[table[i] for i in ids] for ids in ids_of(encoding)]
    assert sum(map(len, words)) == 20 - 4
    assert words[0][-3:] == [*words[1][:2], b"."] == [b" mRNA", b" stability", b"."]
    assert b"onucleoprotein" in words[1]


def test_merges_are_the_commonest_pairs_of_the_batch_inside_pieces() -> None:
    source = byte_level([], pattern=r" ?[^ ]+| +")
    texts = ["abababab cc", "abababab cc", "abx"]
    merged = dynamic(source, 2, 2)
    encoding = merged.encode_batch(texts)
    table = table_of(merged, encoding)
    pairs = Counter(
        pair for text in texts[:2] for piece in text.split() for pair in pairwise(piece)
    )
    assert pairs["a", "b"] == max(pairs.values())
    assert [[table[i] for i in ids] for ids in ids_of(encoding)] == [
        [b"abab", b"abab", b" ", b"c", b"c"],
        [b"abab", b"abab", b" ", b"c", b"c"],
        [b"abx"],  # a batch of its own
    ]
    assert len(table) == len(source.token_bytes) + 4


@pytest.mark.parametrize("spec", ["mistral:v1", "mistral:v3", "byte"])
def test_every_text_comes_back_and_no_batch_has_more_tokens(spec: str) -> None:
    source, merged = load_tokenizer(spec), load_tokenizer(f"dynamic:4x20:{spec}")
    encoding = merged.encode_batch(HARD)
    assert token_boundaries(TextBytes.of(HARD), encoding, merged).exact.all()
    assert (encoding.lengths <= source.encode_batch(HARD).lengths).all()
    again = pickle.loads(pickle.dumps(merged)).encode_batch(HARD)
    assert np.array_equal(again.ids, encoding.ids)


def test_it_is_measured_as_any_other_and_compared() -> None:
    line = "measure embedded:eng_Latn -t byte -t dynamic:48x50:mistral:v1 -t mistral:v1 --no-cache"
    rows = {row["tokenizer"]: row for row in answer(line)}
    plain, merged = rows["mistral:v1"], rows["dynamic:48x50:mistral:v1"]
    assert merged["bytes"] == plain["bytes"] and merged["exact_share"] == 1
    assert merged["bytes_per_token"] > 1.05 * plain["bytes_per_token"]
    found = diff("mistral:v1", "dynamic:2x5:mistral:v1", [corpus_of({"eng_Latn": SENTENCES})])
    assert 0 < found["text"]["all"]["tokens_b_over_a"] < 1


def test_a_text_is_shown_token_by_token() -> None:
    rows = answer("tokenizers encode dynamic:1x9:byte aaaa")
    assert [(row["hex"], row["kind"]) for row in rows] == [("61 61 61 61", "text")]


def test_the_spec_is_parsed_like_other_cuts_and_mistakes_are_one_line() -> None:
    spec = TokenizerSpec.parse("mine=dynamic:32x50:truncated:9000:mistral:tekken")
    assert (spec.cuts, spec.whole) == ("dynamic:32x50:truncated:9000:", "mistral:tekken")
    for wrong in ("dynamic:32:byte", "dynamic:x:byte", "dynamic:32x50", "dynamic:0x5:byte"):
        assert "dynamic:32x50:" in mistake(f"measure embedded:eng_Latn -t {wrong}")
    with pytest.raises(InputError, match="already"):
        load_tokenizer("dynamic:1x1:dynamic:1x1:byte")
    with pytest.raises(InputError, match="can be measured and not trained on"):
        refuse_dynamic(load_tokenizer("dynamic:1x1:byte"))
