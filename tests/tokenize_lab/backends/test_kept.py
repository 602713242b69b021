"""What loading found out is found again, and only where it is of the same file and code."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tokenize_lab.texts import HARD
from tokenize_lab.backends import huggingface, kept, mistral
from tokenize_lab.backends.huggingface import HuggingFaceTokenizer
from tokenize_lab.backends.huggingface_fast import FastPath
from tokenize_lab.backends.last_merges import LastPairs
from tokenize_lab.merges import derived
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer, load_tokenizers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOKENIZE_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(kept, "LEAST_BYTES", 1)
    return tmp_path / "vocabularies"


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("loaded again")

    monkeypatch.setattr(huggingface, "huggingface_from_text", refused)
    monkeypatch.setattr(mistral, "_tekken", refused)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "__dataclass_fields__"):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, LastPairs):
        return all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def ids(tokenizer: Tokenizer) -> list[int]:
    return list(map(int, tokenizer.encode_batch(HARD).ids))


@pytest.mark.parametrize("name", ["bpe", "bpe-unsplit", "unigram-hf", "wordpiece", "superbpe"])
def test_a_tokenizer_is_taken_from_an_earlier_time(
    name: str, trained: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = f"hf:{trained[name]}"
    first = load_tokenizer(spec)
    assert len(list(folder.iterdir())) == 1
    forbid(monkeypatch)
    again = load_tokenizer(spec)
    assert same(first, again)
    assert ids(first) == ids(again)
    named = load_tokenizer(f"mine={spec}")
    assert (named.name, named.spec, named.sha256) == ("mine", spec, first.sha256)


def test_a_proof_is_kept_with_it(trained: dict[str, Path], folder: Path) -> None:
    for _ in range(2):
        tokenizer = load_tokenizer(str(trained["bpe"]))
        assert isinstance(tokenizer, HuggingFaceTokenizer)
        assert isinstance(tokenizer.fast, FastPath)


def test_tekken_is_taken_from_an_earlier_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_tokenizer("mistral:tekken")
    forbid(monkeypatch)
    again = load_tokenizer("mistral:tekken")
    assert same(first, again)
    assert ids(first) == ids(again)


def test_ranks_are_taken_by_their_file_and_pattern(tmp_path: Path, folder: Path) -> None:
    import base64

    tokens = [bytes([byte]) for byte in range(256)] + [b"ab", b"abc", b" a"]
    path = tmp_path / "own.tiktoken"
    path.write_bytes(
        b"".join(base64.b64encode(t) + b" %d\n" % rank for rank, t in enumerate(tokens))
    )
    first = [load_tokenizer(f"tiktoken:{path}@{pattern}") for pattern in ("gpt2", "gpt4o")]
    again = [load_tokenizer(f"tiktoken:{path}@{pattern}") for pattern in ("gpt2", "gpt4o")]
    assert [same(a, b) for a, b in zip(first, again, strict=True)] == [True, True]
    assert first[0].name != first[1].name
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("harm", [b"", b"PK\x03\x04 torn", None])
def test_an_entry_that_is_torn_is_loaded_afresh(
    harm: bytes | None, trained: dict[str, Path], folder: Path
) -> None:
    spec = str(trained["bpe"])
    first = load_tokenizer(spec)
    (entry,) = folder.iterdir()
    content = entry.read_bytes()
    entry.write_bytes(content[:-1000] if harm is None else harm)
    assert same(first, load_tokenizer(spec))
    assert len(entry.read_bytes()) == len(content)


def test_an_entry_of_another_vocabulary_is_loaded_afresh(
    trained: dict[str, Path], folder: Path
) -> None:
    specs = [str(trained[name]) for name in ("bpe", "wordpiece")]
    first = load_tokenizer(specs[0])
    (entry,) = folder.iterdir()
    load_tokenizer(specs[1])
    (other,) = {*folder.iterdir()} - {entry}
    entry.write_bytes(other.read_bytes())
    assert same(first, load_tokenizer(specs[0]))


def test_other_code_and_other_libraries_find_nothing(
    trained: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_tokenizer(str(trained["bpe"]))
    monkeypatch.setattr(kept, "_sources", lambda: "other code")
    load_tokenizer(str(trained["bpe"]))
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_cannot_be_written_does_no_harm(
    trained: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENIZE_LAB_CACHE", "/dev/null")
    assert same(load_tokenizer(str(trained["bpe"])), load_tokenizer(str(trained["bpe"])))


def test_the_oldest_go(
    trained: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_MOST_ENTRIES", 1)
    load_tokenizer(str(trained["bpe"]))
    (old,) = folder.iterdir()
    load_tokenizer(str(trained["wordpiece"]))
    (new,) = folder.iterdir()
    assert new != old


def test_the_base_of_cuts_is_loaded_once(
    trained: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, whole = str(trained["bpe"]), huggingface._read
    read: list[Path] = []

    def noted(path: Path) -> str:
        read.append(path)
        return whole(path)

    monkeypatch.setattr(huggingface, "_read", noted)
    specs = [f"truncated:{size}:{base}" for size in (600, 800, 1000)]
    first = load_tokenizers(specs)
    assert len(read) == 1
    monkeypatch.setattr(derived, "merges_of", None)
    again = load_tokenizers(specs)
    assert [same(a, b) for a, b in zip(first, again, strict=True)] == [True] * 3
    assert [t.vocabulary_size for t in again] == [600, 800, 1000]
