"""The documents of a stream of bytes, as a corpus: what is trained on, and nothing held out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from corpora.document import Batch, Document, batched
from scaling.data.shards import Stream


@dataclass(frozen=True)
class StreamCorpus:
    """A corpus of a stream's documents.

    Attributes:
        stream: of bytes. name: what tables call it.
    """

    stream: Stream
    name: str

    @property
    def size_bytes(self) -> int | None:
        """Bytes of the stream."""
        return self.stream.byte_count

    @property
    def parallel(self) -> bool:
        """No document translates another."""
        return False

    def batches(self) -> Iterator[Batch]:
        """Yield the documents in order."""
        documents = (self.stream.document(index) for index in range(self.stream.document_count))
        return batched(Document(np.asarray(d, np.uint8).tobytes().decode()) for d in documents)
