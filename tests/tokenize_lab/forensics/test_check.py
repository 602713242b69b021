"""A library beside what is counted: alike on real tokenizers, told apart where one is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from corpora.corpus import corpus_of
from corpora.errors import InputError
from tests.cli import command, mistake
from tests.tokenize_lab.forensics.made import byte_level, id_of
from tests.tokenize_lab.texts import HARD
from tokenize_lab.backends.huggingface import huggingface_from_text
from tokenize_lab.backends.simple import character_to_byte
from tokenize_lab.forensics.check import check
from tokenize_lab.measurement import measure
from tokenize_lab.tokenizer import TokenBytes
from tokenize_lab.tokenizer_spec import load_tokenizer

TEXT = corpus_of([*HARD, "the house", "  two  ", "नमस्ते दुनिया", "1234"])


@pytest.mark.parametrize(
    "spec", ["mistral:v1", "mistral:v3", "truncated:3000:mistral:tekken", "{bpe}", "{unigram-sp}"]
)
def test_real_libraries_agree(spec: str, trained: dict[str, Path]) -> None:
    found = check(load_tokenizer(spec.format(**trained)), [TEXT])
    assert found["documents"] == found["same_ids"] == len(HARD) + 4
    assert found["exact"] == found["library_exact"]
    assert not found["differing"] and not found["differences"]


def test_a_wrong_byte_and_a_wrong_id_are_found() -> None:
    good = byte_level([(b"t", b"h"), (b"th", b"e")])
    table = good.token_bytes
    pieces = [table[i] for i in range(len(table))]
    pieces[id_of(good, b"the")] = b"The"
    wrong = replace(good, token_bytes=TokenBytes.from_pieces(pieces, table.kinds), fast="planted")
    found = check(wrong, [corpus_of(["a thing", "in the house"])])
    assert (found["differing"], found["exact"], found["library_exact"]) == (1, 1, 2)
    (difference,) = found["differences"]
    assert (difference["document"], difference["what"], difference["place"]) == ("2", "text", 3)
    assert (difference["ours"], difference["library"]) == ("in The house", "in the house")

    class Swapped(type(good)):  # type: ignore[misc]  # of the same class, but for one id
        def encode_batch(self, texts: list[str]) -> object:
            ids, lengths = super().encode_batch(texts)
            swapped = np.where(ids == id_of(good, b"h"), id_of(good, b"i"), ids)
            return type(super().encode_batch([]))(swapped.astype(np.uint32), lengths)

    swapped = Swapped(**{name: getattr(good, name) for name in good.__dataclass_fields__})
    found = check(swapped, [corpus_of(["a bin", "a hub"])])
    (difference,) = found["differences"]
    assert (difference["what"], difference["place"]) == ("ids", 2)
    assert [token["text"] for token in difference["ours"]] == ["a", " ", "i", "u", "b"]
    assert [token["text"] for token in difference["library"]] == ["a", " ", "h", "u", "b"]


def test_text_that_both_lose_is_no_difference(trained: dict[str, Path]) -> None:
    found = check(load_tokenizer(str(trained["wordpiece"])), [corpus_of(["\u16a0\u16a1"])], most=1)
    assert found["exact"] == found["library_exact"] == found["differing"] == 0
    assert [entry["ours"] for entry in found["changed"]] == [""]


def letters(*, normal: Any = None, prefix_space: bool = False, strip: bool = False) -> Tokenizer:
    """Return a byte-level tokenizer of 256 letters and no merges."""
    made = Tokenizer(models.BPE({c: i for i, c in enumerate(character_to_byte())}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    made.decoder = decoders.ByteLevel()
    if normal is not None:
        made.normalizer = normal
    if strip:
        made.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    return made


def with_marks(*, prepend: bool, strip: bool) -> Tokenizer:
    """Return a tokenizer of Llama's make: spaces as marks, fallback bytes, a decoder in steps."""
    pieces = {"<unk>": 0, "▁": 1, "a": 2} | {f"<0x{byte:02X}>": byte + 3 for byte in range(256)}
    made = Tokenizer(models.BPE(pieces, [], unk_token="<unk>", byte_fallback=True))
    before = [normalizers.Prepend("▁")] if prepend else []
    made.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence([*steps, *([decoders.Strip(" ", 1, 0)] if strip else [])])
    return made


def with_unknown() -> Tokenizer:
    """Return a Unigram of two letters; `<unk>` is a piece, and what its decoder writes for lost
    text."""
    pieces = [("<unk>", 0.0), ("▁", -1.0), ("a", -2.0), ("b", -2.0), ("▁a", -2.5)]
    made = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return made


@pytest.mark.parametrize(
    ("made", "exact", "said"),
    [
        (letters(), 13, ""),
        (letters(prefix_space=True), 5, "only if there is none"),
        (letters(normal=normalizers.Prepend("▁")), 1, "its decoder leaves the '▁'"),
        (letters(strip=True), 9, "its decoder takes ' ' off"),
        (with_marks(prepend=True, strip=True), 11, ""),
        (with_marks(prepend=False, strip=True), 7, "its decoder takes ' ' off"),
        (with_marks(prepend=True, strip=False), 1, "its decoder leaves the ' '"),
        (with_unknown(), 5, "only if there is none"),
    ],
    ids=["plain", "prefix space", "mark", "strip", "llama", "internlm2", "left", "unknown"],
)
def test_what_a_decoder_does_to_the_front_of_a_text(made: Any, exact: int, said: str) -> None:
    """It may leave what was put before, take off what was not, and write lost text as a word."""
    loaded = huggingface_from_text(made.to_str(), "made", "made", "made")
    spaces, others = ["", " ", " ab", "  ab", " <unk>"], ["▁", "▁a", "<unk>", "a<unk>b", "\ta"]
    texts = [*spaces, *others, "ab", "a b", "é"]
    found = check(loaded, [corpus_of(texts)])
    assert not found["differing"], found["differences"]
    assert found["exact"] == found["library_exact"] == exact
    assert said in loaded.lossy_reason + loaded.remark
    row = next(iter(measure([corpus_of(texts)], [loaded], replicates=0).rows()))
    assert row["exact_documents"] == exact


def test_what_has_no_library_is_refused() -> None:
    with pytest.raises(InputError, match="no library to check it against"):
        check("byte", [TEXT])


def test_the_command_says_so_by_its_exit_code(trained: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "a [bold].txt").write_text("the house\n", "utf-8")
    done = command(f"tokenizers check {trained['bpe']}", tmp_path / "a [bold].txt")
    assert done.exit_code == 0 and "documents that differ             │ 0" in done.stdout
    done = command(f"tokenizers check {trained['wordpiece']} --json", tmp_path / "a [bold].txt")
    found = json.loads(done.stdout)
    assert done.exit_code == int(found["differing"] > 0)
    assert "no library" in mistake("tokenizers check byte embedded:eng_Latn")
