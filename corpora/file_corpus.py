"""Corpora that lie in files: separate ones, and aligned ones."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from corpora.discovery import reader_of
from corpora.document import Batch, gathered
from corpora.errors import InputError, did_you_mean, status, unreadable
from corpora.languages import same_languages
from corpora.readers.decompressed import expected_bytes
from corpora.readers.settings import InvalidText, Reading, ReadSettings, SeenLabels, TextFile
from corpora.readers.txt import LineDomain, read_aligned


@dataclass
class _Files:
    name: str
    files: Sequence[TextFile]
    settings: ReadSettings
    invalid: InvalidText = field(default_factory=InvalidText, init=False)
    seen: SeenLabels = field(default_factory=SeenLabels, init=False)
    languages_read: dict[str, None] = field(default_factory=dict, init=False)

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
    """Files read one after the other, each by the reader for its kind.

    Attributes:
        languages: those to read; empty for every one.
    """

    languages: Sequence[str] = ()
    parallel: bool = field(default=False, init=False)

    def batches(self) -> Iterator[Batch]:
        """Yield every file's documents.

        Raises:
            InputError: as the readers do, for a file without any text, and for a language asked
                for that no document is in.
        """
        self.invalid, self.seen = InvalidText(), SeenLabels()
        self.languages_read = {}
        found: dict[str, None] = {}
        for file in self.files:
            reading = Reading(file, self.settings, self.invalid, self.seen)
            for batch in with_text(file, gathered(reader_of(file, self.settings)(reading))):
                self.languages_read.setdefault(batch.language)
                asked = [w for w in self.languages if same_languages(w, [batch.language])]
                if asked or not self.languages:
                    found.update(dict.fromkeys(asked))
                    yield batch
        for language in self.languages:
            if language not in found:
                raise no_language(self.name, language, self.languages_read)


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
        self.languages_read = dict.fromkeys(
            self.settings.language or file.language for file in self.files
        )
        for file in self.files:
            reading = Reading(file, self.settings, self.invalid)
            batches = read_aligned(reading, self.document_ids, self.domains)
            yield from with_text(file, batches)


def no_language(name: str, language: str, known: Iterable[str]) -> InputError:
    """Return the refusal of a language that a corpus does not have."""
    known = list(known)
    hint = did_you_mean(language, known) or f"; it has {', '.join(known)}"
    return InputError(f"{name}: no language {language!r}{hint}")


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
