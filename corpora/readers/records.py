"""Records that may say their own language and domain, as batches."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from corpora.document import Batch
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
    """
    count = len(records.texts)
    if not count:
        return
    settings, source = reading.settings, reading.file.source
    languages = _labels(settings.language, records.languages, reading.file.language)
    domains = _labels(settings.domain, records.domains, reading.file.domain)
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
    named = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    return str(value) if named else str(number)


def _labels(given: str | None, said: Sequence[Any] | None, otherwise: str) -> str | list[str]:
    if given:
        return given
    if said is None:
        return otherwise
    labels = [s if isinstance(s, str) and s else otherwise for s in said]
    return labels[0] if labels.count(labels[0]) == len(labels) else labels
