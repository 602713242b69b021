"""Files of every form are known by what is in them, and what is none is told what it looks like."""

import base64
import gzip
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from corpora.errors import InputError
from tests.tokenize_lab.texts import HARD, SPECIAL_LOOKING, assert_lossless, embedded_lines
from tokenize_lab.backends.running_text import Decoding, bytes_proof
from tokenize_lab.backends.rwkv import load_rwkv
from tokenize_lab.backends.simple import byte_to_character
from tokenize_lab.tokenizer import Tokenizer, TokenKind, describe
from tokenize_lab.tokenizer_spec import TokenizerSpec, load_tokenizer

TEXTS = [*HARD, *SPECIAL_LOOKING, *list(embedded_lines())[::40]]
RANKS = b"".join(base64.b64encode(bytes([byte])) + b" %d\n" % byte for byte in range(256))


def _refusal(spec: object) -> str:
    with pytest.raises(InputError) as raised:
        load_tokenizer(str(spec))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def _same_ids(one: Tokenizer, other: Tokenizer) -> None:
    ours, theirs = one.encode_batch(TEXTS), other.encode_batch(TEXTS)
    assert ours.ids.tolist() == theirs.ids.tolist()
    assert ours.lengths.tolist() == theirs.lengths.tolist()


@pytest.fixture(scope="module")
def byte_level() -> tokenizers.Tokenizer:
    """A small byte-level BPE as GPT-2's, with two control tokens."""
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator(embedded_lines(), trainer)
    return library


def _pair(folder: Path, library: tokenizers.Tokenizer, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    model = json.loads(library.to_str())["model"]
    (folder / names[0]).write_text(json.dumps(model["vocab"]), "utf-8")
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (folder / names[1]).write_text(f"#version: 0.2\n{merges}\n", "utf-8")
    return folder / names[0]


def test_ranks_are_ranks_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(RANKS + base64.b64encode(b"th") + b" 256\n")
    for spec in (path, tmp_path):
        tokenizer = load_tokenizer(str(spec))
        assert tokenizer.vocabulary_size == 257 and tokenizer.lossless
        assert tokenizer.name == f"{tmp_path.name}@llama3"
        assert tokenizer.pretoken_count("the thing 12345") == 5
        assert "pattern of llama3 was taken" in describe(tokenizer)["remark"]
    assert f"{path}: holds tiktoken's ranks, no SentencePiece model" in _refusal(f"sp:{path}")


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
def test_a_pair_is_the_tokenizer_it_was_saved_from(
    names: tuple[str, str], byte_level: tokenizers.Tokenizer, tmp_path: Path
) -> None:
    folder = tmp_path / "pair"
    vocab = _pair(folder, byte_level, *names)
    (tmp_path / "tokenizer.json").write_text(byte_level.to_str(), "utf-8")
    whole = load_tokenizer(str(tmp_path / "tokenizer.json"))
    for spec in (vocab, folder / names[1], folder):
        tokenizer = load_tokenizer(str(spec))
        _same_ids(tokenizer, whole)
        assert tokenizer.lossless and tokenizer.vocabulary_size == 600
        assert "GPT-2's way was taken" in describe(tokenizer)["remark"]
    assert tokenizer.token_bytes.kinds[:2].tolist() == [TokenKind.SPECIAL] * 2
    copied = TokenizerSpec.parse(str(vocab)).copy_into(tmp_path / "pair", [vocab.name])
    there = copied.inside(tmp_path / "pair")
    assert there is not None
    _same_ids(load_tokenizer(str(there)), whole)
    (folder / names[1]).unlink()
    assert f"{names[1]} must lie beside it" in _refusal(vocab)
    (folder / names[1]).write_text("#version: 0.2\na b\nc d e\n")
    assert f"{names[1]}:3: not two pieces" in _refusal(vocab)
    (folder / names[1]).write_text("#version: 0.2\nq zz\n")
    assert "not a whole vocab.json" in _refusal(vocab)


def test_clips_merges_are_read_from_their_archive(tmp_path: Path) -> None:
    merges = ["a b</w>", "c ab</w>", "t h", "th e</w>", "0 1</w>"]
    path = tmp_path / "bpe_simple_vocab_16e6.txt.gz"
    header = '"bpe_simple_vocab_16e6.txt#version: 0.2'
    path.write_bytes(gzip.compress("\n".join([header, *merges, ""]).encode()))
    plain = tmp_path / "bpe_simple_vocab_16e6.txt"
    plain.write_text("\n".join([header, *merges, ""]))
    for spec in (path, plain):
        tokenizer = load_tokenizer(str(spec))
        assert tokenizer.vocabulary_size == 512 + 5 + 2 and not tokenizer.lossless
        letters = {letter: i for i, letter in enumerate(byte_to_character().values())}
        ids = tokenizer.encode_batch(["The  CAB 01 é"]).ids.tolist()
        digits = [256 + letters["0"], 256 + letters["1"]]
        accent = [letters["Ã"], 256 + letters["©"]]
        assert ids == [512 + 3, 512 + 1, *digits, *accent]
        assert tokenizer.suffix == b" " and tokenizer.token_bytes[512 + 3] == b"the "
        assert not bytes_proof(tokenizer).differing
        assert isinstance(tokenizer, Decoding)
        assert tokenizer.decode_batch([ids, [], [512 + 1]]) == [
            "the cab 0 1 é".encode(),
            b"",
            b"cab",
        ]
    path.write_bytes(path.read_bytes()[:-20])
    assert "not whole" in _refusal(path)


def test_a_list_of_word_pieces_is_berts(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    pieces = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "the", "house", "##s", ".", "maison"]
    path.write_text("\n".join(pieces) + "\n", "utf-8")
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.encode_batch(["The houses."]).ids.tolist() == [4, 5, 6, 7]
    assert tokenizer.name == tmp_path.name
    path.write_text("\n".join([*pieces, "The"]), "utf-8")
    assert load_tokenizer(str(tmp_path)).encode_batch(["The the"]).ids.tolist() == [9, 4]


def _rwkv(tokens: list[bytes]) -> bytes:
    written = []
    for i, token in enumerate(tokens, 1):
        try:
            literal: str | bytes = token.decode()
        except UnicodeDecodeError:
            literal = token
        written.append(f"{i} {literal!r} {len(token)}\n".encode())
    return b"".join(written)


@settings(max_examples=50, deadline=None)
@given(more=st.sets(st.text("ab é漢\n'\"", min_size=2, max_size=5), max_size=20), text=st.text())
def test_rwkv_takes_the_longest_token_from_the_left(
    more: set[str], text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += sorted({piece.encode() for piece in more if len(piece.encode()) > 1})
    path = tmp_path_factory.getbasetemp() / "rwkv_vocab_own.txt"
    path.write_bytes(_rwkv(tokens))
    tokenizer = load_rwkv(path, "own")
    assert tokenizer.lossless
    raw = (text + "ab é漢\n'\"abab").encode("utf-8", "replace")
    wanted, at = [], 0
    while at < len(raw):
        longest = max((t for t in tokens if raw.startswith(t, at)), key=len)
        wanted.append(tokens.index(longest) + 1)
        at += len(longest)
    assert tokenizer.encode_batch([raw.decode()]).ids.tolist() == wanted


def test_rwkvs_file_is_known_and_nothing_in_it_is_run(tmp_path: Path) -> None:
    path = tmp_path / "anything.txt"
    tokens = [*(bytes([byte]) for byte in range(256)), b"the", "é".encode()]
    path.write_bytes(_rwkv(tokens))
    tokenizer = load_tokenizer(str(path))
    assert_lossless(tokenizer, TEXTS)
    assert tokenizer.vocabulary_size == 259 and tokenizer.name == "anything"
    for line in (
        b"300 __import__('os').getcwd() 3\n",
        b"300 'ab' 3\n",
        b"300 7 1\n",
        b"1 'zz' 2\n",
    ):
        path.write_bytes(_rwkv(tokens) + line)
        assert f"{path}:259:" in _refusal(path)
    path.write_bytes(_rwkv(tokens[1:]))
    assert "no token for byte 0x00" in _refusal(path)


def test_ranks_as_programs_in_javascript_ship_them(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    letters = [base64.b64encode(bytes([byte])).decode() for byte in range(256)]
    content = {
        "explicit_n_vocab": 258,
        "pat_str": r"\p{L}+|\p{N}|[^\p{L}\p{N}]+",
        "special_tokens": {"<EOT>": 0, "<META>": 1},
        "bpe_ranks": f"! 2 {' '.join(letters)}\n! 258 {base64.b64encode(b'ab').decode()}",
    }
    path.write_text(json.dumps(content))
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.vocabulary_size == 259 and tokenizer.lossless
    assert tokenizer.encode_batch(["ab1"]).ids.tolist() == [258, 2 + ord("1")]
    assert tokenizer.pretoken_count("ab12") == 3
    assert load_tokenizer(f"tiktoken:{path}@gpt2").pretoken_count("ab12") == 2
    assert_lossless(tokenizer, TEXTS)
    for wrong in ({"pat_str": 5}, {"pat_str": "("}, {"bpe_ranks": "! 0 IQ=="}, {"bpe_ranks": "x"}):
        path.write_text(json.dumps(content | wrong))
        assert str(path) in _refusal(path)


def test_a_tekken_file_may_have_any_name(tmp_path: Path) -> None:
    vocab = [{"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode()} for i in range(256)]
    config = {
        "pattern": r"\p{L}+|[^\p{L}]", "default_vocab_size": 266, "default_num_special_tokens": 10
    }  # fmt: skip
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"config": config, "vocab": vocab}))
    assert load_tokenizer(str(path)).encode_batch(["a"]).ids.tolist() == [10 + ord("a")]


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def _gguf(keys: dict[str, Any], weights: bytes = b"\0" * 64) -> bytes:
    """Write a GGUF of such keys: texts, truths, numbers, and lists of texts or numbers."""
    out = [struct.pack("<4sIQQ", b"GGUF", 3, 1, len(keys))]
    for name, value in keys.items():
        out.append(_text(name))
        match value:
            case bool():
                out.append(struct.pack("<I?", 7, value))
            case int():
                out.append(struct.pack("<II", 4, value))
            case str():
                out.append(struct.pack("<I", 8) + _text(value))
            case [str(), *_]:
                out.append(struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value)))
            case [float(), *_]:
                out.append(struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value))
            case _:
                out.append(struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value))
    return b"".join(out) + weights


OTHERS: dict[str, Any] = {
    "general.name": "own", "general.file_type": 7, "own.list": ["a", "b"], "own.numbers": [1, 2],
    "own.on": True,
}  # fmt: skip


def test_a_ggufs_byte_level_vocabulary(byte_level: tokenizers.Tokenizer, tmp_path: Path) -> None:
    content = json.loads(byte_level.to_str())
    pieces = sorted(content["model"]["vocab"], key=content["model"]["vocab"].__getitem__)
    keys: dict[str, Any] = OTHERS | {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": pieces,
        "tokenizer.ggml.token_type": [3, 3, *[1] * (len(pieces) - 2)],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in content["model"]["merges"]],
    }
    path, whole = tmp_path / "model.gguf", tmp_path / "tokenizer.json"
    path.write_bytes(_gguf(keys))
    whole.write_text(byte_level.to_str(), "utf-8")
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.lossless and tokenizer.name == "model"
    _same_ids(tokenizer, load_tokenizer(str(whole)))
    for pre, pieces_of in (("llama-bpe", 2), ("qwen2", 5), ("smollm", 5), ("gpt-4o", 2)):
        path.write_bytes(_gguf(keys | {"tokenizer.ggml.pre": pre}))
        assert load_tokenizer(str(path)).pretoken_count("12345") == pieces_of
    path.write_bytes(_gguf(keys | {"tokenizer.ggml.pre": "qwen3"}))
    assert "did you mean 'qwen2'?" in _refusal(path)
    path.write_bytes(_gguf(keys | {"tokenizer.ggml.model": "rwkv"}))
    assert "of the kind 'rwkv', which is not read from a GGUF" in _refusal(path)
    path.write_bytes(_gguf(OTHERS))
    assert "a GGUF without a vocabulary" in _refusal(path)
    raw = _gguf(keys, b"")
    for end in (6, 20, 60, len(raw) // 2, len(raw) - 3):
        path.write_bytes(raw[:end])
        assert "not a whole GGUF" in _refusal(path)
    huge = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + _text("tokenizer.ggml.tokens")
    for inner in (4, 8):
        path.write_bytes(huge + struct.pack("<IIQ", 9, inner, 1 << 60))
        assert "not a whole GGUF" in _refusal(path)


@pytest.mark.parametrize("spec", ["mistral:v1", "unigram"])
def test_a_ggufs_sentencepiece_vocabulary(
    spec: str, trained: dict[str, Path], tmp_path: Path
) -> None:
    import sentencepiece

    source: Any = load_tokenizer(f"sp:{trained['unigram-sp']}" if spec == "unigram" else spec)
    model = sentencepiece.SentencePieceProcessor(model_proto=source.serialized)
    ids = range(model.get_piece_size())
    kinds = [
        2 if model.IsUnknown(i) else 3 if model.IsControl(i) else 6 if model.IsByte(i) else 1
        for i in ids
    ]
    keys: dict[str, Any] = OTHERS | {
        "tokenizer.ggml.model": "t5" if spec == "unigram" else "llama",
        "tokenizer.ggml.tokens": [model.IdToPiece(i) for i in ids],
        "tokenizer.ggml.scores": [float(model.GetScore(i)) for i in ids],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.add_space_prefix": source.prefix == b" ",
        "tokenizer.ggml.remove_extra_whitespaces": False,
    }
    path = tmp_path / "own.gguf"
    path.write_bytes(_gguf(keys))
    tokenizer = load_tokenizer(str(path))
    _same_ids(tokenizer, source)
    assert (tokenizer.prefix, tokenizer.lossless) == (source.prefix, source.lossless)
    assert tokenizer.token_bytes.data == source.token_bytes.data


def test_a_ggufs_word_pieces(tmp_path: Path) -> None:
    pieces = ["[PAD]", "[UNK]", "▁the", "▁house", "s", "▁."]
    path = tmp_path / "bert.gguf"
    path.write_bytes(
        _gguf({"tokenizer.ggml.model": "bert", "tokenizer.ggml.tokens": pieces,
               "tokenizer.ggml.token_type": [3, 2, 1, 1, 1, 1]})
    )  # fmt: skip
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.encode_batch(["The houses."]).ids.tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tokenizer.json", b"<!DOCTYPE html><html></html>", "a web page"),
        ("tokenizer.model", b"version https://git-lfs.github.com/spec/v1\noid 0\n", "Git LFS"),
        ("weights.bin", b"PK\x03\x04" + bytes(30), "a zip archive"),
        ("own.pkl", pickle.dumps({"a": 1}, 4), "a Python pickle"),
        ("tokens.bin", b"", "an empty file"),
        ("w.safetensors", struct.pack("<Q", 21) + b'{"a":{"dtype":"F32"}}', "safetensors"),
        ("english.vocab", bytes(range(1, 200)), "a vocabulary of TokenMonster"),
        ("m.vocab", "<unk>\t0\n▁a\t-1.5\nb\t-2\n".encode(), "SentencePiece's list of pieces"),
        ("tokenizer_config.json", b'{"tokenizer_class": "X"}', "a tokenizer_config.json"),
        ("config.json", b'{"architectures": ["X"]}', "a model's config.json"),
        ("notes.txt", b"some plain text\n", "text of no form that is known here"),
        ("notes.bin", b"\xfe\x00\x01", "bytes of no form that is known here"),
        ("merges.txt", b"#version: 0.2\na b\nc d\n", "vocab.json must lie beside it"),
        ("own.json", b'{"a": 1, "b": 2}', "looks like the vocab.json of a pair"),
        ("all.gz", gzip.compress(b"some text", mtime=0), "text of no form that is known here"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_tokenizer_is_told_what_it_looks_like(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = _refusal(path)
    assert says in message and str(path) in message
