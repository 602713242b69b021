"""What the adapters share: flat arrays of ids, errors of libraries as one line, texts to try."""

import contextlib
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from corpora.errors import InputError
from corpora.panics import is_panic
from tokenize_lab.tokenizer import Encoding, ShownShort, TokenBytes, Tokenizer, WayBack


@dataclass(frozen=True, repr=False)
class LoadedTokenizer(ShownShort):
    """The facts that `Tokenizer` lists, of a tokenizer that another library encodes with."""

    spec: str
    name: str
    sha256: str
    vocabulary_size: int
    token_bytes: TokenBytes
    engine: str
    prefix: bytes = b""
    lossless: bool = True
    lossy_reason: str = ""
    suffix: bytes = b""
    remark: str = ""  # what a person should know of how it was loaded
    way_back: WayBack | None = None

    def __getstate__(self) -> dict[str, Any]:
        return declared_fields(self)


def encoding_of(ids_of_texts: Iterable[Iterable[int]]) -> Encoding:
    """Return the ids of each text, laid end to end.

    `array.extend` copies a list of small integers faster than any of numpy's ways in.
    """
    ids, ends = array("I"), array("q")
    assert ids.itemsize == 4 and ends.itemsize == 8
    for ids_of_text in ids_of_texts:
        ids.extend(ids_of_text)
        ends.append(len(ids))
    if not ids:
        return Encoding(np.zeros(0, np.uint32), np.zeros(len(ends), np.int64))
    return Encoding(
        np.frombuffer(ids, np.uint32), np.diff(np.frombuffer(ends, np.int64), prepend=np.int64(0))
    )


def interleaved(first: Sequence[bool], one: Encoding, other: Encoding) -> Encoding:
    """Return the encoding of texts of which those marked are in `one`, the rest in `other`."""
    marked = np.array(first)
    lengths = np.zeros(len(marked), np.int64)
    lengths[marked], lengths[~marked] = one.lengths, other.lengths
    of_one = np.repeat(marked, lengths)
    ids = np.zeros(len(of_one), np.uint32)
    ids[of_one], ids[~of_one] = one.ids, other.ids
    return Encoding(ids, lengths)


def short_name(path: Path, usual: str) -> str:
    """Return the file's stem, or the folder's name for a file of the usual name."""
    return path.stem if path.name != usual else path.resolve().parent.name


def declared_fields(instance: Any) -> dict[str, Any]:
    """Return a dataclass's declared fields only: what is derived is built again on demand.

    Used as `__getstate__`, so that a worker is sent the vocabulary and not a library's object.
    """
    return {field.name: getattr(instance, field.name) for field in fields(instance)}


@contextlib.contextmanager
def refused_whole(place: str, what: str) -> Iterator[None]:
    """Say of whatever goes wrong while a file is loaded that it is not a whole `what`.

    Raises:
        InputError: something went wrong.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise InputError(
            f"{place}: not a whole {what} ({message_of(error)}); fetch it again"
        ) from error


@contextlib.contextmanager
def refused_text(spec: str) -> Iterator[None]:
    """Say of a failure of the library's own that the tokenizer cannot encode some text.

    Its bindings raise a bare `Exception` for an error, and a panic for a fault; anything more
    specific is a fault of ours and is left alone.

    Raises:
        InputError: the library failed.
    """
    try:
        yield
    except BaseException as error:
        if type(error) is not Exception and not is_panic(error):
            raise
        raise InputError(
            f"{spec}: its own library cannot encode text with it ({message_of(error)}); the file "
            "is damaged, or made for other text"
        ) from error


@contextlib.contextmanager
def threads(allowed: bool) -> Iterator[None]:
    """Switch the threads of Hugging Face's library on or off for a while."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if allowed else "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TOKENIZERS_PARALLELISM"]
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def message_of(error: BaseException) -> str:
    """Return an error's message without line ends."""
    return " ".join(str(error).split())


# Vocabularies leave out a few thousand ids at most, and the largest published ones have about a
# million in all (XLM-V; Liang et al. 2023). A table is kept of all ids, so one damaged number
# could otherwise ask for all the memory there is.
MOST_UNUSED = 1_000_000


def refuse_gaps(place: str, largest: int, tokens: int) -> None:
    """Refuse a vocabulary whose largest id lies far beyond its number of tokens.

    Raises:
        InputError: more than `MOST_UNUSED` ids would have no token.
    """
    if largest + 1 - tokens > MOST_UNUSED:
        raise InputError(
            f"{place}: has an id {largest} for only {tokens} tokens; the file is damaged, fetch it "
            "again"
        )


# Whether bytes survive is decided from a tokenizer's settings; these texts then test the decision
# when it is loaded. They hold what tokenizers are known to trip over: scripts of one to four bytes
# per character, marks without a letter, joined emoji, control characters, line ends, runs of spaces
# and spaces at the ends, and text that looks like a special token or a byte token.
PROBES = (
    "",
    "a",
    " ",
    "  two  runs   of    spaces  ",
    " one in front",
    "one behind ",
    "The price rose 3.14% in 2024; isn't that 1,000,000 too many?",
    "Ça coûte cher, naïve Ångström; straße, İstanbul, ŁÓDŹ",
    "Привет, мир. Γειά σου Κόσμε. Բարեւ աշխարհ. გამარჯობა",
    "مرحبا بالعالم ١٢٣ שָׁלוֹם עוֹלָם اردو فارسی",
    "नमस्ते दुनिया বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල",
    "สวัสดีชาวโลก ສະບາຍດີ ជំរាបសួរ မင်္ဂလာပါ བོད་སྐད",
    "你好，世界。こんにちは世界 カタカナ ｶﾀｶﾅ 안녕하세요 한글",
    "ሰላም ልዑል ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ⵜⴰⵎⴰⵣⵉⵖⵜ ߒߞߏ 𞤀𞤣𞤤𞤢𞤥 𐌰𐌱 𒀀 𓀀",
    "😀👍🏽👨‍👩‍👧‍👦🏳️‍🌈🇫🇷 ❤️ ♾",
    "\u0301lone marks \u093e\u200d\u200c e\u0301 \u212b \ufb01 Ⅷ ² ½ ﷺ",
    "nul \x00 bell \x07 escape \x1b delete \x7f c1 \x85\x9f",
    "line\nline\r\nline\rline\n\n\tindented\x0b\x0c\u2028\u2029 \u00a0\u3000\ufeff\u200b",
    "def f(x):\n    if x >= 10:\n\t\treturn {'a': [1, 2]}  # done\n",
    "<s>text</s><unk><pad> <|endoftext|> [INST] [/INST] [UNK] [CLS] [SEP] <mask> <bos>",
    "<0x41><0x0A> ## ##ing </w> Ġword Ċ",
    "\U0010ffff\ue000\ufdd0 \ufffd",
    "x" * 300,
)


def difference_on_probes(tokenizer: Tokenizer, more: Iterable[str] = ()) -> str:
    """Return, in words, a text whose tokens' bytes are not prefix + text; or nothing."""
    probes = [*PROBES, *more]
    encoding = tokenizer.encode_batch(probes)
    table = tokenizer.token_bytes
    start = 0
    for probe, length in zip(probes, encoding.lengths.tolist(), strict=True):
        ids = encoding.ids[start : start + length].tolist()
        start += length
        text = probe.encode("utf-8")
        if b"".join(map(table.__getitem__, ids)) != (tokenizer.prefix + text if text else b""):
            return f"bytes of its tokens differ from the text's on {probe[:60]!r}"
    return ""
