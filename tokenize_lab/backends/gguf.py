"""The vocabulary inside a GGUF file: its metadata only; no weight is read.

A GGUF begins with its metadata: a magic word, a version, how many tensors and keys there are, then
each key with a typed value (the ggml project's docs/gguf.md). It is read from the front, key by
key; values that a vocabulary does not need are passed over. SentencePiece models are put together
again piece by piece and encoded by SentencePiece; byte-level BPE and WordPiece become a
tokenizer.json.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from corpora.errors import InputError, did_you_mean, unreadable
from tokenize_lab.backends.common import message_of, refuse_gaps, refused_whole
from tokenize_lab.backends.huggingface import huggingface_from_text
from tokenize_lab.backends.sentencepiece import (
    BYTE_FALLBACK,
    CHARSMAP,
    DUMMY_PREFIX,
    MODEL_TYPE,
    NORMALIZER_SPEC,
    REMOVE_WHITESPACE,
    TRAINER_SPEC,
    sentencepiece_from_bytes,
)
from tokenize_lab.patterns import GPT2, GPT4O, LLAMA3, QWEN2, TEKKEN
from tokenize_lab.tokenizer import Tokenizer

_WANTED = "tokenizer.ggml."
_STRING, _ARRAY, _BOOL = 8, 9, 7
_NUMBERS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", _BOOL: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_MOST_KEYS, _LONGEST_KEY, _LONGEST_TOKEN = 1 << 16, 1 << 16, 1 << 16
_MOST_ENTRIES = 1 << 23

# Kinds of pieces, the same in both formats.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)
_UNIGRAM, _BPE = 1, 2  # SentencePiece's model_type
_DIGITS = "digits"  # each digit apart, then GPT-2's pattern

# What the value of tokenizer.ggml.pre stands for, of those that are one of the patterns here.
_PATTERNS = {
    **dict.fromkeys(("gpt-2", "phi-2", "mpt", "jais", "olmo-1", "modern-bert"), GPT2),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"), LLAMA3),
    **dict.fromkeys(("dbrx", "olmo", "smaug-bpe"), LLAMA3),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez"), QWEN2),
    **dict.fromkeys(("gpt-4o", "llama4"), GPT4O),
    "tekken": TEKKEN,
    **dict.fromkeys(("starcoder", "refact", "command-r", "smollm", "codeshell"), _DIGITS),
}
_WHOLE_PIECES = ("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "tekken")


def load_gguf(path: Path, spec: str) -> Tokenizer:
    """Load the vocabulary that a GGUF file carries.

    Raises:
        InputError: the file cannot be read or ends early, carries no vocabulary, or one whose kind
            or way of splitting is not known here.
    """
    facts = _metadata(path)
    model = facts.get("model")
    if "tokens" not in facts or not isinstance(model, str):
        raise InputError(f"{path}: a GGUF without a vocabulary (no {_WANTED}tokens)")
    refuse_gaps(str(path), len(facts["tokens"]) - 1, len(facts["tokens"]))
    makers: dict[str, Callable[[Path, str, dict[str, Any]], Tokenizer]] = {
        "llama": _sentencepiece,
        "t5": _sentencepiece,
        "gpt2": _byte_level,
        "bert": _word_pieces,
    }
    if model not in makers:
        raise InputError(
            f"{path}: its vocabulary is of the kind {model!r}, which is not read from a GGUF"
            f"{did_you_mean(model, makers)} (known: {', '.join(makers)})"
        )
    try:
        return makers[model](path, spec, facts)
    except (KeyError, ValueError, TypeError, IndexError, struct.error) as error:
        raise InputError(f"{path}: not a whole vocabulary ({error!r}); fetch it again") from error


def _metadata(path: Path) -> dict[str, Any]:
    """Return the values under `tokenizer.ggml.`, without it."""
    found: dict[str, Any] = {}
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic, version = struct.unpack("<4sI", file.read(8))
            if magic != b"GGUF" or version not in (2, 3):
                raise ValueError(f"version {version}, not 2 or 3 of little-endian GGUF")
            _tensors, keys = struct.unpack("<QQ", file.read(16))
            if keys > _MOST_KEYS:
                raise ValueError(f"{keys} keys")
            for _ in range(keys):
                name = _text(file, _LONGEST_KEY)
                (kind,) = struct.unpack("<I", file.read(4))
                value = _value(file, kind, size, keep=name.startswith(_WANTED))
                if name.startswith(_WANTED):
                    found[name.removeprefix(_WANTED)] = value
    except OSError as error:
        raise unreadable(path, error) from error
    except (struct.error, ValueError, MemoryError) as error:
        raise InputError(
            f"{path}: not a whole GGUF ({message_of(error)}); fetch it again"
        ) from error
    return found


def _value(file: BufferedReader, kind: int, size: int, *, keep: bool) -> Any:
    """Return the value that stands next, or None where it is passed over."""
    if kind == _STRING:
        return _text(file, size) if keep else _pass(file, _length(file), size)
    if kind in _NUMBERS:
        code = f"<{_NUMBERS[kind]}"
        return struct.unpack(code, file.read(struct.calcsize(code)))[0]
    if kind != _ARRAY:
        raise ValueError(f"a value of kind {kind}")
    inner, count = struct.unpack("<IQ", file.read(12))
    if inner in _NUMBERS:
        code = _NUMBERS[inner]
        wide = struct.calcsize(f"<{code}") * count
        if not keep:
            return _pass(file, wide, size)
        if count > _MOST_ENTRIES or file.tell() + wide > size:
            raise ValueError(f"{count} entries")
        return list(struct.unpack(f"<{count}{code}", file.read(wide)))
    if inner not in (_STRING, _ARRAY) or count > _MOST_ENTRIES:
        raise ValueError(f"{count} entries of kind {inner}")
    if inner == _STRING and keep:
        return [_text(file, _LONGEST_TOKEN) for _ in range(count)]
    for _ in range(count):
        _value(file, inner, size, keep=False)
    return None


def _length(file: BufferedReader) -> int:
    length: int = struct.unpack("<Q", file.read(8))[0]
    return length


def _text(file: BufferedReader, most: int) -> str:
    length = _length(file)
    if length > min(most, _LONGEST_TOKEN):
        raise ValueError(f"a text of {length} bytes")
    raw = file.read(length)
    if len(raw) < length:
        raise ValueError("it ends early")
    return raw.decode("utf-8")


def _pass(file: BufferedReader, length: int, size: int) -> None:
    if file.tell() + length > size:
        raise ValueError("it ends early")
    file.seek(length, 1)


def _sentencepiece(path: Path, spec: str, facts: dict[str, Any]) -> Tokenizer:
    """Put the SentencePiece model together again that the vocabulary was taken from."""
    tokens: list[str] = facts["tokens"]
    scores = facts.get("scores") or [0.0] * len(tokens)
    kinds = facts.get("token_type") or [_NORMAL] * len(tokens)
    pieces: list[bytes] = []
    for token, score, kind in zip(tokens, scores, kinds, strict=True):
        if not token:  # a piece must have a text
            token, kind = f"<empty {len(pieces)}>", _UNUSED
        piece = _bytes_field(1, token.encode()) + _tag(2, 5) + struct.pack("<f", score)
        pieces.append(_bytes_field(1, piece + _number_field(3, kind)))
    unigram = facts["model"] == "t5"
    trainer = _number_field(MODEL_TYPE, _UNIGRAM if unigram else _BPE)
    trainer += _number_field(BYTE_FALLBACK, int(_BYTE in kinds))
    if _UNKNOWN in kinds:
        trainer += _number_field(_UNKNOWN_ID, kinds.index(_UNKNOWN))
    charsmap = bytes(byte & 0xFF for byte in facts.get("precompiled_charsmap") or [])
    normalizer = _bytes_field(CHARSMAP, charsmap) if charsmap else b""
    normalizer += _number_field(DUMMY_PREFIX, int(facts.get("add_space_prefix", True)))
    normalizer += _number_field(
        REMOVE_WHITESPACE, int(facts.get("remove_extra_whitespaces", unigram))
    )
    model = b"".join(pieces) + _bytes_field(TRAINER_SPEC, trainer)
    model += _bytes_field(NORMALIZER_SPEC, normalizer)
    return sentencepiece_from_bytes(model, spec, path.stem, str(path))


_UNKNOWN_ID = 40  # of the trainer's settings


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _number_field(number: int, value: int) -> bytes:
    return _tag(number, 0) + _varint(value)


def _bytes_field(number: int, payload: bytes) -> bytes:
    return _tag(number, 2) + _varint(len(payload)) + payload


def _byte_level(path: Path, spec: str, facts: dict[str, Any]) -> Tokenizer:
    import tokenizers
    from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers

    split = facts.get("pre", "")
    if split not in _PATTERNS:
        raise InputError(
            f"{path}: splits text as {split or 'nothing'!r} says, which is not known here"
            f"{did_you_mean(split, _PATTERNS)} (known: {', '.join(_PATTERNS)}); give its "
            "tokenizer.json"
        )
    pattern = _PATTERNS[split]
    tokens: list[str] = facts["tokens"]
    kinds = facts.get("token_type") or [_NORMAL] * len(tokens)
    merges = [tuple(merge.split(" ", 1)) for merge in facts["merges"]]
    added = [
        AddedToken(token, special=kind == _CONTROL, normalized=False)
        for token, kind in zip(tokens, kinds, strict=True)
        if kind in (_CONTROL, _USER_DEFINED) and token
    ]
    with refused_whole(str(path), "vocabulary"):
        engine = tokenizers.Tokenizer(
            models.BPE(
                vocab={token: i for i, token in enumerate(tokens)},
                merges=merges,
                ignore_merges=split in _WHOLE_PIECES,
            )
        )
        own = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern in (GPT2, _DIGITS))
        first = (
            pre_tokenizers.Digits(individual_digits=True)
            if pattern == _DIGITS
            else pre_tokenizers.Split(Regex(pattern), "isolated")
        )
        engine.pre_tokenizer = own if pattern == GPT2 else pre_tokenizers.Sequence([first, own])
        engine.decoder = decoders.ByteLevel()
        engine.add_tokens(added)
        text = engine.to_str()
    return huggingface_from_text(text, spec, path.stem, str(path))


def _word_pieces(path: Path, spec: str, facts: dict[str, Any]) -> Tokenizer:
    """Undo what a WordPiece vocabulary is written as: words begin with U+2581, and others go on."""
    from tokenize_lab.backends.older_files import word_pieces

    tokens: list[str] = facts["tokens"]
    kinds = facts.get("token_type") or [_NORMAL] * len(tokens)
    pieces = []
    for token, kind in zip(tokens, kinds, strict=True):
        whole = kind in (_CONTROL, _UNKNOWN, _UNUSED) or (token[:1], token[-1:]) == ("[", "]")
        pieces.append(token if whole else token[1:] if token[:1] == "▁" else f"##{token}")
    text = word_pieces(pieces, str(path), cased=False)
    loaded = huggingface_from_text(text, spec, path.stem, str(path))
    return replace(loaded, remark="letters are taken to be lowered, as llama.cpp does")
