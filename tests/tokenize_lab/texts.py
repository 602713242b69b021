"""Texts that tokenizers trip over, and small tokenizers of every make, for the tests."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenize_lab.tokenizer import Encoding, Tokenizer

SAMPLES = Path(__file__).resolve().parents[2] / "corpora" / "samples" / "parallel"

HARD = (
    "",
    " ",
    "   ",
    "a",
    " leading and trailing ",
    "runs  of   spaces\t\tand tabs",
    "line\nline\r\nline\rline\n\n\n",
    "nul \x00 in the middle",
    "\x00",
    "\u0301",
    "e\u0301 \u093e\u094d \u064b\u0651",
    "👨‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇫🇷",
    "\u200d\u200c\ufeff\u2028\u2029\u00a0\u3000",
    "\U0010ffff\ufffd\ue000",
    "ﬁ ½ ﷺ Å Ⅷ",
    "def f(x):\n\tif x >= 10:\n        return [1, 2]\n",
    "3.14159 1,000,000 2024-01-31",
)
SPECIAL_LOOKING = (
    "<|endoftext|>",
    "a<|endoftext|>b",
    "</s>",
    "<s>",
    "[INST] do [/INST]",
    "<unk><pad>",
    "<0x41>",
    "[UNK] [CLS]",
    "<|im_start|>user",
)
# What cut rules tell apart, and its neighbours: letters of every kind, signs among letters, marks
# of ASCII and beyond, slashes behind line ends, contractions, joiners, white space of all sizes.
CUT_PARTS = (
    *"aASsLdm059'\"()/.,-_# \t\n\r",
    *("'s", "'LL", "'ſ", "//", "  ", "!\n/", "\r\n", "the", "Word"),
    *"éßŉſ×÷яЁѿѢıλा中ªʰ\u0301\u0483\u05d0",
    *"“”’—…‧‐‑«»·\u200d\u2010\u2027\u2028\u2030",
    *"\u00a0\u3000\u2003\x0b\x1c\x85😀²½٣",
)


def embedded_lines() -> Iterator[str]:
    """Yield every line of the embedded parallel corpus."""
    for path in sorted(SAMPLES.glob("*.txt")):
        yield from path.read_text("utf-8").split("\n")


def parallel_lines(folder: Path, step: int) -> Iterator[tuple[str, list[str]]]:
    """Yield each language of the parallel set, with every `step`-th line."""
    for path in sorted(folder.glob("???_????.txt")):
        yield path.stem, path.read_text("utf-8").split("\n")[::step]


def bytes_per_text(tokenizer: Tokenizer, texts: Sequence[str]) -> list[bytes]:
    """Return the joined bytes of each text's tokens."""
    encoding = tokenizer.encode_batch(texts)
    assert len(encoding.lengths) == len(texts)
    assert int(encoding.lengths.sum()) == len(encoding.ids)
    return [b"".join(map(tokenizer.token_bytes.__getitem__, ids)) for ids in ids_of(encoding)]


def ids_of(encoding: Encoding) -> list[list[int]]:
    """Return each text's ids."""
    ids, out, start = encoding.ids.tolist(), [], 0
    for length in encoding.lengths.tolist():
        out.append(ids[start : start + length])
        start += length
    return out


def assert_lossless(tokenizer: Tokenizer, texts: Sequence[str]) -> None:
    """Assert that the bytes of tokens are the prefix and the text's bytes, for each text."""
    for text, raw in zip(texts, bytes_per_text(tokenizer, texts), strict=True):
        assert raw == (tokenizer.prefix + text.encode("utf-8") if text else b""), text[:80]
