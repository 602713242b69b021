"""A corpus: a name, and documents that can be read as often as needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from corpora.document import Batch, Document, batched
from corpora.readers.settings import InvalidText


class Corpus(Protocol):
    """Text to be measured or trained on.

    Attributes:
        name: what tables and reports call it.
        size_bytes: bytes it holds, about, for progress only; None where unknown (a stream).
        parallel: whether documents of equal alignment number are translations of one another.
    """

    @property
    def name(self) -> str: ...

    @property
    def size_bytes(self) -> int | None: ...

    @property
    def parallel(self) -> bool: ...

    def batches(self) -> Iterator[Batch]:
        """Yield the text in a fixed order, in batches; memory does not grow with the corpus.

        Raises:
            InputError: naming file, line and remedy, at the first document that cannot be read.
        """
        ...


class ReadCorpus(Corpus, Protocol):
    """A corpus read from outside, whose text may turn out not to be valid UTF-8.

    Attributes:
        invalid: the documents of the latest pass that were replaced or skipped for it.
    """

    @property
    def invalid(self) -> InvalidText: ...


@dataclass(frozen=True)
class DocumentCorpus:
    """Documents held in memory, as a corpus."""

    name: str
    documents: Sequence[Document]
    parallel: bool = False
    size_bytes: int | None = field(default=None, init=False)

    def batches(self) -> Iterator[Batch]:
        """Yield the documents in order, in batches."""
        return batched(self.documents)
