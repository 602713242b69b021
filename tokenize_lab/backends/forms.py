"""What a file is, by looking into it: which form of vocabulary, or what else it seems to be.

Names mislead: Llama 3 publishes ranks as `tokenizer.model`, a page saved in place of a file keeps
the file's name, and what a large-file store left behind is a pointer of three lines.
"""

import re
import zlib
from pathlib import Path

from corpora.errors import InputError, is_file, unreadable

HEAD = 1 << 16
_BY_NAME = {".json": "hf", ".model": "sp", ".tiktoken": "tiktoken", ".gguf": "gguf"}

# Files of two parts: the vocabulary, and the merges that lie beside it.
PAIRS = {"vocab.json": "merges.txt", "encoder.json": "vocab.bpe"}

_RANKS = re.compile(rb"[A-Za-z0-9+/]+={0,2}[ \t]+\d+[ \t\r]*(?:\n|$)")
_RWKV = re.compile(rb"\d+ b?(?:'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\") \d+\r?\n")
_ENTRY = rb'"(?:[^"\\]|\\.)*"\s*:\s*\d+'
_IDS_BY_PIECE = re.compile(rb"\s*\{\s*" + _ENTRY + rb"\s*,\s*" + _ENTRY + rb"\s*[,}]")
_MERGES = re.compile(rb"(?:#version[^\n]*\n)?(?:[^\s]+ [^\s]+\r?\n){2}")
_WORD_PIECES = re.compile(rb"^\[UNK\]\r?$", re.MULTILINE)
_SCORED = re.compile(rb"(?:[^\t\n]+\t-?\d+(?:\.\d+)?(?:e-?\d+)?\r?\n){3}")
CLIP = b'"bpe_simple_vocab'

_LOOKS = (
    (b"version https://git-lfs", "a pointer that Git LFS left in a file's place; git lfs pull"),
    (b"<!doctype html", "a web page; fetch the file itself"),
    (b"<html", "a web page; fetch the file itself"),
    (b"PK\x03\x04", "a zip archive, as wheels and weights are; give the tokenizer's own file"),
    (b"\x80\x02", "a Python pickle, which is not read, since reading runs it"),
    (b"\x80\x03", "a Python pickle, which is not read, since reading runs it"),
    (b"\x80\x04", "a Python pickle, which is not read, since reading runs it"),
    (b"\x80\x05", "a Python pickle, which is not read, since reading runs it"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\x93NUMPY", "a NumPy array"),
)


# JSON that is often given for a tokenizer.json, by a key that it alone has.
_OTHER_JSON = (
    (b'"tokenizer_class"', "a tokenizer_config.json; give the tokenizer.json that lies beside it"),
    (b'"architectures"', "a model's config.json; give the tokenizer.json that lies beside it"),
    (b'"dependencies"', "a package.json; give the tokenizer's own file"),
    (b'"eos_token"', "a list of special tokens; give the tokenizer.json that lies beside it"),
)
_TOKENIZER_KEYS = re.compile(rb'"(?:model|added_tokens|pre_tokenizer|vocab)"\s*:')


def partner_of(path: Path) -> Path | None:
    """Return the file that must lie beside one of a pair, or None for another file."""
    for first, second in PAIRS.items():
        if path.name.endswith(first):
            return path.with_name(path.name.removesuffix(first) + second)
        if path.name.endswith(second):
            return path.with_name(path.name.removesuffix(second) + first)
    return None


def head_of(path: Path) -> bytes:
    """Return a file's first 64 KiB, unpacked where it is a gzip archive.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(HEAD)
    except OSError as error:
        raise unreadable(path, error) from error
    if raw.startswith(b"\x1f\x8b"):
        try:
            return zlib.decompressobj(wbits=31).decompress(raw, HEAD)
        except zlib.error:
            return raw
    return raw.removeprefix(b"\xef\xbb\xbf")


def holds_ranks(content: bytes) -> bool:
    """Whether content is ranks as of a `.tiktoken` file, whatever the file is called."""
    return _RANKS.match(content.removeprefix(b"\xef\xbb\xbf")) is not None


def form_of(path: Path) -> str:
    """Return what a file holds: `hf`, `sp`, `tiktoken`, `tekken`, `pair`, `wordpiece`, `clip`,
    `rwkv` or `gguf`.

    A file of none of these forms whose name says what it should be is taken by its name, so that
    the loader says what is wrong with it.

    Raises:
        InputError: the file cannot be read, or is something else; the line says what it seems.
    """
    head = head_of(path)
    form = _form(head, path)
    if form:
        return form
    seems = _seems(head, path)
    if seems:
        raise InputError(f"{path}: no tokenizer: it looks like {seems}")
    if path.suffix in _BY_NAME:
        return _BY_NAME[path.suffix]
    if ".model" in path.name:  # tokenizer.model.v3
        return "sp"
    what = "text" if _is_text(head) else "bytes"
    raise InputError(
        f"{path}: no tokenizer: {what} of no form that is known here (a tokenizer.json, a"
        " SentencePiece .model, ranks as of .tiktoken, a tekken.json, a vocab.json with its"
        " merges.txt, a vocab.txt, CLIP's merges, RWKV's vocabulary, a GGUF)"
    )


def _form(head: bytes, path: Path) -> str:
    if head.startswith(b"GGUF"):
        return "gguf"
    if head.startswith(CLIP):
        return "clip"
    named = path.name.startswith("tekken") and path.suffix == ".json"
    if named or head.lstrip().startswith(b"{"):
        if b'"bpe_ranks"' in head and not _TOKENIZER_KEYS.search(head):
            return "tiktoken"
        if _IDS_BY_PIECE.match(head):
            return "pair"
        tekken = b'"token_bytes"' in head or b'"default_num_special_tokens"' in head
        if tekken or named:
            return "tekken"
        other = not _TOKENIZER_KEYS.search(head) and any(key in head for key, _ in _OTHER_JSON)
        return "" if other else "hf"
    if _RWKV.match(head):
        return "rwkv"
    if holds_ranks(head):
        return "tiktoken"
    if _MERGES.match(head) and (partner_of(path) or head.startswith(b"#version")):
        return "pair"
    if _WORD_PIECES.search(head):
        return "wordpiece"
    return "sp" if head.startswith(b"\n") and b"\x00" in head[:HEAD] and not _is_text(head) else ""


def _seems(head: bytes, path: Path) -> str:
    """Return what a file of no known form looks like, or nothing."""
    opening = head.lstrip().lower()
    for sign, what in _LOOKS:
        if head.startswith(sign) or opening.startswith(sign):
            return what
    if not head and path.suffix not in _BY_NAME:
        return "an empty file"
    if opening.startswith(b"{"):
        return next((what for key, what in _OTHER_JSON if key in head), "")
    if head[257:262] == b"ustar":
        return "an archive of files; unpack it, and give the tokenizer's own file"
    if head[8:10] == b'{"' and b"dtype" in head:
        return "safetensors, which holds weights; give the tokenizer's file"
    if head.startswith(b"\x1f\x8b"):
        return "a gzip archive that is not whole"
    if _SCORED.match(head):
        return "SentencePiece's list of pieces; give the .model that lies beside it"
    if path.suffix == ".vocab" and not _is_text(head):
        return "a vocabulary of TokenMonster, which only its own program reads"
    if _MERGES.match(head):
        return "merges; give its vocab.json too, beside it"
    return ""


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and b"\0" not in head
    return b"\0" not in head


def pair_of(path: Path) -> tuple[Path, Path]:
    """Return a pair's vocabulary and merges, by either of them.

    Raises:
        InputError: the other does not lie beside it.
    """
    other = partner_of(path)
    if other is None:
        raise InputError(
            f"{path}: looks like the vocab.json of a pair; give it that name, with its merges.txt"
            " beside it"
        )
    if not is_file(other):
        raise InputError(f"{path}: {other.name} must lie beside it; a pair is not whole without")
    return (path, other) if path.suffix == ".json" else (other, path)
