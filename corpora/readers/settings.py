"""What a reader is told, and what it tells back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from corpora.errors import InputError, did_you_mean, one_line

OnInvalid = Literal["refuse", "replace", "skip"]
Unit = Literal["line", "file"]


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How text is taken out of files.

    Attributes:
        language: of every document, whatever file name or record say; None to believe them.
        domain: of every document, whatever the record says; None to believe it.
        text_field: field of a JSON record, or column of a table, that holds the text.
        unit: whether a document of a text file is a line or the whole file.
        on_invalid: what to do with text that is not valid UTF-8: `refuse` stops with its place,
            `replace` puts U+FFFD for each bad sequence, `skip` leaves the document out. Both of
            the latter are counted.

    Raises:
        InputError: a value is not one of those named, or a label cannot stand in a line.
    """

    language: str | None = None
    domain: str | None = None
    text_field: str = "text"
    unit: Unit = "line"
    on_invalid: OnInvalid = "refuse"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("on_invalid", self.on_invalid, get_args(OnInvalid)),
            ("unit", self.unit, get_args(Unit)),
        ):
            if value not in known:
                raise InputError(
                    f"{name} is {value!r}; it must be one of {', '.join(known)}"
                    + did_you_mean(str(value), known)
                )
        for name, label in (("language", self.language), ("domain", self.domain)):
            if label and label != one_line(label):
                raise InputError(f"{name} is '{label}'; it must be text without control characters")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file to read, and what its name says of it.

    Attributes:
        path: where it lies.
        source: what its documents name as their source.
        language: what the name says, or `und`.
        domain: what is known of it beforehand, or empty.
    """

    path: Path
    source: str
    language: str
    domain: str = ""


@dataclass(slots=True)
class InvalidText:
    """Documents that were not valid UTF-8, counted while a corpus is read.

    Attributes:
        documents: how many were repaired or left out.
        first: place of the first of them, or empty.
    """

    documents: int = 0
    first: str = ""

    def count(self, place: str) -> None:
        """Count one more document, found at `place`."""
        self.documents += 1
        self.first = self.first or place


@dataclass(frozen=True, slots=True)
class Reading:
    """One file being read: what it is, how to read it, and the tally of its invalid text."""

    file: TextFile
    settings: ReadSettings
    invalid: InvalidText

    @property
    def labels(self) -> tuple[str, str]:
        """Language and domain of documents that say nothing of themselves."""
        return (
            self.settings.language or self.file.language,
            self.settings.domain or self.file.domain,
        )
