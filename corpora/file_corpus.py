"""Corpora that lie in files: separate ones, and aligned ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from corpora.discovery import reader_of
from corpora.document import Batch, gathered
from corpora.errors import InputError, status, unreadable
from corpora.readers.bytes import expected_bytes
from corpora.readers.settings import InvalidText, Reading, ReadSettings, SeenLabels, TextFile
from corpora.readers.txt import LineDomain, read_aligned


@dataclass
class _Files:
    name: str
    files: Sequence[TextFile]
    settings: ReadSettings
    invalid: InvalidText = field(default_factory=InvalidText, init=False)

    @property
    def size_bytes(self) -> int | None:
        """Bytes the files hold, about, decompressed; None where one does not tell.

        Raises:
            InputError: one has gone.
        """
        total = 0
        for file in self.files:
            try:
                size = expected_bytes(file.path)
            except OSError as error:
                raise unreadable(file.path, error) from error
            if size is None:
                return None
            total += size
        return total


@dataclass
class FileCorpus(_Files):
    """Files read one after the other, each by the reader for its kind."""

    parallel: bool = field(default=False, init=False)

    def batches(self) -> Iterator[Batch]:
        """Yield every file's documents.

        Raises:
            InputError: as the readers do, and for a file without any text.
        """
        self.invalid = InvalidText()
        seen = SeenLabels()
        for file in self.files:
            reading = Reading(file, self.settings, self.invalid, seen)
            yield from with_text(file, gathered(reader_of(file, self.settings)(reading)))


@dataclass
class AlignedCorpus(_Files):
    """Text files whose equal lines are translations of one another.

    Attributes:
        document_ids: the document each line belongs to, or None.
        domains: the domain of ranges of lines; others have the file's.
    """

    document_ids: Sequence[str] | None = None
    domains: Sequence[LineDomain] = ()
    parallel: bool = field(default=True, init=False)

    def batches(self) -> Iterator[Batch]:
        """Yield every file's lines, numbered from 1 for alignment.

        Raises:
            InputError: as the reader does, and for a file without any text.
        """
        self.invalid = InvalidText()
        for file in self.files:
            reading = Reading(file, self.settings, self.invalid)
            batches = read_aligned(reading, self.document_ids, self.domains)
            yield from with_text(file, batches)


def with_text(file: TextFile, batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the batches; refuse the file where there are none."""
    empty = True
    for batch in batches:
        empty = False
        yield batch
    if empty:
        found = status(file.path)
        what = "is empty" if found is None or found.st_size == 0 else "holds no text"
        raise InputError(f"{file.path}: {what}; leave it out, or fetch it again")
