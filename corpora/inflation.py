"""Byte inflation: the same text in more bytes, as a language with a longer encoding would need.

"English x2" says what English says in twice the bytes. Whatever truly depends on information, and
not on how many bytes spell it, must not change.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from corpora.corpus import Corpus
from corpora.document import Batch

DUMMY = "_"


def inflated_bytes(data: bytes, factor: int = 2, dummy: bytes = DUMMY.encode()) -> bytes:
    """Return `data` with `factor` - 1 dummy bytes after every byte.

    The result of UTF-8 is UTF-8 only where the input is ASCII; see `inflated_text`.

    Raises:
        ValueError: `factor` is below 1, or `dummy` is not one byte.
    """
    if factor < 1 or len(dummy) != 1:
        raise ValueError("the factor must be 1 or more and the dummy one byte")
    out = bytearray(dummy * (len(data) * factor))
    out[::factor] = data
    return bytes(out)


def deflated_bytes(data: bytes, factor: int = 2, dummy: bytes = DUMMY.encode()) -> bytes:
    """Return what `inflated_bytes` made `data` from.

    Raises:
        ValueError: it was not made by it with this factor and dummy.
    """
    original = data[::factor] if factor >= 1 else b""
    if inflated_bytes(original, factor, dummy) != data:
        raise ValueError(f"not text inflated {factor} times with {dummy!r}")
    return original


def inflated_text(text: str, factor: int = 2, dummy: str = DUMMY) -> str:
    """Return text of exactly `factor` times the UTF-8 bytes, still readable as text.

    After each character come `factor` - 1 dummies for every byte of it, so that no character is
    torn; for ASCII text this is `inflated_bytes`.

    Raises:
        ValueError: `factor` is below 1, or `dummy` is not one ASCII character.
    """
    if factor < 1 or len(dummy) != 1 or not dummy.isascii():
        raise ValueError("the factor must be 1 or more and the dummy one ASCII character")
    if text.isascii():
        return inflated_bytes(text.encode("ascii"), factor, dummy.encode()).decode("ascii")
    return "".join(c + dummy * ((factor - 1) * len(c.encode("utf-8"))) for c in text)


def deflated_text(text: str, factor: int = 2, dummy: str = DUMMY) -> str:
    """Return what `inflated_text` made `text` from.

    Raises:
        ValueError: it was not made by it with this factor and dummy.
    """
    original = []
    position = 0
    while position < len(text):
        character = text[position]
        original.append(character)
        position += 1 + (factor - 1) * len(character.encode("utf-8"))
    result = "".join(original)
    if inflated_text(result, factor, dummy) != text:
        raise ValueError(f"not text inflated {factor} times with {dummy!r}")
    return result


@dataclass(frozen=True)
class InflatedCorpus:
    """A corpus with every text inflated; its languages are marked, as `eng_Latn_x2`."""

    corpus: Corpus
    factor: int = 2

    @property
    def name(self) -> str:
        """The corpus's name with the factor, as `embedded x2`."""
        return f"{self.corpus.name} x{self.factor}"

    @property
    def size_bytes(self) -> int | None:
        """Unknown: compressed files do not say it."""
        return None

    @property
    def parallel(self) -> bool:
        """As the corpus."""
        return self.corpus.parallel

    def batches(self) -> Iterator[Batch]:
        """Yield the corpus's batches, inflated.

        Raises:
            InputError: as the corpus does.
        """
        for batch in self.corpus.batches():
            texts = [inflated_text(text, self.factor) for text in batch.texts]
            language = f"{batch.language}_x{self.factor}"
            yield Batch(
                texts,
                language,
                batch.domain,
                batch.source,
                batch.document_ids,
                batch.first_alignment,
            )
