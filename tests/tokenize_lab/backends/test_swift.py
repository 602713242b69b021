"""The engine for much text: the usual one's ids, or not used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.cli import answer
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING, embedded_lines
from tokenize_lab.backends.characters import read_alike
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_fast import FastPath
from tokenize_lab.backends.swift import release_engines
from tokenize_lab.backends.tiktoken import TiktokenTokenizer
from tokenize_lab.patterns import PATTERNS, rule_of
from tokenize_lab.tokenizer import Encoding, TokenBytes
from tokenize_lab.tokenizer_spec import load_tokenizer

pytest.importorskip("fastokens", reason="the extra `fast` is not installed")

# Letters and marks newer than Unicode 3.2, of four bytes, unassigned, and what is folded to ASCII.
ODD = ["မြန်မာစာ", "𞤀𞤣 𐌰 👍🏽", "x\u0378y", "don'T K's ſ's İstanbul ı", "ʕ ʔ"]


@pytest.fixture(autouse=True)
def none_built() -> None:
    release_engines()


def _warm(tokenizer: TiktokenTokenizer) -> TiktokenTokenizer:
    """Return the tokenizer as it is after much text."""
    found = replace(tokenizer)
    assert found.swift is not None
    found.swift._left = 0
    return found


def _same(ours: Encoding, theirs: Encoding) -> bool:
    return np.array_equal(ours.ids, theirs.ids) and np.array_equal(ours.lengths, theirs.lengths)


def _of_ranks(folder: Path) -> TiktokenTokenizer:
    tokenizer = load_tokenizer(str(folder))
    assert isinstance(tokenizer, HuggingFaceTokenizer) and isinstance(tokenizer.fast, FastPath)
    return tokenizer.fast.tiktoken


RULED = [pattern for pattern in PATTERNS.values() if rule_of(pattern)]


@pytest.mark.parametrize("pattern", RULED)
def test_ids_are_those_of_the_usual_engine(pattern: str, trained: dict[str, Path]) -> None:
    usual = replace(_of_ranks(trained["bpe"]), pattern=pattern)
    warm = _warm(usual)
    texts = [*HARD, *ODD, *SPECIAL_LOOKING, *embedded_lines(), "漢" * 3000, " " * 5000 + "a"]
    assert _same(usual.encode_batch(texts), warm.encode_batch(texts))
    assert warm.swift is not None and warm.swift._native is not None and not warm.swift.obstacle


def test_ranks_that_begin_beyond_special_tokens(tiktoken_file: Path) -> None:
    ranks = load_tokenizer(f"tiktoken:{tiktoken_file}@tekken")
    assert isinstance(ranks, TiktokenTokenizer)
    moved = replace(ranks, first_id=100, token_bytes=_moved(ranks, 100), vocabulary_size=5100)
    texts = [*HARD, *embedded_lines()]
    ours, theirs = ranks.encode_batch(texts), _warm(moved).encode_batch(texts)
    assert _same(ours, theirs._replace(ids=theirs.ids - np.uint32(100)))


def _moved(tokenizer: TiktokenTokenizer, by: int) -> TokenBytes:
    table = tokenizer.token_bytes
    specials = type(table).from_pieces([b""] * by, [3] * by)
    return specials.followed_by(table)


def test_it_begins_after_much_text(trained: dict[str, Path]) -> None:
    tokenizer = replace(_of_ranks(trained["bpe"]))
    swift = tokenizer.swift
    assert swift is not None and swift.enough == 200 * len(tokenizer.token_bytes)
    built = []
    for text in ("a b " * (swift.enough // 4 - 1), "a b c d", "a b c d"):
        tokenizer.encode_batch([text])
        built.append(swift._native is not None)
    assert built == [False, False, True]


def test_engines_of_the_same_are_one_and_others_are_few(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _warm(_of_ranks(trained["bpe"]))
    again = _warm(first)
    other = _warm(replace(first, pattern=PATTERNS["gpt2"]))
    for one in (first, again):
        one.encode_batch(["a b c d"])
    assert first.swift is not None and again.swift is not None and other.swift is not None
    assert again.swift._native is first.swift._native is not None
    monkeypatch.setattr("tokenize_lab.backends.swift.MOST_TOKENS", len(first.token_bytes))
    texts = [*embedded_lines()]
    assert _same(other.encode_batch(texts), first.encode_batch(texts)) is False
    assert other.swift._native is None
    release_engines()
    other = _warm(other)
    other.encode_batch(texts)
    assert other.swift is not None and other.swift._native is not None


def test_an_engine_that_gives_other_ids_is_not_used(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokenize_lab.backends import swift

    other = replace(_of_ranks(trained["bpe"]), pattern=PATTERNS["gpt2"])
    built = swift._built
    monkeypatch.setattr(swift, "_built", lambda table, _: built(table, PATTERNS["whitespace"]))
    monkeypatch.setattr(swift, "kept", lambda *arguments, least: arguments[-1]())
    warm = _warm(other)
    texts = ["isn't 3.14!", *embedded_lines()][:300]
    assert _same(other.encode_batch(texts), warm.encode_batch(texts))
    assert warm.swift is not None and "other ids" in warm.swift.obstacle
    monkeypatch.setattr(swift, "_built", lambda table, pattern: None)
    failing = _warm(other)
    assert _same(other.encode_batch(texts), failing.encode_batch(texts))
    assert failing.swift is not None and "it fails" in failing.swift.obstacle


def test_a_disk_at_fault_is_not_kept_as_a_fault_of_the_engine(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOKENIZE_LAB_CACHE", str(tmp_path / "cache"))
    usual = replace(_of_ranks(trained["bpe"]), pattern=PATTERNS["gpt2"])
    no_folder = tmp_path / "file"
    no_folder.touch()
    with monkeypatch.context() as disk:
        disk.setattr("tempfile.tempdir", str(no_folder))
        warm = _warm(usual)
        assert _same(usual.encode_batch(["a b c d"]), warm.encode_batch(["a b c d"]))
        assert warm.swift is not None and "cannot be written" in warm.swift.obstacle
    assert warm.swift.obstacle == ""


def test_explain_says_from_when_on(trained: dict[str, Path]) -> None:
    ours, v3 = answer(f"measure embedded -t {trained['bpe']} -t mistral:v3 --explain")
    assert "fastokens " in ours["encoder"] and ours["encoder"].startswith("tiktoken ")
    assert "from 400,000 characters on" in ours["encoder_reason"]
    assert "fastokens" not in v3["encoder"]


def test_characters_are_asked_about_one_by_one() -> None:
    assert read_alike("plain") and read_alike("Ångström 漢字") and read_alike("😀 မြန်မာစာ 👍🏽")
    for odd in ("'ſ", "\u0295"):
        assert not read_alike(odd) and not read_alike(f"😀 {odd}")
    assert read_alike("ſ 'aſ")  # a letter as others, but in a contraction
