"""What a corpus is made of: documents, in batches that share a language and a domain.

A document is the unit that is encoded on its own, and the unit that intervals resample: a line of
a text file, a record of a table. Documents that are translations of one another carry the same
alignment number, in every language of a parallel corpus.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import NamedTuple, overload

UNKNOWN_LANGUAGE = "und"  # ISO 639-3's code for "undetermined"
SYNTHETIC = "synthetic:"  # before the name of a source of text
BATCH_BYTES = 1 << 20


class Document(NamedTuple):
    """One text, exactly as it stands in its source.

    Attributes:
        text: the text, its line end left out where the document is a line.
        language: ISO 639-3 code, with the ISO 15924 script where known (`hin_Deva`), or `und`.
        domain: what kind of text it is (`news`, `code`), or empty.
        source: the file or data set it came from.
        document_id: names the document within its source.
        alignment: number shared by translations of one another; None outside a parallel corpus.
    """

    text: str
    language: str = UNKNOWN_LANGUAGE
    domain: str = ""
    source: str = ""
    document_id: str = ""
    alignment: int | None = None


@dataclass(frozen=True, slots=True)
class Numbers(Sequence[str]):
    """Consecutive numbers as names, made when asked for: `Numbers(3, 2)` is ("3", "4")."""

    first: int
    size: int

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        chosen = range(self.first, self.first + self.size)[index]
        return str(chosen) if isinstance(chosen, int) else tuple(map(str, chosen))


@dataclass(frozen=True, slots=True)
class Batch:
    """Up to about a megabyte of documents of one language, domain and source, in order.

    Attributes:
        texts, document_ids: the documents' texts, and as many names.
        first_alignment: alignment number of the first document, the rest following by one; None
            where the documents are not aligned.
    """

    texts: Sequence[str]
    language: str
    domain: str
    source: str
    document_ids: Sequence[str]
    first_alignment: int | None = None

    def __post_init__(self) -> None:
        assert len(self.texts) == len(self.document_ids)


def batched(documents: Iterable[Document], batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
    """Yield the documents, in order, as batches of about `batch_bytes` UTF-8 bytes.

    A batch ends where language, domain or source changes, or where alignment numbers are not
    consecutive. A single document longer than `batch_bytes` is a batch of its own.
    """
    for (language, domain, source, aligned), group in groupby(documents, key=_batch_key):
        texts: list[str] = []
        ids: list[str] = []
        first: int | None = None
        size = 0
        for document in group:
            out_of_step = aligned and first is not None and document.alignment != first + len(texts)
            if texts and (size >= batch_bytes or out_of_step):
                yield Batch(texts, language, domain, source, ids, first)
                texts, ids, first, size = [], [], None, 0
            if not texts:
                first = document.alignment
            texts.append(document.text)
            ids.append(document.document_id)
            size += utf8_length(document.text)
        if texts:
            yield Batch(texts, language, domain, source, ids, first)


def utf8_length(text: str) -> int:
    """Return the number of UTF-8 bytes of `text`."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def _batch_key(document: Document) -> tuple[str, str, str, bool]:
    return document.language, document.domain, document.source, document.alignment is not None


# In characters, which are one to four bytes each.
_ENOUGH = 64 << 10
_MOST_HELD = 8 << 20
_DOCUMENT = 100  # what a document costs beside its characters: an empty one is not free

_Key = tuple[str, str, str]


def gathered(
    batches: Iterable[Batch], enough: int = _ENOUGH, most_held: int = _MOST_HELD
) -> Iterator[Batch]:
    """Yield the batches, small ones of one language, domain and source joined.

    Every batch that counts are cached for costs time and a file, so that a thousand domains,
    shuffled, would cost a batch for nearly each record. Within a language, domain and source the
    order stays. Aligned batches pass as they are.

    Args:
        enough: characters at which a batch is yielded.
        most_held: characters held back at most; beyond them the largest batch is yielded.
    """
    held: dict[_Key, list[Batch]] = {}
    sizes: dict[_Key, int] = {}
    total = 0
    for batch in batches:
        key = (batch.language, batch.domain, batch.source)
        size = sum(map(len, batch.texts)) + _DOCUMENT * len(batch.texts)
        if batch.first_alignment is not None or (size >= enough and key not in held):
            yield batch
            continue
        held.setdefault(key, []).append(batch)
        sizes[key] = sizes.get(key, 0) + size
        total += size
        while sizes.get(key, 0) >= enough or total > most_held:
            full = key if sizes.get(key, 0) >= enough else max(sizes, key=sizes.__getitem__)
            total -= sizes.pop(full)
            yield _joined(held.pop(full))
    yield from map(_joined, held.values())


def _joined(batches: list[Batch]) -> Batch:
    first, *rest = batches
    if not rest:
        return first
    texts = list(chain.from_iterable(batch.texts for batch in batches))
    ids = list(chain.from_iterable(batch.document_ids for batch in batches))
    return Batch(texts, first.language, first.domain, first.source, ids)
