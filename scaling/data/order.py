"""The order in which a run reads its text, as it lies or mixed by shares, and what came of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.shards import Shards, Stream
from scaling.data.turns import LanguageRange, LanguageTurns, language_ranges
from scaling.data.windows import (
    Patches,
    TextRows,
    TokenBatch,
    batch_of,
    cut_rows,
    documents_of,
    patches_of,
)
from scaling.spec import RunSpec

_AT_ONCE = 1 << 22  # units


@dataclass(frozen=True)
class Windows:
    """A stream cut into windows, in an order that follows from seed and step alone.

    In every epoch the stream is cut again, from another phase, into the same number of windows, and
    these are read in another order, each once. The phase costs less than one window at each end.
    Phases and orders come from PCG64's raw numbers, which are the same in every NumPy version.
    Where languages have shares of what is read, each is a stream with epochs of its own.

    Attributes:
        stream: the text. window_units: W, units of a window.
        seed: of phases and orders.
        patches: where patches open; None for a model without any.
        shares: of the bytes read, by the number of the language; empty to read the text as it lies.

    Raises:
        InputError: the stream, or a language that is to be read, holds less than one window.
    """

    stream: Stream
    window_units: int
    seed: int = 0
    patches: Patches | None = None
    shares: tuple[float, ...] = ()
    _ranges: list[LanguageRange] = field(init=False, repr=False, compare=False)
    # The begins of the latest two epochs' windows, since a batch may lie across them.
    _begins: dict[int, dict[int, NDArray[np.int64]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        ranges = [LanguageRange(0, self.stream.unit_count, 1.0)]
        if self.shares:
            ranges = language_ranges(self.stream, len(self.shares))
        object.__setattr__(self, "_ranges", ranges)
        self._require(1)

    @property
    def per_epoch(self) -> int:
        """Windows in an epoch, the same in each; of all languages, where they have shares."""
        return sum(map(self._windows, range(len(self._ranges))))

    def _windows(self, language: int) -> int:
        begin, end, _ = self._ranges[language]
        return max(0, end - begin - self.window_units + 1) // self.window_units

    @property
    def turns(self) -> LanguageTurns:
        """Whose window is read when: a share of the bytes is one of the windows by their bytes."""
        shares = np.array(self.shares or (1.0,))
        of_windows = shares / np.array([part.unit_bytes for part in self._ranges])
        return LanguageTurns(of_windows / of_windows.sum())

    def epochs(self, steps: int, rows: int) -> float:
        """Return how often that many steps of that many rows go over the text; over that of the
        language read most often, where languages have shares."""
        of_windows = self.turns.shares
        return max(
            steps * rows * float(share) / self._windows(language)
            for language, share in enumerate(of_windows)
            if share
        )

    def begins(self, epoch: int, language: int = 0) -> NDArray[np.int64]:
        """Return the first units of an epoch's windows, in the order they are read: [per_epoch].

        Args:
            language: its number, where languages have shares.
        """
        known = self._begins.setdefault(language, {})
        if epoch not in known:
            for old in sorted(known)[:-1]:
                del known[old]
            name = [self.seed, epoch, language] if self.shares else [self.seed, epoch]
            numbers = np.random.PCG64(name).random_raw(self._windows(language) + 1)
            order = np.argsort(numbers[1:], kind="stable")
            phase = int(numbers[0]) % self.window_units
            known[epoch] = self._ranges[language].begin + phase + order * self.window_units
        return known[epoch]

    def batch(self, step: int, rows: int, row_range: tuple[int, int] | None = None) -> TokenBatch:
        """Return the batch of a step.

        Args:
            step: from 0. rows: windows of the whole step.
            row_range: the first of them wanted here and the one after the last; None for all.

        Raises:
            InputError: the stream holds fewer windows than one batch.
        """
        self._require(rows)
        low, high = row_range if row_range is not None else (0, rows)
        assert 0 <= low < high <= rows and step >= 0
        return batch_of(self.read(step * rows + low, step * rows + high), self.patches)

    def read(self, first: int, last: int) -> TextRows:
        """Return the windows from number `first` up to `last`, counted from the run's beginning."""
        begins = self.first_units(first, last)
        lengths = np.full(len(begins), self.window_units)
        return cut_rows(self.stream, begins, lengths, self.window_units)

    def first_units(self, first: int, last: int) -> NDArray[np.int64]:
        """Return where those windows begin in the stream."""
        languages, windows = self.turns.rows(first, last)
        begins = np.empty(last - first, np.int64)
        for language in np.unique(languages).tolist():
            of_language = languages == language
            epochs, within = np.divmod(windows, self._windows(language))
            for epoch in np.unique(epochs[of_language]).tolist():
                chosen = of_language & (epochs == epoch)
                begins[chosen] = self.begins(epoch, language)[within[chosen]]
        return begins

    def _require(self, rows: int) -> None:
        if self.shares:
            rows = 1  # a step may go over a language's text more than once
        for language, part in enumerate(self._ranges):
            if self._windows(language) >= rows or (self.shares and not self.shares[language]):
                continue
            units, wanted = part.end - part.begin, (rows + 1) * self.window_units - 1
            raise InputError(
                f"{self.stream.name}: {units:,} units of text, too few for a batch of {rows:,}"
                f" windows of {self.window_units:,} ({wanted:,} at least, for a phase of its own"
                " each epoch); give more text, a smaller batch, or a shorter context"
            )


def windows_of(spec: RunSpec, shards: Shards) -> Windows:
    """Return the windows of the training text that a run reads.

    Raises:
        InputError: there is too little text; or the run has shares of languages, and the shards
            lack one of them, hold none of it out, or have them interleaved.
    """
    stream, names = shards.train, shards.manifest.languages
    shares = [0.0] * len(names)
    for name, share in spec.shares.items():
        held_out = shards.manifest.splits["held_out"].bytes_by_language.get(name, 0)
        if name not in names:
            what = f"holds no {name}, of which the run is to read a share"
            raise InputError(f"{shards.folder}: {what}; it has {', '.join(names)}")
        if not held_out:
            what = f"no text of {name} is held out, so nothing tells what a share of it does"
            raise InputError(f"{shards.folder}: {what}; hold some out")
        shares[names.index(name)] = share
    mixed = tuple(shares) if spec.shares else ()
    return Windows(stream, spec.window_units, spec.seed, patches_of(spec), mixed)


def read_by_language(windows: Windows, steps: int, rows: int, languages: int) -> NDArray[np.int64]:
    """Return what so many steps read of each language: int64 [languages, 2], the bytes of raw text,
    and the tokens, or the patches of a model with some.

    The windows are gone over again, without a model.
    """
    found = np.zeros((2, languages), np.int64)
    total = steps * rows
    part = max(1, _AT_ONCE // windows.window_units)
    for first in range(0, total, part):
        read = windows.read(first, min(first + part, total))
        batch = batch_of(read, windows.patches)
        spoken = windows.stream.languages[documents_of(read, batch.segments)]
        units = np.ones(spoken.shape, np.int64) if batch.starts is None else batch.starts
        for place, values in enumerate((_unit_bytes(read), units)):
            sums = np.bincount(spoken.ravel(), values.ravel(), languages)
            found[place] += sums.astype(np.int64)  # sums below 2^53 are exact
    return found.T


def _unit_bytes(rows: TextRows) -> NDArray[np.int64]:
    """Return the raw bytes of each unit of rows without padding: [rows, W]."""
    stream = rows.stream
    if stream.unit_bytes is None:
        return np.ones(rows.targets.shape, np.int64)
    sizes = stream.unit_bytes[rows.targets].astype(np.int64)
    begun = rows.opens.copy()  # also where a row begins inside a document
    begun[:, 0] = np.isin(rows.begins, stream.documents)
    sizes[begun] -= stream.prefix_bytes
    return sizes
