"""BPE-dropout: nothing left out is plain encoding, all of it is bytes, and draws repeat."""

import pickle
from functools import cache
from itertools import count, pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus
from corpora.document import Document
from corpora.errors import InputError
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING, bytes_per_text, embedded_lines, ids_of
from tokenize_lab.counts.batches import CountJob
from tokenize_lab.counts.fields import TextSettings
from tokenize_lab.measurement import count_corpora
from tokenize_lab.merges.apply import merge_piece
from tokenize_lab.merges.derived import DropoutTokenizer, with_dropout
from tokenize_lab.merges.read import merges_of
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer

LINES = [*list(embedded_lines())[::20], *HARD, *SPECIAL_LOOKING]
KINDS = ["bpe", "bpe-unsplit", "superbpe", "tekken"]


@cache
def _tekken() -> Tokenizer:
    return load_tokenizer("truncated:3000:mistral:tekken")


def _with(share: str, spec: str) -> DropoutTokenizer:
    tokenizer = load_tokenizer(f"dropout:{share}:{spec}")
    assert isinstance(tokenizer, DropoutTokenizer)
    return tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_from_plain_encoding_to_bytes(kind: str, trained: dict[str, Path]) -> None:
    plain = _tekken() if kind == "tekken" else load_tokenizer(str(trained[kind]))
    whole = with_dropout(plain, 0, 0).encode_batch(LINES)
    none = with_dropout(plain, 1, 0).encode_batch(LINES)
    assert ids_of(whole) == ids_of(plain.encode_batch(LINES))
    # So small a share that nothing is drawn: our own encoder, not the library's.
    own = with_dropout(plain, 1e-300, 0).encode_batch(LINES)
    assert ids_of(own) == ids_of(whole)
    raw = [text.encode() for text in LINES]
    assert none.lengths.tolist() == [len(one) for one in raw]
    half = with_dropout(plain, 0.5, 0)
    assert len(whole.ids) < len(half.encode_batch(LINES).ids) < 0.9 * len(none.ids)
    for share in (0.1, 0.5, 1):
        assert bytes_per_text(with_dropout(plain, share, 0), LINES) == raw


def test_the_more_is_left_out_the_more_tokens(trained: dict[str, Path]) -> None:
    sizes = [
        len(_with(share, str(trained["bpe"])).encode_batch(LINES).ids)
        for share in ("0", ".1", ".3", ".6", ".9", "1")
    ]
    assert sizes == sorted(sizes) and len(set(sizes)) == len(sizes)


def test_draws_follow_from_seed_and_text(trained: dict[str, Path]) -> None:
    spec = str(trained["bpe"])
    first, other = _with(".3", spec), _with(".3@7", spec)
    again = _with(".3", spec)
    alone = [again.encode_batch([text]).ids.tolist() for text in LINES]
    assert ids_of(first.encode_batch(LINES)) == alone
    assert ids_of(first.encode_batch(LINES[::-1]))[::-1] == alone
    assert ids_of(pickle.loads(pickle.dumps(first)).encode_batch(LINES)) == alone
    assert ids_of(_with(".3@0", spec).encode_batch(LINES)) == alone
    differing = sum(a != b for a, b in zip(ids_of(other.encode_batch(LINES)), alone, strict=True))
    assert differing > 0.8 * sum(len(text) > 5 for text in LINES)
    assert first.sha256 != other.sha256 != _with(".31", spec).sha256
    assert (first.name, other.name) == ("dropout:0.3:bpe", "dropout:0.3@7:bpe")


def _by_the_book(
    symbols: list[int], ranks: dict[tuple[int, int], int], made: list[int], survives: set[int]
) -> list[int]:
    """Algorithm 1 of the paper for draws that come in order: at each step, those of lowest rank
    first, leftmost first, and the first that survives is done."""
    drawn = count()
    while True:
        known = sorted(
            (ranks[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in ranks
        )
        for rank, i in known:
            if next(drawn) in survives:
                symbols = [*symbols[:i], made[rank], *symbols[i + 2 :]]
                break
        else:
            return symbols


@cache
def _tables() -> tuple[dict[tuple[int, int], int], list[int], dict[bytes, int]]:
    """Merges in which one token is made in several ways, and the bytes' ids."""
    tokenizer = _tekken()
    merges, table = merges_of(tokenizer), tokenizer.token_bytes
    byte_ids = {table[i]: i for i in range(len(table)) if len(table[i]) == 1}
    return merges.rank_of_pair, merges.made_by_rank, byte_ids


@given(st.text("aehint ", min_size=2, max_size=14), st.sets(st.integers(0, 60)))
def test_it_is_the_papers_algorithm(text: str, survives: set[int]) -> None:
    ranks, made, byte_ids = _tables()
    symbols = [byte_ids[bytes([byte])] for byte in text.encode()]
    drawn = count()
    tokens = merge_piece(symbols, ranks.get, made, lambda: next(drawn) not in survives).tokens
    assert tokens == _by_the_book(symbols, ranks, made, survives)


def test_a_merge_is_left_out_as_often_as_asked() -> None:
    draw = Random(0).random

    def cut(symbols: list[int], ranks: dict[tuple[int, int], int], made: list[int]) -> list[int]:
        return merge_piece(symbols, ranks.get, made, lambda: draw() < 0.3).tokens

    done = [cut([0, 1], {(0, 1): 0}, [2]) == [2] for _ in range(20_000)]
    assert np.mean(done) == pytest.approx(0.7, abs=0.015)
    # Of two in a row with the second better, it is left out and the first done, or neither is.
    ranks = {(0, 1): 1, (1, 1): 0}
    seen = [tuple(cut([0, 1, 1], ranks, [3, 2])) for _ in range(20_000)]
    assert np.mean([one == (0, 3) for one in seen]) == pytest.approx(0.7, abs=0.015)
    assert np.mean([one == (2, 1) for one in seen]) == pytest.approx(0.21, abs=0.015)


def test_measured_in_any_number_of_processes(trained: dict[str, Path]) -> None:
    tokenizer = _with(".2", str(trained["bpe"]))
    documents = [Document(line) for _ in range(3) for line in embedded_lines()]
    corpus = DocumentCorpus("lines", documents)
    found = [
        count_corpora([corpus], CountJob([tokenizer], TextSettings(), None), jobs=jobs).counts
        for jobs in (1, 2)
    ]
    (one,), (two,) = (list(counts.values()) for counts in found)
    assert np.array_equal(one.units, two.units)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("dropout:1.5:{bpe}", "must be from 0 to 1"),
        ("dropout:-.1:{bpe}", "must be from 0 to 1"),
        ("dropout:nan:{bpe}", "must be from 0 to 1"),
        ("dropout:.1@-1:{bpe}", "seed must not be negative"),
        ("dropout:.1@x:{bpe}", "'.1@x' is no number"),
        ("dropout:many:{bpe}", "'many' is no number"),
        ("dropout:.1", "a number, then a tokenizer"),
        ("dropout:.1:byte", "has no list of merges"),
        ("dropout:.1:{unigram-hf}", "which has no merges"),
    ],
)
def test_what_cannot_be(spec: str, says: str, trained: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=says):
        load_tokenizer(spec.format(**trained))
