"""Data sets of the Hugging Face hub, streamed; no code from them is ever run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from corpora.document import UNKNOWN_LANGUAGE, Batch, Document, batched, gathered
from corpora.errors import InputError, did_you_mean, install_hint, sanitize
from corpora.manifest import HubSet
from corpora.readers.settings import InvalidText, ReadSettings, SeenLabels, record_id

_ROWS = 256  # rows asked of the library at once
_REASON_LENGTH = 300

HubRows = dict[str, list[Any]]


@dataclass
class HubCorpus:
    """A data set of the hub: each language's configuration in turn, or one that holds them all.

    Attributes:
        name: what tables and reports call it. hub: what to read.
        settings: `language` and `domain` go before what the data says; the other settings are for
            files (a hub table's text is UTF-8 by construction).
        languages: those to read; empty for every one.
        parallel: whether equal rows of the languages are translations; rows count from 1.
    """

    name: str
    hub: HubSet
    settings: ReadSettings
    languages: Sequence[str] = ()
    parallel: bool = False
    size_bytes: int | None = field(default=None, init=False)
    invalid: InvalidText = field(default_factory=InvalidText, init=False)

    def batches(self) -> Iterator[Batch]:
        """Yield the documents of each configuration.

        Raises:
            InputError: `datasets` is not installed, the hub cannot be reached, or the data set,
                its configuration, split or column is not there, or a row has no text, or rows
                name too many different languages or domains.
        """
        seen = SeenLabels()
        for language, config in self._configs():
            source = sanitize(":".join(filter(None, (self.hub.dataset, config))))
            yield from gathered(batched(self._documents(language, config, source, seen)))

    def _configs(self) -> Iterator[tuple[str, str | None]]:
        if not self.hub.configs:
            yield UNKNOWN_LANGUAGE, self.hub.config
        for language, config in self.hub.configs.items():
            if not self.languages or language in self.languages:
                yield language, config

    def _documents(
        self, language: str, config: str | None, source: str, seen: SeenLabels
    ) -> Iterator[Document]:
        hub, settings = self.hub, self.settings
        number = 0
        for rows in streamed_rows(hub, config):
            texts = rows[hub.text_column]
            labels = [_label(rows, hub, row) for row in range(len(texts))]
            ids = rows[hub.id_column] if hub.id_column else [None] * len(texts)
            domains = rows[hub.domain_column] if hub.domain_column else [None] * len(texts)
            for text, label, name, domain in zip(texts, labels, ids, domains, strict=True):
                number += 1
                if not isinstance(text, str):
                    raise InputError(
                        f"{source}: row {number} has no text in column {hub.text_column!r};"
                        " name the column that holds the text with `text_field`"
                    )
                if len(text) > settings.max_document_bytes:
                    raise InputError(
                        f"{source}: row {number} has {len(text):,} characters; if it is one"
                        f" document, raise `max_document_bytes` ({settings.max_document_bytes:,})"
                    )
                if label and self.languages and label not in self.languages:
                    continue
                said = sanitize(domain) if isinstance(domain, str) else ""
                if not settings.language:
                    seen.add("language", [label or language], source)
                if not settings.domain:
                    seen.add("domain", [said], source)
                yield Document(
                    text,
                    settings.language or label or language,
                    settings.domain or said,
                    source,
                    record_id(name, number),
                    number if self.parallel else None,
                )
        if not number:
            raise InputError(f"{source}: holds no rows; name another split")


def streamed_rows(hub: HubSet, config: str | None) -> Iterator[HubRows]:
    """Yield the rows of one configuration, some hundred at a time, as lists by column.

    Raises:
        InputError: see `HubCorpus.batches`; the library's reason is given in one line.
    """
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f"hub:{hub.dataset}: reading from the hub needs the datasets library ({error});"
            f" {install_hint('hub')}"
        ) from error
    if int(datasets.__version__.split(".")[0]) < 4:
        # Older versions can run a loading script that comes with the data.
        raise InputError(
            f"hub:{hub.dataset}: needs datasets 4 or newer, which runs no code from a data set;"
            f" {datasets.__version__} is installed; {install_hint('hub')}"
        )
    datasets.disable_progress_bars()
    try:
        table = datasets.load_dataset(
            hub.dataset, config, split=hub.split, revision=hub.revision, streaming=True
        )
        if isinstance(table, dict):
            table = table[_only_split(hub, list(table))]
        wanted = _columns(hub)
        if table.column_names is not None:
            _check_columns(hub, wanted, table.column_names)
            table = table.select_columns(wanted)
        if hub.take is not None:
            table = table.take(hub.take)
        for rows in table.iter(batch_size=_ROWS):
            _check_columns(hub, wanted, list(rows))
            yield rows
    except InputError:
        raise
    except Exception as error:
        # Whatever the library or its network layer raises (its own errors, and those of several
        # HTTP libraries over its versions), a person can only act on name, network and access.
        raise InputError(f"hub:{hub.dataset}: {_reason(error)}") from error


def _columns(hub: HubSet) -> list[str]:
    labels = (hub.id_column, hub.language_column, hub.script_column, hub.domain_column)
    return list(dict.fromkeys((hub.text_column, *filter(None, labels))))


def _check_columns(hub: HubSet, wanted: Sequence[str], present: Sequence[str]) -> None:
    for column in wanted:
        if column not in present:
            raise InputError(
                f"hub:{hub.dataset}: no column {column!r}; it has"
                f" {', '.join(map(repr, present))}"
                f"{did_you_mean(column, present) or '; name the right one with `text_field`'}"
            )


def _only_split(hub: HubSet, splits: list[str]) -> str:
    if len(splits) == 1:
        return splits[0]
    if "train" in splits:
        return "train"
    raise InputError(
        f"hub:{hub.dataset}: has splits {', '.join(splits)}; name one, as hub:NAME:CONFIG:SPLIT"
    )


def _label(rows: HubRows, hub: HubSet, row: int) -> str:
    """Return the row's own language and script, or an empty string."""
    parts = [rows[c][row] for c in (hub.language_column, hub.script_column) if c]
    return sanitize("_".join(part for part in parts if isinstance(part, str) and part))


def _reason(error: Exception) -> str:
    said = (str(error).strip() or repr(error)).splitlines()[0]
    if len(said) > _REASON_LENGTH:
        said = said[:_REASON_LENGTH] + " ..."
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "gated" in said.lower():
        remedy = "accept its terms on its page, then sign in with: hf auth login"
    elif kinds & {"DatasetNotFoundError", "FileNotFoundError", "RepositoryNotFoundError"}:
        remedy = "check the name (owner/name), or sign in with hf auth login if it is private"
    elif kinds & {"ConnectionError", "ConnectError", "TimeoutException", "HfHubHTTPError"}:
        remedy = "the hub could not be reached: check the network, or use a corpus in files"
    else:
        remedy = "check name, configuration and split"
    return f"{type(error).__name__}: {said}; {remedy}"
