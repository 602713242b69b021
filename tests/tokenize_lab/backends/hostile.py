"""Files given as tokenizers that want to do harm, or are broken past what any program expects.

Each is made from a small whole file of its form, by rule and not by chance, but for the bits that
are flipped: the same every time.
"""

import base64
import copy
import json
import random
import struct
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from tokenize_lab.backends.simple import byte_to_character

BACKTRACKING = (
    r"(a+)+$", r"(x+x+)+y", r"^(a|aa)+$", r"(?:x?){40}x{40}y", r"(.*)*b", r"(?=(x+)+y)",
    r"([^b]+)*c", r"(?<=x{1,300})(x+)+y", r"(?:(?:x{1,50}){1,50}){1,50}y",
)  # fmt: skip
PATTERNS = (
    *BACKTRACKING, "", "(", "[", "\\", "(?<a>\\g<a>)", "(" * 50_000 + ")" * 50_000, "a{100000}",
    "((a{1000}){1000}){1000}", "\0", "(?P<n>a)(?P<n>b)", "\\p{Nothing}", "(?<!a*)b", "|" * 100_000,
    "[" + "a-z" * 50_000 + "]", "\\1", "(?:", "*", "a**", "\\K", "(?R)", "(?i)" * 1000,
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    -1, 2**31, 2**32, 2**63, 2**64, 10**400, 1e308, 0.5, float("nan"), float("inf"), True, None,
    "1", [], {},
)  # fmt: skip
WRONG: tuple[Any, ...] = (None, 1, -1, "text", [], {}, [[]], [None], {"type": "BPE"}, True)


class Hostile(NamedTuple):
    """A file: what is wrong with it, what it is called, and its content."""

    name: str
    file: str
    content: bytes


Json = dict[str, Any]
_RANKS = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abc": 257, b" a": 258}


def hostile_files(sentencepiece: bytes, gguf: bytes) -> Iterator[Hostile]:
    """Yield all of them.

    Args:
        sentencepiece, gguf: a whole small file of either form.
    """
    yield from _tokenizer_jsons()
    yield from _tekkens()
    yield from _ranks()
    yield from _others()
    whole = {
        "tokenizer.json": _dumped(byte_level()),
        "tekken.json": _dumped(_tekken()),
        "a.tiktoken": _ranks_of(_RANKS),
        "tokenizer.model": sentencepiece,
        "a.gguf": gguf,
        "rwkv_vocab.txt": _rwkv(),
        "vocab.txt": b"[UNK]\n[CLS]\n[SEP]\na\n##b\nthe\n",
    }
    for file, content in whole.items():
        for seed in range(12):
            yield Hostile(f"flipped {seed}", file, _flipped(content, seed))
        for share in (0.1, 0.5, 0.9, 0.999):
            yield Hostile(f"cut at {share}", file, content[: int(len(content) * share)])
        yield Hostile("twice", file, content * 2)
        yield Hostile("zeros", file, bytes(len(content)))
        yield Hostile("a million brackets", file, b"[" * 1_000_000)
        yield Hostile("a million objects", file, b'{"a":' * 1_000_000)


MILLIONS = ("tokens", "added tokens", "merges", "equal merges", "unigram", "words")


def a_million(of: str) -> Json:
    """Return a tokenizer.json with a million of something, one of `MILLIONS`, else in order."""
    made, count = byte_level(), 1_000_000
    model = made["model"]
    vocab, merges, first = model["vocab"], model["merges"], len(model["vocab"]) + 1
    match of:
        case "tokens":
            vocab |= {f"x{i:x}": first + i for i in range(count)}
        case "added tokens":
            made["added_tokens"] += [_added(first + i, f"<{i}>") for i in range(count)]
        case "merges":
            made["added_tokens"] = []
            letters = [*byte_to_character().values()]
            pairs = [(a, b) for a in letters for b in letters if a + b not in vocab]
            longer = ((a + b, c) for c in letters for a, b in pairs)
            for left, right in islice(chain(pairs, longer), count):
                if left + right not in vocab:
                    vocab[left + right] = len(vocab)
                    merges.append([left, right])
        case "equal merges":
            merges += [["a", "b"]] * count
        case "unigram":
            made = _unigram("score", -1.0)
            made["model"]["vocab"] += [[f"w{i:x}", -5.0 - i / count] for i in range(count)]
        case "words":
            made = _word_pieces(100)
            made["model"]["vocab"] |= {f"w{i:x}": 3 + i for i in range(count)}
    return made


def byte_level() -> Json:
    """Return a small byte-level tokenizer.json."""
    letters = byte_to_character()
    vocab = {letters[byte]: byte for byte in range(256)} | {"ab": 256, "abc": 257}
    part = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [_added(258, "<s>")],
        "normalizer": None, "pre_tokenizer": part, "post_processor": None, "decoder": part,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": vocab, "merges": [["a", "b"], ["ab", "c"]],
        },
    }  # fmt: skip


def split_by(pattern: str) -> Json:
    """Return the same, which splits text by a pattern of its own first."""
    made = byte_level()
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    plain = {**made["pre_tokenizer"], "use_regex": False}
    made["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, plain]}
    return made


def _added(token_id: Any, content: Any, **more: Any) -> Json:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": token_id, "content": content, **flags, "special": True, **more}


def _tokenizer_jsons() -> Iterator[Hostile]:
    def file(name: str, of_model: Json | None = None, /, **parts: Any) -> Hostile:
        made = {**byte_level(), **parts}
        if of_model is not None:
            made["model"].update(of_model)
        return Hostile(name, "tokenizer.json", _dumped(made))

    def with_tokens(name: str, *tokens: Json) -> Hostile:
        return file(name, added_tokens=[_added(258, "<s>"), *tokens])

    def with_merge(left: str, right: str) -> Hostile:
        merges = [*byte_level()["model"]["merges"], [left, right]]
        return file(f"a merge of {left!r} and {right!r}", {"merges": merges})

    for pattern in PATTERNS:
        shown = repr(pattern[:30])
        yield Hostile(f"splits by {shown}", "tokenizer.json", _dumped(split_by(pattern)))
        replace = {"type": "Replace", "pattern": {"Regex": pattern}, "content": "a"}
        yield file(f"replaces {shown}", normalizer=replace)
        yield file(f"decodes {shown}", decoder=replace)
    for wrong in WRONG:
        for part in byte_level():
            yield file(f"{part} is {wrong!r}", **{part: wrong})
        for part in byte_level()["model"]:
            yield file(f"model.{part} is {wrong!r}", {part: wrong})
    for number in NUMBERS:
        shown = str(number)[:12]
        vocab = {**byte_level()["model"]["vocab"], "ab": number}
        yield file(f"vocabulary id {shown}", {"vocab": vocab})
        yield with_tokens(f"added id {shown}", _added(number, "<x>"))
        yield file(f"dropout {shown}", {"dropout": number})
        yield file(f"padded to {shown}", padding=_padding(number))
        yield file(f"cut to {shown}", truncation=_truncation(number))
        yield Hostile(f"words of {shown}", "tokenizer.json", _dumped(_word_pieces(number)))
        for which in ("score", "unknown"):
            yield Hostile(f"{which} {shown}", "tokenizer.json", _dumped(_unigram(which, number)))
    grows = [{"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}] * 12
    charsmap = base64.b64encode(bytes(range(256)) * 4).decode()
    for normalizer in (
        {"type": "Sequence", "normalizers": grows},
        {"type": "Prepend", "prepend": "a" * 10_000_000},
        {"type": "Precompiled", "precompiled_charsmap": charsmap},
        {"type": "Precompiled", "precompiled_charsmap": "////"},
    ):
        yield file(f"normalizer {normalizer['type']}", normalizer=normalizer)
    deep = b'{"type":"Sequence","normalizers":[' * 3000 + b'{"type":"NFC"}' + b"]}" * 3000
    nested = _dumped(byte_level()).replace(b'"normalizer": null', b'"normalizer": ' + deep)
    yield Hostile("normalizers nested", "tokenizer.json", nested)
    many = [_added(300 + i, f"<{i}>") for i in range(50_000)]
    yield with_tokens("50,000 added tokens", *many)
    yield with_tokens("equal added tokens", *(_added(259 + i, "<x>") for i in range(99)))
    yield with_tokens("equal ids", *(_added(1, f"<{i}>") for i in range(99)))
    yield with_tokens("an added token of nothing", _added(259, ""))
    yield with_tokens("a long added token", _added(259, "x" * 5_000_000))
    for pair in (("", ""), ("q", "r"), ("abc", ""), ("ab", "ab")):
        yield with_merge(*pair)


def _padding(size: Any) -> Json:
    return {
        "strategy": {"Fixed": size}, "direction": "Right", "pad_to_multiple_of": size,
        "pad_id": size, "pad_type_id": 0, "pad_token": "<s>",
    }  # fmt: skip


def _truncation(size: Any) -> Json:
    return {"direction": "Right", "max_length": size, "strategy": "LongestFirst", "stride": size}


def _word_pieces(longest: Any) -> Json:
    model = {
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": longest, "vocab": {"[UNK]": 0, "a": 1, "##b": 2},
    }  # fmt: skip
    parts: Json = {
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": None,
        "added_tokens": [],
    }
    return {**byte_level(), **parts, "model": model}


def _unigram(which: str, number: Any) -> Json:
    score = number if which == "score" else -1.0
    vocab = [["<unk>", 0.0], ["a", score], ["b", -2.0], ["▁", -3.0]]
    unknown = number if which == "unknown" else 0
    model = {"type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": False}
    mark = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    parts: Json = {"pre_tokenizer": mark, "decoder": mark, "added_tokens": []}
    return {**byte_level(), **parts, "model": model}


def _tekken(pattern: str = r"\p{L}+|[^\p{L}]") -> Json:
    vocab = [
        {"rank": rank, "token_bytes": base64.b64encode(raw).decode(), "token_str": None}
        for raw, rank in _RANKS.items()
    ]
    config = {
        "pattern": pattern, "num_vocab_tokens": len(vocab), "default_vocab_size": len(vocab) + 10,
        "default_num_special_tokens": 10, "version": "v3",
    }  # fmt: skip
    return {"config": config, "vocab": vocab}


def _tekkens() -> Iterator[Hostile]:
    for pattern in PATTERNS:
        yield Hostile(f"splits by {pattern[:30]!r}", "tekken.json", _dumped(_tekken(pattern)))
    for part in _tekken()["config"]:
        for wrong in (*WRONG, *NUMBERS):
            made = _tekken()
            made["config"][part] = wrong
            yield Hostile(f"{part} is {str(wrong)[:12]}", "tekken.json", _dumped(made))
    for wrong in (*WRONG, *NUMBERS):
        for part in ("rank", "token_bytes"):
            made = copy.deepcopy(_tekken())
            made["vocab"][7][part] = wrong
            yield Hostile(f"a {part} is {str(wrong)[:12]}", "tekken.json", _dumped(made))
        yield Hostile(
            f"special {str(wrong)[:12]}",
            "tekken.json",
            _dumped({**_tekken(), "special_tokens": wrong}),
        )


def _ranks_of(ranks: dict[bytes, Any]) -> bytes:
    return b"".join(
        b"%s %s\n" % (base64.b64encode(raw), str(n).encode()) for raw, n in ranks.items()
    )


def _ranks() -> Iterator[Hostile]:
    for number in NUMBERS:
        yield Hostile(
            f"rank {str(number)[:12]}", "a.tiktoken", _ranks_of({**_RANKS, b"xy": number})
        )
    digits = b"eHk= " + b"9" * 1_000_000 + b"\n"
    yield Hostile("a rank of a million digits", "a.tiktoken", _ranks_of(_RANKS) + digits)
    long = base64.b64encode(b"x" * 3_000_000)
    yield Hostile("a token of three megabytes", "a.tiktoken", _ranks_of(_RANKS) + long + b" 259\n")
    runs = {b"x" * n: 300 + n for n in range(2, 3000)}
    yield Hostile("tokens of one letter", "a.tiktoken", _ranks_of({**_RANKS, **runs}))


def _rwkv() -> bytes:
    return b"".join(b"%d %s 1\n" % (i + 1, repr(bytes([i])).encode()) for i in range(256))


def _others() -> Iterator[Hostile]:
    nested = b"1 " + b"(" * 4000 + b"b'a'" + b")" * 4000 + b" 1\n"
    yield Hostile("a literal in brackets", "rwkv_vocab.txt", _rwkv() + nested[2:])
    yield Hostile("an expression", "rwkv_vocab.txt", _rwkv() + b"257 b'a'*10**10 1\n")
    yield Hostile("a huge id", "rwkv_vocab.txt", _rwkv() + b"%d b'ab' 2\n" % 10**30)
    yield Hostile(
        "a long line", "rwkv_vocab.txt", _rwkv() + b"257 b'" + b"a" * 3_000_000 + b"' 3000000\n"
    )
    yield Hostile("one piece of megabytes", "vocab.txt", b"[UNK]\n" + b"x" * 5_000_000 + b"\n")
    yield Hostile("no unknown", "vocab.txt", b"[UNK]\n" * 3 + b"a\n##b\n")
    for count in (2**16 + 1, 2**32, 2**63):
        head = struct.pack("<4sIQQ", b"GGUF", 3, 0, count)
        yield Hostile(f"{count} keys", "a.gguf", head)
        array = struct.pack("<Q21sIIQ", 21, b"tokenizer.ggml.tokens", 9, 8, count)
        yield Hostile(f"{count} tokens", "a.gguf", struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + array)
    inner = struct.pack("<Q1sI", 1, b"a", 9) + struct.pack("<IQ", 9, 1) * 200_000
    yield Hostile("arrays nested", "a.gguf", struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + inner)


def _flipped(content: bytes, seed: int) -> bytes:
    draw, flipped = random.Random(seed), bytearray(content)
    for _ in range(draw.choice((1, 3, 10))):
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
