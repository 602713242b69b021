"""Several corpora as one, of which each has its share of the bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corpora.corpus import Corpus
from corpora.document import Batch
from corpora.errors import InputError


@dataclass(frozen=True)
class MixedCorpus:
    """A mixture: batches of the corpora in turn, each time of the one furthest behind its share.

    It ends with the first corpus that is used up, so the shares hold to within a batch of every
    corpus, whatever their sizes; what is left of the others is not read.

    Attributes:
        corpora: whose text it is. weights: shares of the bytes, of any sum.
    """

    corpora: Sequence[Corpus]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        """Check the weights.

        Raises:
            InputError: there is not one positive weight for each corpus.
        """
        if not self.corpora or len(self.weights) != len(self.corpora) or min(self.weights) <= 0:
            raise InputError("a mixture needs corpora, and one weight above 0 for each")

    @property
    def name(self) -> str:
        """The corpora's names with their shares, as `0.75 eng + 0.25 hin`."""
        total = sum(self.weights)
        pairs = zip(self.weights, self.corpora, strict=True)
        return " + ".join(f"{weight / total:.4g} {corpus.name}" for weight, corpus in pairs)

    @property
    def size_bytes(self) -> int | None:
        """Unknown: it ends with the first corpus that is used up."""
        return None

    @property
    def parallel(self) -> bool:
        """No document translates another."""
        return False

    def batches(self) -> Iterator[Batch]:
        """Yield batches of the corpora, in an order that follows from their bytes alone.

        Raises:
            InputError: as the corpora do.
        """
        sources = [corpus.batches() for corpus in self.corpora]
        read = [0.0] * len(sources)  # bytes over the weight
        while True:
            behind = read.index(min(read))
            batch = next(sources[behind], None)
            if batch is None:
                return
            yield batch
            size = sum(len(text.encode("utf-8")) for text in batch.texts)
            read[behind] += size / self.weights[behind]
