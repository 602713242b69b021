"""What a reader is told, and what it tells back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from corpora.arguments import whole
from corpora.document import Batch
from corpora.errors import InputError, did_you_mean, sanitize
from corpora.languages import said_language

OnInvalid = Literal["refuse", "replace", "skip"]
Unit = Literal["line", "file"]

MAX_DOCUMENT_BYTES = 256_000_000  # unless told otherwise
LEAST_DOCUMENT_BYTES = 1_000_000  # of that limit: text is read in blocks of a quarter of it
MOST_LABELS = 1000  # different languages, or domains, that the records of one corpus may name
_SHOWN = 40  # characters shown of such a label
_MOST_SHOWN = 8  # such labels


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How text is taken out of files.

    Attributes:
        language: of every document, whatever file name or record say; None to believe them.
        domain: of every document, whatever the record says; None to believe it.
        text_field: field of a JSON record, or column of a table, that holds the text.
        unit: whether a document of a text file is a line or the whole file.
        language_field: field or column that says each record's language; None for `language`, or
            else `lang` or `locale` where a file has it, which is noted.
        on_invalid: what to do with text that is not valid UTF-8: `refuse` stops with its place,
            `replace` puts U+FFFD for each bad sequence, `skip` leaves the document out. Both of
            the latter are counted.
        max_document_bytes: beyond which a document (a line, a record, a whole file) is refused; it
            is held in memory, as all text between two line ends is.

    Raises:
        InputError: a value is not one of those named, a limit is no number or below a megabyte, or
            a label cannot stand in a line.
    """

    language: str | None = None
    domain: str | None = None
    text_field: str = "text"
    unit: Unit = "line"
    on_invalid: OnInvalid = "refuse"
    language_field: str | None = None
    max_document_bytes: int = MAX_DOCUMENT_BYTES

    def __post_init__(self) -> None:
        for name, kind in (("on_invalid", OnInvalid), ("unit", Unit)):
            value, known = getattr(self, name), get_args(kind)
            if value not in known:
                raise InputError(
                    f"{name} is {value!r}; it must be one of {', '.join(known)}"
                    + did_you_mean(str(value), known)
                )
        whole("max_document_bytes", self.max_document_bytes, LEAST_DOCUMENT_BYTES)
        for name, label in (("language", self.language), ("domain", self.domain)):
            if label and label != sanitize(label):
                raise InputError(f"{name} is '{label}'; it must be text without control characters")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file to read, and what its name says of it.

    Attributes:
        path: where it lies. source: what its documents name as their source.
        language: what the name says, or `und`. domain: what is known of it beforehand, or empty.
        called: what messages call it, where that is not its path.
    """

    path: Path
    source: str
    language: str
    domain: str = ""
    called: str = ""

    @property
    def place(self) -> str:
        """What messages call it."""
        return self.called or str(self.path)


@dataclass(slots=True)
class InvalidText:
    """Documents that were not valid UTF-8, counted while a corpus is read.

    Attributes:
        documents: how many were repaired or left out. first: place of the first, or empty.
    """

    documents: int = 0
    first: str = ""

    def count(self, place: str) -> None:
        """Count one more document, found at `place`."""
        self.documents += 1
        self.first = self.first or place


@dataclass(slots=True)
class SeenLabels:
    """Languages and domains that the records of a corpus name, while it is read.

    Each becomes a group of results of its own. A field that is different in nearly every record
    (an address, a title) is no label, and groups by it would exhaust memory.

    Attributes:
        unknown: languages that no standard knows, as they are written.
        guessed: fields other than `language` that were taken for it.
    """

    languages: dict[str, None] = field(default_factory=dict)
    domains: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    guessed: dict[str, None] = field(default_factory=dict)

    def notes(self) -> Iterator[str]:
        """Yield what a person should know of the labels, a line each."""
        for name in self.guessed:
            yield (
                f"the field {name!r} is taken for the language (`language_field` names another,"
                " `language` one for all)"
            )
        if self.unknown:
            shown = ", ".join(each[:_SHOWN] for each in [*self.unknown][:_MOST_SHOWN])
            more = len(self.unknown) - _MOST_SHOWN
            others = f" and {more} others" if more > 0 else ""
            yield f"languages that no standard knows are kept as they are: {shown}{others}"

    def add(self, name: Literal["language", "domain"], labels: Iterable[str], place: str) -> None:
        """Add labels that records at `place` have in their field `name`.

        Raises:
            InputError: the corpus has too many different ones.
        """
        seen = self.languages if name == "language" else self.domains
        seen.update(dict.fromkeys(labels))
        if len(seen) > MOST_LABELS:
            example = next(reversed(seen))[:_SHOWN]
            raise InputError(
                f"{place}: more than {MOST_LABELS:,} different values of {name!r}, such as"
                f" {example!r}, are too many to measure apart; give all text one with"
                f" `{name}=NAME`, or rename that field"
            )


@dataclass(frozen=True, slots=True)
class Reading:
    """One file being read: what it is, how to read it, and the tallies of what was met.

    Attributes:
        invalid: counts the corpus's invalid text. seen: collects the corpus's labels.
    """

    file: TextFile
    settings: ReadSettings
    invalid: InvalidText
    seen: SeenLabels = field(default_factory=SeenLabels)

    @property
    def labels(self) -> tuple[str, str]:
        """Language and domain of documents that say nothing of themselves."""
        settings, file = self.settings, self.file
        return settings.language or file.language, settings.domain or file.domain


LABEL_FIELDS = ("language", "domain", "id")
LANGUAGE_FIELDS = ("language", "lang", "locale")  # in the order in which one is looked for


class RecordColumns(NamedTuple):
    """Consecutive records of a file or table, column by column, all of one length.

    Attributes:
        texts: the texts. ids: their names.
        languages, domains: what each record says of itself, believed where it is a non-empty
            string; None where no record says anything.
    """

    texts: Sequence[str]
    ids: Sequence[str]
    languages: Sequence[Any] | None = None
    domains: Sequence[Any] | None = None


def batches_of(records: RecordColumns, reading: Reading) -> Iterator[Batch]:
    """Yield the records as one batch for each language and domain among them.

    Within a language and domain the order is the file's. What the settings say goes before what
    a record says, and that before what the file's name says.

    Raises:
        InputError: the corpus's records name too many different languages or domains.
    """
    count = len(records.texts)
    if not count:
        return
    settings, source = reading.settings, reading.file.source
    languages = settings.language or _labels("language", records.languages, reading)
    domains = settings.domain or _labels("domain", records.domains, reading)
    if isinstance(languages, str) and isinstance(domains, str):
        yield Batch(records.texts, languages, domains, source, records.ids)
        return
    groups: dict[tuple[str, str], list[int]] = {}
    for index in range(count):
        language = languages if isinstance(languages, str) else languages[index]
        domain = domains if isinstance(domains, str) else domains[index]
        groups.setdefault((language, domain), []).append(index)
    for (language, domain), members in groups.items():
        texts = [records.texts[i] for i in members]
        ids = [records.ids[i] for i in members]
        yield Batch(texts, language, domain, source, ids)


def record_id(value: object, number: int) -> str:
    """Return the record's own name where it has one, else its number."""
    if isinstance(value, str) and value:
        return value if value.isprintable() else sanitize(value)
    return str(value if isinstance(value, int) and not isinstance(value, bool) else number)


def language_column(columns: Iterable[str], place: str, reading: Reading) -> str | None:
    """Return which of a table's columns says the language of its rows; None where none does.

    Args:
        place: of the table, for the refusal.

    Raises:
        InputError: the one asked for is not there.
    """
    columns, settings = list(columns), reading.settings
    if settings.language:
        return None
    asked = settings.language_field
    if asked is not None and asked not in columns:
        there = ", ".join(map(repr, columns)) or "none"
        near = did_you_mean(asked, columns) or "; name the right one with `language_field`"
        raise InputError(f"{place}: no column {asked!r}; the table has {there}{near}")
    found = asked or next((name for name in LANGUAGE_FIELDS if name in columns), None)
    if found is not None and asked is None and found != LANGUAGE_FIELDS[0]:
        reading.seen.guessed.setdefault(found)
    return found


def _labels(
    name: Literal["language", "domain"], said: Sequence[Any] | None, reading: Reading
) -> str | list[str]:
    """Return each record's label, or the one that all of them have."""
    otherwise = reading.file.language if name == "language" else reading.file.domain
    if said is None:
        return otherwise
    labels = [s if isinstance(s, str) and s else otherwise for s in said]
    safe = {label: label for label in dict.fromkeys(labels)}
    for label in safe:
        if name == "domain":
            safe[label] = sanitize(label)
        elif label != otherwise:
            safe[label], known = said_language(label)
            if not known:
                reading.seen.unknown.setdefault(safe[label])
    reading.seen.add(name, safe.values(), str(reading.file.path))
    return safe[labels[0]] if len(safe) == 1 else [safe[label] for label in labels]
