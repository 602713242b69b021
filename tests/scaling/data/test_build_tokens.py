"""Shards of tokens decode to the text they were made from, and say how many bytes they hold."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.errors import InputError
from corpora.open import open_corpus
from scaling.data.build_text import build_text
from scaling.data.build_units import build_tokens
from scaling.data.shards import Shards, Stream, open_shards
from scaling.data.windows import evaluation_windows
from tests.scaling.data.texts import corpus_of, documents_of, is_utf8, sentences
from tokenize_lab.backends.simple import ByteTokenizer
from tokenize_lab.tokenizer import Encoding, Tokenizer
from tokenize_lab.tokenizer_spec import load_tokenizer
from tokenize_lab.training.settings import TrainSettings
from tokenize_lab.training.train import train_tokenizer


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BPE of 600 ids, trained on the embedded text."""
    out = tmp_path_factory.mktemp("bpe")
    train_tokenizer(open_corpus("embedded"), TrainSettings("bpe", 600), out)
    return str(out)


def decoded(stream: Stream, tokenizer: Tokenizer) -> list[bytes]:
    table = tokenizer.token_bytes
    return [
        b"".join(table[i] for i in stream.document(number).tolist())[stream.prefix_bytes :]
        for number in range(stream.document_count)
    ]


def assert_same_text(text: Shards, tokens: Shards, tokenizer: Tokenizer) -> None:
    languages = text.manifest.languages
    assert tokens.manifest.languages == languages
    for side, encoded in ((text.train, tokens.train), (text.held_out, tokens.held_out)):
        assert decoded(encoded, tokenizer) == [raw for raw, _ in documents_of(side, languages)]
        assert np.array_equal(encoded.byte_documents, side.byte_documents)
        assert np.array_equal(encoded.languages, side.languages)
        assert encoded.bos == tokenizer.vocabulary_size > max(encoded.units.max(), 0)
        if encoded.unit_count:
            batches = [e.batch for e in evaluation_windows(encoded, 37, 8)]
            assert sum(batch.scored_bytes for batch in batches) == encoded.byte_count
    for split, stream in (("train", tokens.train), ("held_out", tokens.held_out)):
        counts = tokens.manifest.splits[split]  # type: ignore[index]
        assert counts.compression_rate == stream.byte_count / stream.unit_count


@pytest.mark.parametrize("spec", ["mistral:v3", "mistral:tekken", "byte", "character", "bpe"])
def test_tokens_decode_to_the_text(tmp_path: Path, spec: str, bpe: str) -> None:
    tokenizer = load_tokenizer(bpe if spec == "bpe" else spec)
    text = build_text([open_corpus("embedded")], tmp_path, held_out_bytes=30_000)
    tokens = build_tokens(text, tokenizer, tmp_path, part_bytes=20_000)
    assert_same_text(open_shards(text), open_shards(tokens, verify=True), tokenizer)
    assert not list(tmp_path.glob(".*"))
    if spec == "byte":
        assert open_shards(tokens).manifest.splits["train"].compression_rate == 1


def test_tokens_of_the_parallel_text_decode_to_it(tmp_path: Path, shared: Path) -> None:
    corpora = [
        open_corpus(str(shared / "data" / "parallel" / f"{language}.txt"))
        for language in ("eng_Latn", "hin_Deva", "jpn_Jpan", "amh_Ethi")
    ]
    text = build_text(corpora, tmp_path, held_out_bytes=100_000)
    for spec in ("mistral:v3", "character"):
        tokenizer = load_tokenizer(spec)
        tokens = build_tokens(text, tokenizer, tmp_path)
        assert_same_text(open_shards(text), open_shards(tokens), tokenizer)


# Not U+2581, which SentencePiece takes for a space.
TEXT = st.text(max_size=20).filter(lambda text: is_utf8(text) and "\u2581" not in text)


@settings(max_examples=20)
@given(st.lists(TEXT, min_size=1, max_size=12).filter(any))
def test_any_text_comes_back_from_a_tokenizer_with_a_prefix(texts: list[str]) -> None:
    tokenizer = load_tokenizer("mistral:v3")
    with tempfile.TemporaryDirectory() as name:
        text = build_text([corpus_of(texts)], Path(name), held_out_bytes=0)
        tokens = open_shards(build_tokens(text, tokenizer, Path(name), part_bytes=64))
        assert decoded(tokens.held_out, tokenizer) == [t.encode() for t in texts if t]
        assert tokens.held_out.prefix_bytes == 1


def test_parts_do_not_change_the_shards(tmp_path: Path) -> None:
    text = build_text([corpus_of(sentences(120))], tmp_path, held_out_bytes=3000)
    tokenizer = load_tokenizer("mistral:v3")
    seen: list[int] = []
    built = [
        build_tokens(text, tokenizer, tmp_path / str(size), advance=seen.append, part_bytes=size)
        for size in (50, 1000, 1 << 20)
    ]
    assert sum(seen) == 3 * sum(c.bytes for c in open_shards(text).manifest.splits.values())
    files = sorted(path.relative_to(built[0]) for path in built[0].rglob("*") if path.is_file())
    assert len(files) == 10
    for other in built[1:]:
        assert other.name == built[0].name
        for file in files:
            assert (other / file).read_bytes() == (built[0] / file).read_bytes()


def test_tokens_are_built_once_and_apart_by_tokenizer(tmp_path: Path) -> None:
    class Refuses(ByteTokenizer):
        def encode_batch(self, texts: Sequence[str]) -> Encoding:
            raise AssertionError("encoded again")

    text = build_text([corpus_of(sentences(20))], tmp_path, held_out_bytes=300)
    first = build_tokens(text, ByteTokenizer(), tmp_path)
    assert build_tokens(text, Refuses(), tmp_path) == first
    with pytest.raises(AssertionError, match="encoded again"):
        build_tokens(text, Refuses(engine="another version"), tmp_path)
    other = build_tokens(text, load_tokenizer("character"), tmp_path)
    longer = build_text([corpus_of(sentences(21))], tmp_path, held_out_bytes=300)
    assert len({first, other, build_tokens(longer, ByteTokenizer(), tmp_path)}) == 3


def test_a_tokenizer_that_loses_text_is_refused(tmp_path: Path) -> None:
    text = build_text([corpus_of(["two  words", "a"])], tmp_path, held_out_bytes=1)
    train_tokenizer(open_corpus("embedded"), TrainSettings("wordpiece", 3000), tmp_path / "wp")
    lossy = load_tokenizer(str(tmp_path / "wp"))
    with pytest.raises(InputError, match=r"loses text \(.*whitespace.*use a lossless tokenizer"):
        build_tokens(text, lossy, tmp_path)
    # One that claims to be lossless and is not is found out by its bytes.
    liar = dataclasses.replace(lossy, lossless=True)  # type: ignore[type-var]
    with pytest.raises(InputError, match="does not give back document 0 of train"):
        build_tokens(text, liar, tmp_path)


def test_tokens_are_made_from_text_only(tmp_path: Path) -> None:
    text = build_text([corpus_of(sentences(20))], tmp_path, held_out_bytes=300)
    tokens = build_tokens(text, ByteTokenizer(), tmp_path)
    with pytest.raises(InputError, match=f"shards of tokens; name the shards of text .{text.name}"):
        build_tokens(tokens, load_tokenizer("character"), tmp_path)
    with (text / "train" / "bytes.u8").open("r+b") as file:
        file.write(b"X")
    with pytest.raises(InputError, match=r"train/bytes\.u8: its content has changed"):
        build_tokens(text, load_tokenizer("character"), tmp_path)


def test_text_that_looks_special_is_text(tmp_path: Path) -> None:
    texts = ["<s>a</s>", "<|endoftext|>", "[INST] x [/INST]", " lead", "\x00", "<0x41>"]
    text = build_text([corpus_of(texts)], tmp_path, held_out_bytes=0)
    for spec in ("mistral:v3", "mistral:tekken"):
        tokenizer = load_tokenizer(spec)
        tokens = open_shards(build_tokens(text, tokenizer, tmp_path))
        assert decoded(tokens.held_out, tokenizer) == [t.encode() for t in texts]


def test_a_document_that_does_not_come_back_is_named(tmp_path: Path) -> None:
    text = build_text([corpus_of(["as it is", "a \u2581mark"])], tmp_path, held_out_bytes=0)
    message = (
        r"v3: does not give back document 1 of held_out \('a \u2581mark'\); leave that document"
    )
    with pytest.raises(InputError, match=message):
        build_tokens(text, load_tokenizer("mistral:v3"), tmp_path)
    build_tokens(text, load_tokenizer("mistral:tekken"), tmp_path)
