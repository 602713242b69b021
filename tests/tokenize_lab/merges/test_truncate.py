"""Merges as arrays, and tokenizers cut to the first of them."""

import base64
import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.errors import InputError
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING, embedded_lines, ids_of
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.merges.apply import Merger
from tokenize_lab.merges.derived import masked, truncated
from tokenize_lab.merges.merge_list import Merges, listed_merges
from tokenize_lab.merges.read import merges_of
from tokenize_lab.tokenizer import TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer

LINES = list(embedded_lines())[::40]
ALPHABET = {character: byte for byte, character in byte_to_character().items()}


def bpe_file(folder: Path, merges: list[Any], more: dict[str, Any] | None = None) -> str:
    """Write a byte-level BPE of the 256 bytes and these merges; return its spec."""
    vocab = dict(ALPHABET)
    for pair in merges:
        vocab.setdefault("".join(pair), len(vocab))
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    content = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {**byte_level, "use_regex": True},
        "decoder": {**byte_level, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges, **(more or {})},
    }
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content))
    return str(path)


def by_hand(symbols: list[int], merges: Merges) -> list[int]:
    """Merge the slow way; return the ranks in the order they were applied."""
    rank = dict(
        zip(zip(merges.left.tolist(), merges.right.tolist(), strict=True), merges.rank, strict=True)
    )
    applied: list[int] = []
    while True:
        found = [
            (int(rank[pair]), place) for place, pair in enumerate(pairwise(symbols)) if pair in rank
        ]
        if not found:
            return applied
        lowest, place = min(found)
        symbols = [*symbols[:place], int(merges.made[lowest]), *symbols[place + 2 :]]
        applied.append(lowest)


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=12, unique=True),
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=30), min_size=1, max_size=8),
    st.booleans(),
)
def test_many_pieces_at_once_are_merged_as_by_hand(
    pairs: list[tuple[int, int]], pieces: list[list[int]], long: bool
) -> None:
    """Any list, closed or not: ranks may then fall, and the highest so far counts."""
    merges = listed_merges(pairs, [6 + i for i in range(len(pairs))], 6 + len(pairs))
    if long:  # beyond every width, where a heap takes over
        pieces = [piece * 40 for piece in pieces]
    lengths = np.array([len(piece) for piece in pieces])
    symbols = np.array([symbol for piece in pieces for symbol in piece], np.int32)
    applied = Merger(merges).apply(symbols, lengths)
    for index, piece in enumerate(pieces):
        ranks = by_hand(piece, merges)
        highest = np.maximum.accumulate(np.asarray(ranks, np.int64)).tolist()
        sizes = np.sort(applied.size[applied.piece == index])
        np.testing.assert_array_equal(sizes, [merges.sizes[rank] for rank in highest])


TEKKEN = pytest.param("mistral:tekken", marks=pytest.mark.slow)


@pytest.mark.parametrize("spec", ["bpe", "bpe-unsplit", "tiktoken", TEKKEN])
def test_a_cut_tokenizer_gives_back_every_text(
    spec: str, trained: dict[str, Path], tiktoken_file: Path
) -> None:
    whole = load_tokenizer(str({**trained, "tiktoken": tiktoken_file}.get(spec, spec)))
    merges = merges_of(whole)
    before = len(whole.encode_batch(LINES).ids)
    everything = truncated(whole, merges.vocabulary_size)
    np.testing.assert_array_equal(everything.encode_batch(LINES).ids, whole.encode_batch(LINES).ids)
    texts = [*HARD, *SPECIAL_LOOKING, *LINES[::7]]
    for size in (merges.base_size, merges.base_size + 1, merges.base_size + 300):
        cut = truncated(whole, size)
        assert cut.vocabulary_size == len(cut.token_bytes) == size
        assert cut.lossless
        encoding = cut.encode_batch(texts)
        for text, ids in zip(texts, ids_of(encoding), strict=True):
            assert b"".join(map(cut.token_bytes.__getitem__, ids)) == text.encode()
        assert len(cut.encode_batch(LINES).ids) > before
    assert len(truncated(whole, merges.base_size).encode_batch(LINES).ids) == sum(
        len(line.encode()) for line in LINES
    )


def test_training_longer_only_adds_merges(trained: dict[str, Path], embedded: Any) -> None:
    """Cut to 1,000, a tokenizer of 2,000 is the one that training to 1,000 gives."""
    from tokenize_lab.training.settings import TrainSettings
    from tokenize_lab.training.train import train_tokenizer

    out = trained["bpe"].parent / "bpe-1000"
    train_tokenizer(embedded, TrainSettings("bpe", 1000), out)
    short, cut = load_tokenizer(str(out)), load_tokenizer(f"truncated:1000:{trained['bpe']}")
    assert cut.vocabulary_size == short.vocabulary_size
    np.testing.assert_array_equal(cut.encode_batch(LINES).ids, short.encode_batch(LINES).ids)


@pytest.mark.parametrize("spec", ["bpe", "tiktoken", TEKKEN])
def test_a_masked_vocabulary_keeps_its_ids_and_its_size(
    spec: str, trained: dict[str, Path], tiktoken_file: Path
) -> None:
    whole = load_tokenizer(str({**trained, "tiktoken": tiktoken_file}.get(spec, spec)))
    half = load_tokenizer(f"masked:.5:{whole.spec}")
    assert half.vocabulary_size == len(half.token_bytes) == whole.vocabulary_size
    ids = half.encode_batch(LINES).ids
    assert ids.max() < whole.vocabulary_size / 2  # both number ids in the order of merges
    for text, own in zip(LINES, ids_of(half.encode_batch(LINES)), strict=True):
        assert b"".join(map(whole.token_bytes.__getitem__, own)) == text.encode()
    cut = truncated(whole, whole.vocabulary_size // 2)
    assert len(cut.encode_batch(LINES).ids) == len(ids)
    out_of_use = np.arange(len(half.token_bytes)) >= whole.vocabulary_size / 2
    assert (half.token_bytes.kinds[out_of_use] == TokenKind.SPECIAL).all()
    assert not half.token_bytes.lengths[out_of_use].any()
    again = pickle.loads(pickle.dumps(half))
    np.testing.assert_array_equal(again.encode_batch(LINES).ids, ids)
    assert (
        masked(whole, 0.0).encode_batch(LINES).ids.tolist()
        == whole.encode_batch(LINES).ids.tolist()
    )


def test_cuts_are_told_apart(trained: dict[str, Path]) -> None:
    specs = [f"{how}{trained['bpe']}" for how in ("", "truncated:1000:", "masked:.5:", "masked:0:")]
    loaded = [load_tokenizer(spec) for spec in specs]
    assert len({tokenizer.sha256 for tokenizer in loaded}) == 4
    assert [tokenizer.name for tokenizer in loaded] == [
        "bpe", "truncated:1000:bpe", "masked:0.5:bpe", "masked:0:bpe",
    ]  # fmt: skip
    twice = load_tokenizer(f"masked:.5:truncated:1000:{trained['bpe']}")
    assert twice.vocabulary_size == 1000
    assert twice.encode_batch(LINES).ids.max() < 500


def test_special_and_added_tokens_are_always_kept(trained: dict[str, Path], tmp_path: Path) -> None:
    content = json.loads((trained["bpe"] / "tokenizer.json").read_text())
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    content["added_tokens"] = [
        {"id": 2000, "content": "<|end|>", "special": True, **flags},
        {"id": 2001, "content": "dog and cat", "special": False, **flags},
        {"id": content["model"]["vocab"]["in"], "content": "in", "special": False, **flags},
    ]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))
    merges = merges_of(load_tokenizer(str(path)))
    assert merges.base_size == 256 + 3
    cut = truncated(load_tokenizer(str(path)), 259)
    ids = cut.encode_batch(["a dog and cat, hint<|end|>"]).ids.tolist()
    assert [cut.token_bytes[i] for i in ids] == [
        b"a", b" ", b"dog and cat", b",", b" ", b"h", b"in", b"t",
        b"<", b"|", b"e", b"n", b"d", b"|", b">",
    ]  # fmt: skip


def test_whole_pieces_are_taken_at_once_and_only_within_the_vocabulary(tmp_path: Path) -> None:
    """Llama 3's `ignore_merges`: a piece that is a token needs no merges to become one."""
    merges = [["a", "b"], ["c", "d"], ["ab", "cd"], ["b", "c"]]
    spec = bpe_file(tmp_path, merges, {"ignore_merges": True})
    whole = load_tokenizer(spec)
    assert isinstance(whole, HuggingFaceTokenizer)
    assert [len(truncated(whole, v).encode_batch(["abcd"]).ids) for v in range(256, 261)] == [
        4, 3, 2, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("merges", "named"),
    [
        ([["a", "b"], ["ab", "cd"], ["c", "d"]], "merge 2 ('ab' + 'cd') needs 'cd'"),
        ([["abc", "d"], ["a", "b"], ["ab", "c"]], "merge 1 ('abc' + 'd') needs 'abc'"),
    ],
)
def test_a_list_that_is_not_closed(tmp_path: Path, merges: list[Any], named: str) -> None:
    spec = bpe_file(tmp_path, merges)
    with pytest.raises(InputError) as caught:
        load_tokenizer(f"truncated:257:{spec}")
    assert "a merge list that is not closed" in str(caught.value)
    assert named in str(caught.value)


def test_a_list_that_repeats_itself(tmp_path: Path) -> None:
    spec = bpe_file(tmp_path, [["a", "b"], ["c", "d"], ["a", "b"]])
    with pytest.raises(InputError, match=r"merge 3 \('a' \+ 'b'\) comes twice"):
        load_tokenizer(f"truncated:257:{spec}")


def test_several_pairs_for_one_token_are_closed_if_one_of_them_is(tmp_path: Path) -> None:
    """Lists made from ranks name every pair; `bc` is made later, and its pair waits for it."""
    spec = bpe_file(tmp_path, [["a", "b"], ["a", "bc"], ["ab", "c"], ["b", "c"]])
    whole = load_tokenizer(spec)
    assert merges_of(whole).base_size == 256
    assert [len(truncated(whole, v).encode_batch(["abc bc"]).ids) for v in range(256, 260)] == [
        6, 5, 4, 3,
    ]  # fmt: skip


def test_merges_of_older_files_are_words(tmp_path: Path) -> None:
    new = bpe_file(tmp_path, [["a", "b"], ["ab", "c"]])
    other = tmp_path / "old"
    other.mkdir()
    old = bpe_file(other, [["a", "b"], ["ab", "c"]])
    content = json.loads(Path(old).read_text())
    content["model"]["merges"] = ["a b", "ab c"]
    Path(old).write_text(json.dumps(content))
    for size in (256, 257, 258):
        a, b = (truncated(load_tokenizer(spec), size) for spec in (new, old))
        assert a.encode_batch(["abcab"]).ids.tolist() == b.encode_batch(["abcab"]).ids.tolist()


def test_ids_close_ranks_where_special_tokens_come_last(tiktoken_file: Path) -> None:
    whole = load_tokenizer(f"tiktoken:{tiktoken_file}")
    cut = truncated(whole, 300)
    ranks = [
        base64.b64decode(line.split()[0]) for line in tiktoken_file.read_bytes().split(b"\n")[:300]
    ]
    assert [cut.token_bytes[i] for i in range(300)] == ranks


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("truncated:255:{bpe}", "below the alphabet: 256 of the 2000 .* ask for 256 or more"),
        ("truncated:2001:{bpe}", "only 2000 ids"),
        ("truncated:many:{bpe}", "'many' is no number"),
        ("truncated:2e3:{bpe}", "'2e3' is no number"),
        ("truncated:300", "a number, then a tokenizer"),
        ("masked:.9:", "a number, then a tokenizer"),
        ("masked:1:{bpe}", "from 0 to less than 1"),
        ("masked:nan:{bpe}", "from 0 to less than 1"),
        ("masked:-.1:{bpe}", "from 0 to less than 1"),
        ("masked:.95:{bpe}", "100 ids lie below the alphabet"),
        ("truncated:300:byte", "has no list of merges"),
        ("truncated:300:mistral:v3", "has no list of merges"),
        ("truncated:300:{unigram-hf}", "is Unigram, which has no merges"),
        ("truncated:300:{wordpiece}", "is WordPiece, which has no merges"),
        ("truncated:300:masked:.5:{bpe}", "is masked already; cut it first"),
        ("masked:.5:nowhere", "no such tokenizer"),
    ],
)
def test_what_cannot_be_cut(spec: str, said: str, trained: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=said):
        load_tokenizer(spec.format(**trained))
