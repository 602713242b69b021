"""Certificates of bytes: the ways in which scoreboards counted them wrong, rebuilt."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora.corpus import corpus_of
from corpora.errors import InputError
from tests.cli import answer, command, mistake
from tests.tokenize_lab.adapt.test_extend import lines_of
from tests.tokenize_lab.forensics.made import byte_level
from tests.tokenize_lab.merges.test_truncate import bpe_file
from tests.tokenize_lab.texts import HARD, embedded_lines
from tokenize_lab.backends.sentencepiece import SentencePieceTokenizer, sentencepiece_from_bytes
from tokenize_lab.forensics.byte_certificate import DECODED, certificate
from tokenize_lab.forensics.byte_table import ByteCounts, read_byte_table, write_byte_table
from tokenize_lab.tokenizer import Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer

LINES = [line for line in embedded_lines() if line][::25]
ENGLISH = lines_of("eng_Latn")
SIZE = sum(len(line.encode()) for line in LINES)


def way(finding: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in finding["ways"] if each["name"] == name)
    return dict(found)


def table_of(tokenizer: Tokenizer, name: str = "theirs", **flags: Any) -> ByteCounts:
    size = tokenizer.vocabulary_size
    nothing = np.zeros(size, np.bool_)
    count = tokenizer.token_bytes.lengths.astype(np.int64)
    return ByteCounts(
        name,
        flags.get("count", count),
        flags.get("leading_space", nothing),
        flags.get("boundary", nothing),
    )


def begins_with_space(tokenizer: Tokenizer) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    table = tokenizer.token_bytes
    return np.array([table[i].startswith(b" ") for i in range(len(table))])


@pytest.mark.parametrize("spec", ["mistral:v1", "mistral:v3", "mistral:tekken", "byte"])
def test_the_audited_bytes_are_those_of_the_text(spec: str) -> None:
    finding = certificate(spec, [corpus_of([*LINES, *HARD])])
    audited = way(finding, "audited")
    assert finding["text"]["bytes"] == SIZE + sum(len(text.encode()) for text in HARD)
    assert (audited["bytes"], audited["off"], audited["classes"]) == (
        finding["text"]["bytes"],
        0,
        {},
    )


def test_a_replacement_character_is_counted_as_three_bytes() -> None:
    """Each byte of a two-byte character decodes to U+FFFD by itself: six bytes for two."""
    tokenizer = byte_level([])
    text = ["éé e"]
    found = way(certificate(tokenizer, [corpus_of(text)]), DECODED)
    assert (found["bytes"], found["off"]) == (4 * 3 + 2, 14 - 6)
    assert found["classes"] == {"replacement_character": 8}
    assert found["tokens"][0]["counted"] == 3 and found["tokens"][0]["bytes"] == 1


def test_the_published_record_and_its_correction() -> None:
    """openai/parameter-golf, #1289: 157,319,833 bytes counted for 151,073,604, since 27 fallback
    bytes counted three each; 1.0819 bits per byte were 1.1266. Here in thousands of bytes."""
    tokenizer = byte_level([])
    text = ["é" * 1561 + "e" + "x" * (151_073 - 2 * 1561 - 1)]
    theirs = way(certificate(tokenizer, [corpus_of(text)]), DECODED)["bytes"]
    assert theirs == 157_317
    nats = 1.0819 * math.log(2) * theirs
    finding = certificate(tokenizer, [corpus_of(text)], nats=nats, total=True)
    assert way(finding, DECODED)["bits_per_byte"] == pytest.approx(1.0819, abs=1e-12)
    assert round(finding["bits_per_byte"], 4) == 1.1266


def without_mark() -> SentencePieceTokenizer:
    """Return a SentencePiece model with fallback bytes and no token for the mark of a space."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(ENGLISH),
        model_writer=model,
        model_type="unigram",
        vocab_size=400,
        hard_vocab_limit=False,
        character_coverage=0.995,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        num_threads=1,
        minloglevel=2,
    )
    content = sentencepiece_model_pb2.ModelProto()
    content.ParseFromString(model.getvalue())
    kept = [piece for piece in content.pieces if piece.piece != "▁"]
    del content.pieces[:]
    content.pieces.extend(kept)
    return sentencepiece_from_bytes(content.SerializeToString(), "sp:made", "made", "made")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_mark_of_a_space_in_fallback_bytes_is_three_for_one() -> None:
    """openai/parameter-golf, issue 897: without a token for U+2581 a space takes three ids."""
    tokenizer = without_mark()
    text = ["a  9 8 7"]
    audited = way(certificate(tokenizer, [corpus_of(text)]), "audited")
    table = tokenizer.token_bytes
    ids = tokenizer.encode_batch(text).ids.tolist()
    marks = b"".join(table[i] for i in ids if table.byte_fallback[i]).count("▁".encode())
    assert marks
    assert audited["off"] == 2 * marks == audited["classes"]["byte_fallback_mark"]


def test_a_fallback_byte_counted_by_its_name() -> None:
    tokenizer = load_tokenizer("mistral:v1")
    table = tokenizer.token_bytes
    count = np.where(table.byte_fallback, len("<0x00>"), table.lengths).astype(np.int64)
    finding = certificate(tokenizer, [corpus_of(["ሰላም"])], theirs=table_of(tokenizer, count=count))
    theirs = way(finding, "theirs")
    fallen = int(table.byte_fallback[tokenizer.encode_batch(["ሰላም"]).ids].sum())
    assert fallen and theirs["classes"] == {"byte_fallback_mark": fallen * 5, "prefix": 1}


def test_a_space_is_counted_twice() -> None:
    """openai/parameter-golf, #1632: the space is in base_bytes, and added again before a word."""
    tokenizer = load_tokenizer("mistral:v1")
    spaced = begins_with_space(tokenizer)
    text = corpus_of(["one two three", "four five"])
    wrong = table_of(tokenizer, leading_space=spaced)
    theirs = way(certificate(tokenizer, [text], theirs=wrong), "theirs")
    # Of five words the first of each text is after a boundary: its own space is the prefix.
    assert theirs["classes"]["space_twice"] == theirs["off"] == 3 + 2
    right = table_of(tokenizer, count=wrong.count - spaced, leading_space=spaced, name="right")
    assert way(certificate(tokenizer, [text], theirs=right), "right")["off"] == 0


def test_special_tokens_count_as_text() -> None:
    tokenizer = load_tokenizer("mistral:v1")
    count = tokenizer.token_bytes.lengths.astype(np.int64)
    count[1], count[2] = len("<s>"), len("</s>")
    finding = certificate(tokenizer, [], theirs=table_of(tokenizer, count=count))
    assert way(finding, "theirs")["ids"] == {"special_as_text": 2}
    assert finding["text"] is None


def test_normalisation_is_told_from_counting(tmp_path: Path) -> None:
    content = json.loads(Path(bpe_file(tmp_path, [])).read_text())
    content["normalizer"] = {"type": "NFKC"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = load_tokenizer(str(tmp_path))
    finding = certificate(tokenizer, [corpus_of(["½ plain", "plain"])])
    audited = way(finding, "audited")
    assert audited["classes"] == {"normalisation": len("1⁄2".encode()) - len("½".encode())}
    assert finding["text"]["documents_not_given_back"] == 1


def test_a_prefix_counted_as_text_and_a_space_left_out() -> None:
    tokenizer = load_tokenizer("mistral:v1")
    text = corpus_of(["one two", "three"])
    plain = way(certificate(tokenizer, [text], theirs=table_of(tokenizer)), "theirs")
    assert plain["classes"] == {"prefix": 2}
    bare = table_of(tokenizer, count=table_of(tokenizer).count - begins_with_space(tokenizer))
    left_out = way(certificate(tokenizer, [text], theirs=bare), "theirs")
    assert left_out["classes"] == {"space_left_out": -1}


@pytest.mark.parametrize("spec", ["mistral:v1", "mistral:tekken"])
def test_the_file_holds_the_bytes_and_counts_right_by_either_rule(
    spec: str, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(spec)
    first = write_byte_table(tokenizer, tmp_path / "a.npz").read_bytes()
    assert write_byte_table(tokenizer, tmp_path / "b.npz").read_bytes() == first
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    data, offsets = found["bytes"].tobytes(), found["offsets"]
    for i in (0, 1, 300, len(tokenizer.token_bytes) - 1):
        assert data[offsets[i] : offsets[i + 1]] == tokenizer.token_bytes[i]
    assert (found["count"] == np.diff(offsets)).all()
    assert bytes(found["prefix"]) == tokenizer.prefix
    assert not found["count"][found["special"]].any()
    np.savez(
        tmp_path / "triple.npz",
        **{name: found[name] for name in ("base_bytes", "has_leading_space", "is_boundary_token")},
    )
    text = corpus_of([line for line in LINES if not line.startswith(" ")])
    for name in ("a.npz", "triple.npz"):
        theirs = read_byte_table(tmp_path / name, tokenizer.vocabulary_size)
        off = way(certificate(tokenizer, [text], theirs=theirs), name)["off"]
        assert off == (len(text.documents) if name == "a.npz" and tokenizer.prefix else 0)


def test_the_command_says_what_it_finds(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("ሰላም ለዓለም\nhello there\n", "utf-8")
    line = f"tokenizers bytes mistral:v1 --corpus {tmp_path}/val.txt --nats 2"
    finding = answer(line, "--out", tmp_path / "t.npz")
    nats = 2 * finding["text"]["tokens"]
    assert finding["nats"] == nats
    assert finding["bits_per_byte"] == pytest.approx(nats / math.log(2) / finding["text"]["bytes"])
    assert answer(line, "--total")["nats"] == 2
    done = command(line, "--check", tmp_path / "t.npz")
    assert done.exit_code == 0
    assert "U+FFFD counted for part of a character" in done.stdout and "t.npz" in done.stdout


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    line = "tokenizers bytes mistral:v1"
    assert "nothing to be done" in mistake(line)
    assert "--nats" in mistake(f"{line} --out {tmp_path}/t.npz --nats 2")
    assert "--nats" in mistake(f"{line} --corpus embedded:eng_Latn --nats -2")
    for name, arrays in {
        "short": {"count": np.ones(5)},
        "torn": {"count": np.full(32_000, 0.5)},
        "negative": {"base_bytes": np.full(32_000, -1)},
        "unknown": {"one": np.ones(5), "two": np.ones(5)},
        "complex": {"count": np.ones(32_000, np.complex64)},
        "flag": {"base_bytes": np.ones(32_000), "has_leading_space": np.array(True)},
        "words": {"base_bytes": np.ones(32_000), "has_leading_space": np.array(["x"] * 32_000)},
    }.items():
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, **arrays)
        assert f"{name}.npz" in mistake(f"{line} --check {tmp_path}/{name}.npz")
    np.savez_compressed(tmp_path / "bomb.npz", count=np.zeros(1 << 28, np.uint8))
    assert "bomb.npz: unpacks to 268," in mistake(f"{line} --check {tmp_path}/bomb.npz")
    (tmp_path / "text.npz").write_text("no archive")
    assert "not" in mistake(f"{line} --check {tmp_path}/text.npz")
    np.savez(tmp_path / "pickled.npz", count=np.array([{}], dtype=object))
    assert "pickled.npz" in mistake(f"{line} --check {tmp_path}/pickled.npz")
    assert "missing.npz" in mistake(f"{line} --check {tmp_path}/missing.npz")
    with pytest.raises(InputError, match="give the table of this tokenizer"):
        read_byte_table(tmp_path / "short.npz", 32_000)
    merged_anew = mistake("tokenizers bytes dynamic:2x3:byte --corpus embedded:eng_Latn")
    assert "has no table of bytes" in merged_anew
