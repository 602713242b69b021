"""Vocabularies extended: new merges after the old ones, and what they change."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.corpus import DocumentCorpus, corpus_of
from corpora.errors import InputError
from corpora.open import open_corpora
from tests.cli import answer, command, mistake
from tests.tokenize_lab.forensics.made import byte_level, id_of
from tests.tokenize_lab.merges.test_truncate import bpe_file
from tests.tokenize_lab.texts import HARD
from tokenize_lab.adapt.extend import Extension, extend
from tokenize_lab.adapt.kept import changed_texts
from tokenize_lab.backends.common import encoding_of
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.merges.derived import truncated
from tokenize_lab.tokenizer import TokenBytes, TokenKind
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer

ADDED = 150


def lines_of(language: str) -> list[str]:
    (corpus,) = open_corpora([f"embedded:{language}"])
    return [text for batch in corpus.batches() for text in batch.texts]


def text_of(*languages: str) -> DocumentCorpus:
    return corpus_of({language: lines_of(language) for language in languages})


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("english")
    train_tokenizer(text_of("eng_Latn"), TrainSettings("bpe", 600), folder)
    return folder


@pytest.fixture(scope="module")
def amharic(english: Path) -> Extension:
    return extend(str(english), [text_of("amh_Ethi", "deu_Latn")], add=ADDED, unseen=0.25)


def plainly(tokenizer: HuggingFaceTokenizer, texts: list[str]) -> list[int]:
    ids: list[int] = replace(tokenizer, fast="").encode_batch(texts).ids.tolist()
    return ids


def test_old_ids_and_old_bytes_stay(english: Path, amharic: Extension) -> None:
    old, new = load_tokenizer(str(english)).token_bytes, amharic.tokenizer.token_bytes
    assert len(new) == len(old) + ADDED
    assert new.data[: len(old.data)] == old.data
    assert np.array_equal(new.kinds[: len(old)], old.kinds)
    assert amharic.tokenizer.lossless


def test_merges_are_the_commonest_pairs_of_the_old_encoding(english: Path) -> None:
    lines = lines_of("amh_Ethi")
    old = load_tokenizer(str(english))
    assert isinstance(old, HuggingFaceTokenizer)
    extension = extend(old, [text_of("amh_Ethi")], add=40, unseen=0)
    words = Counter(
        piece
        for line in lines
        for piece, _ in old.library_tokenizer.pre_tokenizer.pre_tokenize_str(line)
    )
    encoded = {
        word: [token.id for token in old.library_tokenizer.model.tokenize(word)] for word in words
    }
    for row in extension.finding["tokens"]:
        pairs: Counter[tuple[int, int]] = Counter()
        for word, times in words.items():
            for pair in pairwise(encoded[word]):
                pairs[pair] += times
        most = max(pairs.values())
        expected = min(pair for pair, count in pairs.items() if count == most)
        assert (row["parts"], row["count"]) == ([*expected], most)
        encoded = {word: merged(ids, expected, row["id"]) for word, ids in encoded.items()}


def merged(ids: list[int], pair: tuple[int, int], token_id: int) -> list[int]:
    made: list[int] = []
    while ids:
        if tuple(ids[:2]) == pair:
            made, ids = [*made, token_id], ids[2:]
        else:
            made, ids = [*made, ids[0]], ids[1:]
    return made


def test_the_curve_is_what_encoding_counts_at_every_size(amharic: Extension) -> None:
    size = amharic.tokenizer.vocabulary_size - ADDED
    for row in amharic.finding["languages"]:
        unseen = lines_of(row["language"])[3::4]
        assert row["bytes"] == sum(len(line.encode()) for line in unseen)
        assert row["documents"] == len(unseen)
        for k in (0, 1, 17, ADDED // 2, ADDED):
            cut = truncated(amharic.tokenizer, size + k)
            assert row["tokens"][k] == len(cut.encode_batch(unseen).ids), k
    assert amharic.finding["languages"][0]["tokens"][0] > (
        2 * amharic.finding["languages"][0]["tokens"][-1]
    )


def test_the_stock_library_encodes_alike(amharic: Extension) -> None:
    texts = [*lines_of("amh_Ethi"), *lines_of("eng_Latn"), *HARD]
    assert plainly(amharic.tokenizer, texts) == amharic.tokenizer.encode_batch(texts).ids.tolist()


def test_rows_of_the_embedding_are_the_old_pieces(english: Path, amharic: Extension) -> None:
    table = load_tokenizer(str(english)).token_bytes
    assert [row["id"] for row in amharic.embedding] == [*range(600, 600 + ADDED)]
    for row in amharic.embedding:
        assert b"".join(table[i] for i in row["mean_of"]).hex() == row["hex"]


def test_what_is_kept_is_counted_and_can_be_kept_for_certain(english: Path) -> None:
    german, kept = text_of("deu_Latn"), text_of("eng_Latn", "fra_Latn")
    old = load_tokenizer(str(english))
    for unchanged in (False, True):
        extension = extend(old, [german], add=60, keep=[kept], unchanged=unchanged, unseen=0)
        for row in extension.finding["kept"]:
            lines = lines_of(row["language"])
            pairs = zip(
                (old.encode_batch([line]).ids.tolist() for line in lines),
                (extension.tokenizer.encode_batch([line]).ids.tolist() for line in lines),
                strict=True,
            )
            changed = sum(before != after for before, after in pairs)
            assert (row["texts"], row["changed"]) == (len(lines), changed)
            assert (row["tokens_before"] == row["tokens_after"]) == unchanged
            assert (changed == 0) == unchanged


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 2), max_size=4), st.lists(st.integers(0, 2), max_size=4))
    )
)
def test_changed_texts_are_those_with_other_ids(pairs: list[tuple[list[int], list[int]]]) -> None:
    old, new = (
        (encoding_of(side) for side in zip(*pairs, strict=True)) if pairs else [encoding_of([])] * 2
    )
    expected = [i for i, (before, after) in enumerate(pairs) if before != after]
    assert changed_texts(old, new).tolist() == expected


ABC = [(b"a", b"b"), (b"b", b"c"), (b"a", b"bc"), (b"x", b"y")]


def test_ids_that_no_text_leads_to_are_given_away() -> None:
    old = byte_level(ABC)  # "abc" becomes "ab" and "c", so the token "abc" comes out of no text
    dead = id_of(old, b"abc")
    text = corpus_of(["abc abc zz zz"])
    extension = extend(old, [text], add=2, keep=[text], reuse="unreachable", unseen=0)
    assert extension.finding["reused"] == [dead]
    assert extension.tokenizer.vocabulary_size == old.vocabulary_size + 1
    assert [row["reused"] for row in extension.embedding] == [True, False]
    assert extension.tokenizer.encode_batch(["abc xy"]).ids[-1] == id_of(old, b"xy")
    assert (
        b"".join(
            extension.tokenizer.token_bytes[i]
            for i in extension.tokenizer.encode_batch(["abc abc zz"]).ids.tolist()
        )
        == b"abc abc zz"
    )


def test_ids_that_the_text_does_not_use_are_given_away_but_no_parts_of_others() -> None:
    old = byte_level([(b"p", b"q"), (b"pq", b"r"), (b"x", b"y"), (b"xy", b"z")])
    text = corpus_of(["xyz " * 3 + "kk " * 3])
    extension = extend(old, [text], add=1, reuse="unused", unseen=0)
    # "pqr" and then "pq" may go; "xy" is not used by itself, but "xyz" is made of it.
    assert extension.finding["reused"] == [id_of(old, b"pqr")]
    assert extension.tokenizer.encode_batch(["pq"]).ids.tolist() == [id_of(old, b"pq")]
    assert extension.tokenizer.encode_batch(["xyz"]).ids.tolist() == [id_of(old, b"xyz")]
    again = extend(old, [text], add=2, reuse="unused", unseen=0)
    assert again.finding["reused"] == [id_of(old, b"pq"), id_of(old, b"pqr")]


def test_added_tokens_keep_their_ids_where_the_model_does_not_know_them(tmp_path: Path) -> None:
    content = json.loads(Path(bpe_file(tmp_path, [["a", "b"]])).read_text())
    added: dict[str, Any] = {
        "single_word": False, "lstrip": False, "rstrip": False, "normalized": False
    }  # fmt: skip
    content["added_tokens"] = [{"id": 257, "content": "<|end|>", "special": True, **added}]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))
    extension = extend(str(path), [corpus_of(["cd cd"])], add=1, unseen=0)
    assert extension.tokenizer.encode_batch(["cd"]).ids.tolist() == [258]
    assert extension.tokenizer.library_tokenizer.token_to_id("<|end|>") == 257
    assert extension.tokenizer.token_bytes.kinds[257] == TokenKind.SPECIAL


def test_ranks_become_a_tokenizer_json(tiktoken_file: Path) -> None:
    old = load_tokenizer(f"tiktoken:{tiktoken_file}@tekken")
    extension = extend(old, [text_of("hin_Deva")], add=50)
    texts = [*lines_of("eng_Latn"), *lines_of("zho_Hans"), *HARD]
    kept = truncated(extension.tokenizer, old.vocabulary_size)
    assert isinstance(kept, HuggingFaceTokenizer)
    assert plainly(kept, texts) == old.encode_batch(texts).ids.tolist()
    assert plainly(extension.tokenizer, lines_of("hin_Deva")) == (
        extension.tokenizer.encode_batch(lines_of("hin_Deva")).ids.tolist()
    )


def test_ids_of_special_tokens_without_a_name_are_not_given_to_new_ones(
    tiktoken_file: Path,
) -> None:
    old = load_tokenizer(f"tiktoken:{tiktoken_file}@gpt2")
    assert isinstance(old, TiktokenTokenizer)
    unnamed = TokenBytes.from_pieces([b""] * 3, [TokenKind.SPECIAL] * 3)
    declared = replace(
        old,
        vocabulary_size=old.vocabulary_size + 3,
        token_bytes=old.token_bytes.followed_by(unnamed),
        specials=(("<|end|>", old.vocabulary_size + 1),),
    )
    extension = extend(truncated(declared, 3003), [text_of("deu_Latn")], add=1)
    assert extension.tokenizer.library_tokenizer.token_to_id("<|end|>") == 3001
    extension = extend(declared, [text_of("deu_Latn")], add=5)
    assert [row["id"] for row in extension.embedding] == [*range(5003, 5008)]
    engine = extension.tokenizer.library_tokenizer
    assert [engine.id_to_token(i) for i in range(5000, 5003)] == [
        "<|unnamed_5000|>",
        "<|end|>",
        "<|unnamed_5002|>",
    ]


@pytest.mark.slow
def test_a_real_vocabulary_keeps_its_special_tokens_and_its_english() -> None:
    extension = extend(
        "mistral:tekken",
        [text_of("amh_Ethi")],
        add=200,
        keep=[text_of("eng_Latn")],
        unchanged=True,
        unseen=0.25,
    )
    (row,) = extension.finding["languages"]
    assert row["tokens"][0] / row["tokens"][-1] > 2
    assert extension.finding["kept"][0]["changed"] == 0
    engine = extension.tokenizer.library_tokenizer
    assert [engine.token_to_id(name) for name in ("<s>", "[INST]", "<SPECIAL_999>")] == [1, 3, 999]
    texts = [*lines_of("amh_Ethi"), *lines_of("eng_Latn"), *HARD]
    assert (
        plainly(extension.tokenizer, texts) == extension.tokenizer.encode_batch(texts).ids.tolist()
    )


def test_the_command_writes_what_it_says(english: Path, tmp_path: Path) -> None:
    line = f"tokenizers extend {english} embedded:hin_Deva --add 20 --keep embedded:eng_Latn"
    finding = answer(line, "--out", tmp_path / "out")
    assert finding["kind"] == "extend" and len(finding["languages"][0]["tokens"]) == 21
    assert json.loads((tmp_path / "out/embedding.json").read_text())["rows"][0]["id"] == 600
    assert load_tokenizer(str(tmp_path / "out")).vocabulary_size == 620
    first = (tmp_path / "out/tokenizer.json").read_bytes()
    done = command(line, "--out", tmp_path / "again")
    assert done.exit_code == 0 and "hin_Deva" in done.stdout
    assert (tmp_path / "again/tokenizer.json").read_bytes() == first


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("unigram-sp", "is Unigram, which has no merges to go on from; train one"),
        ("unigram-hf", "--kind unigram"),
        ("wordpiece", "is WordPiece"),
    ],
)
def test_what_is_no_bpe_is_refused_with_what_can_be_done(
    recipe: str, words: str, trained: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=words):
        extend(str(trained[recipe]), [corpus_of(["text"])], add=1)


def test_bad_input_is_one_line(english: Path, tmp_path: Path) -> None:
    out = f"--out {tmp_path}/out"
    assert "give a BPE" in mistake(f"tokenizers extend byte embedded:eng_Latn --add 1 {out}")
    assert "SentencePiece" in mistake(
        f"tokenizers extend mistral:v1 embedded:eng_Latn --add 1 {out}"
    )
    (tmp_path / "short.txt").write_text("zqzq zqzq\n")
    few = mistake(f"tokenizers extend {english} {tmp_path}/short.txt --add 99 {out} --unseen 0")
    assert "--add 99: short.txt has only " in few and "ask for that or fewer" in few
    text = f"{tmp_path}/short.txt --add 1 {out}"
    assert "--keep" in mistake(f"tokenizers extend {english} {text} --unchanged")
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_that_lacks_the_characters_says_so(tmp_path: Path) -> None:
    vocab = {"[UNK]": 0, "a": 1, "b": 2, "ab": 3}
    model = {"type": "BPE", "vocab": vocab, "merges": [["a", "b"]], "unk_token": "[UNK]"}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": model}))
    with pytest.raises(InputError, match="lacks its characters and falls back to no bytes"):
        extend(str(tmp_path), [corpus_of(["ሁሂ ሁሂ"] * 9)], add=3)


def test_where_nothing_is_held_back_it_is_said(english: Path, tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("zqzq zqzq\n")
    ran = command(f"tokenizers extend {english} {tmp_path}/few.txt --add 1 --out {tmp_path}/out")
    assert "und: none of 1 documents is held back" in ran.stderr


def test_a_new_token_that_would_be_a_special_one_is_refused() -> None:
    old = byte_level([], extra=[b"<s>"])
    content = json.loads(old.serialized)
    content["added_tokens"] = [
        {"id": 256, "content": "<s>", "special": True, "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False}
    ]  # fmt: skip
    special = replace(old, serialized=json.dumps(content))
    with pytest.raises(InputError, match=r"'<s>' would be learned.*special token \(id 256\)"):
        extend(special, [corpus_of(["<s> <s> <s>"])], add=20, unseen=0)


def llama_like(folder: Path) -> str:
    """Write a BPE of characters that falls back to bytes and marks spaces; return its spec."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefgh."]
    merges = [["a", "b"], ["▁", "ab"]]
    pieces += ["".join(pair) for pair in merges]
    content: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        "pre_tokenizer": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {piece: i for i, piece in enumerate(pieces)},
            "merges": merges,
        },
    }
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


def test_characters_that_fall_back_to_bytes_come_first(tmp_path: Path) -> None:
    old = load_tokenizer(llama_like(tmp_path))
    lines = ["ሰላም ሰላም ab", "ሰላ é é cd", "ab ሰላም"]
    kept = corpus_of({"fra_Latn": ["é ab é"]})
    extension = extend(old, [corpus_of(lines)], add=6, keep=[kept], unchanged=True, unseen=0)
    assert extension.finding["characters"] == 3
    # By tokens saved: twice each, four, four and three times; é stands in what is kept.
    assert [bytes.fromhex(row["hex"]).decode() for row in extension.finding["tokens"]][:3] == [
        "ላ",
        "ሰ",
        "ም",
    ]
    assert extension.embedding[0]["mean_of"] == [1 + byte for byte in "ላ".encode()]
    assert extension.finding["kept"][0]["changed"] == 0
    (row,) = extension.finding["languages"]
    for k in range(7):
        part = (
            extend(old, [corpus_of(lines)], add=k, keep=[kept], unchanged=True, unseen=0)
            if k
            else None
        )
        tokenizer = part.tokenizer if part else old
        assert row["tokens"][k] == len(tokenizer.encode_batch(lines).ids), k
    texts = [*lines, "é ሰ ab", *HARD]
    assert (
        plainly(extension.tokenizer, texts) == extension.tokenizer.encode_batch(texts).ids.tolist()
    )
    assert extension.tokenizer.lossless == old.lossless
