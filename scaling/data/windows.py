"""The order in which a model reads its text."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.batch import Batch, EvaluationBatch
from scaling.data.rows import batch_of, cut_rows, documents_of
from scaling.data.shards import Stream
from scaling.data.starts import Patches


@dataclass(frozen=True)
class Windows:
    """A stream cut into windows, in an order that follows from seed and step alone.

    In every epoch the stream is cut anew, from another phase, into the same number of windows, and
    these are read in another order, each once. The phase costs less than one window at each end.
    Phases and orders come from PCG64's raw numbers, which are the same in every NumPy version.

    Attributes:
        stream: the text.
        window_units: W, units of a window.
        seed: of phases and orders.
        patches: where patches open; None for a model without any.

    Raises:
        InputError: the stream holds less than one window.
    """

    stream: Stream
    window_units: int
    seed: int = 0
    patches: Patches | None = None
    # The begins of the latest two epochs' windows, since a batch may lie across them.
    _begins: dict[int, NDArray[np.int64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.window_units < 1 or self.seed < 0:
            raise ValueError("windows hold 1 unit or more, and a seed is not negative")
        self._require(1)

    @property
    def per_epoch(self) -> int:
        """Windows in an epoch, the same in each."""
        return max(0, self.stream.unit_count - self.window_units + 1) // self.window_units

    @property
    def unique_bytes(self) -> int:
        """Bytes of raw text in the stream."""
        return self.stream.byte_count

    def epochs(self, steps: int, rows: int) -> float:
        """Return how often that many steps of that many rows go over the text."""
        return steps * rows / self.per_epoch

    def begins(self, epoch: int) -> NDArray[np.int64]:
        """Return the first units of an epoch's windows, in the order they are read: [per_epoch]."""
        known = self._begins
        if epoch not in known:
            for old in sorted(known)[:-1]:
                del known[old]
            numbers = np.random.PCG64([self.seed, epoch]).random_raw(self.per_epoch + 1)
            order = np.argsort(numbers[1:], kind="stable")
            phase = int(numbers[0]) % self.window_units
            known[epoch] = phase + order * self.window_units
        return known[epoch]

    def batch(self, step: int, rows: int, row_range: tuple[int, int] | None = None) -> Batch:
        """Return the batch of a step.

        Args:
            step: from 0.
            rows: windows of the whole step.
            row_range: the first of them wanted here and the one after the last; None for all.

        Raises:
            InputError: the stream holds fewer windows than one batch.
        """
        self._require(rows)
        low, high = row_range if row_range is not None else (0, rows)
        assert 0 <= low < high <= rows and step >= 0
        read = np.arange(step * rows + low, step * rows + high)
        epochs, within = np.divmod(read, self.per_epoch)
        begins = np.empty(len(read), np.int64)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            chosen = epochs == epoch
            begins[chosen] = self.begins(epoch)[within[chosen]]
        lengths = np.full(len(begins), self.window_units)
        return batch_of(cut_rows(self.stream, begins, lengths, self.window_units), self.patches)

    def _require(self, rows: int) -> None:
        if self.per_epoch < rows:
            units, wanted = self.stream.unit_count, (rows + 1) * self.window_units - 1
            raise InputError(
                f"{self.stream.name}: {units:,} units of text, too few for a batch of {rows:,}"
                f" windows of {self.window_units:,} ({wanted:,} at least, for a phase of its own"
                " each epoch); give more text, a smaller batch, or a shorter context"
            )


def evaluation_windows(
    stream: Stream, window_units: int, rows: int, patches: Patches | None = None
) -> Iterator[EvaluationBatch]:
    """Yield the whole stream in order, every unit once, with the document each belongs to.

    A document longer than a window is cut every `window_units` units, counted from its start, and
    each part begins afresh; one that would fit into a window is never cut. What is left of a row
    takes the documents that follow, if they fit whole.

    Args:
        window_units: W. rows: of a batch; the last batch has fewer.

    Raises:
        InputError: the stream is empty.
    """
    if not stream.unit_count:
        raise InputError(f"{stream.name}: there is no text to evaluate on; hold some out")
    begins: list[int] = []
    lengths: list[int] = []
    for begin, end in _whole_documents(stream.documents, window_units):
        begins.append(begin)
        lengths.append(end - begin)
        if len(begins) == rows or end == stream.unit_count:
            cut = cut_rows(stream, np.array(begins), np.array(lengths), window_units)
            batch = batch_of(cut, patches)
            yield EvaluationBatch(batch, documents_of(cut, batch.pieces))
            begins, lengths = [], []


def _whole_documents(documents: NDArray[np.int64], width: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of stretches of at most `width` units that cut only long documents."""
    begin, total = 0, int(documents[-1])
    while begin < total:
        # The last document end within reach; none is, where this document is longer.
        end = int(documents[np.searchsorted(documents, begin + width, side="right") - 1])
        if end <= begin:
            end = begin + width
        yield begin, end
        begin = end
