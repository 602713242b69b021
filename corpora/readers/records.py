"""Records that may say their own language and domain, as batches."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from corpora.document import Batch
from corpora.errors import one_line
from corpora.readers.settings import Reading

LABEL_FIELDS = ("language", "domain", "id")


class Records(NamedTuple):
    """Consecutive records of a file or table, column by column, all of one length.

    Attributes:
        texts: the texts.
        ids: their names.
        languages, domains: what each record says of itself, believed where it is a non-empty
            string; None where no record says anything.
    """

    texts: Sequence[str]
    ids: Sequence[str]
    languages: Sequence[Any] | None = None
    domains: Sequence[Any] | None = None


def batches_of(records: Records, reading: Reading) -> Iterator[Batch]:
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
        return value if value.isprintable() else one_line(value)
    return str(value if isinstance(value, int) and not isinstance(value, bool) else number)


def _labels(
    name: Literal["language", "domain"], said: Sequence[Any] | None, reading: Reading
) -> str | list[str]:
    """Return each record's label, or the one that all of them have."""
    otherwise = reading.file.language if name == "language" else reading.file.domain
    if said is None:
        return otherwise
    labels = [s if isinstance(s, str) and s else otherwise for s in said]
    safe = {label: one_line(label) for label in dict.fromkeys(labels)}
    reading.seen.add(name, safe.values(), str(reading.file.path))
    return safe[labels[0]] if len(safe) == 1 else [safe[label] for label in labels]
