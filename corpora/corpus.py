"""A corpus: a name, and documents that can be read as often as needed."""

from collections.abc import Iterator
from typing import Protocol

from corpora.document import Batch


class Corpus(Protocol):
    """Text to be measured or trained on.

    Attributes:
        name: what tables and reports call it.
        size_bytes: bytes on disk, for progress only; None where unknown (a stream).
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
