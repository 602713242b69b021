"""From what a person writes to a corpus: a path, a declared name, or a hub data set."""

from dataclasses import replace
from pathlib import Path

from corpora.corpus import ReadCorpus
from corpora.declarations import declared_corpus, declared_names, open_manifest
from corpora.discovery import aligned_files, text_files
from corpora.document import UNKNOWN_LANGUAGE
from corpora.errors import InputError, did_you_mean, one_line
from corpora.file_corpus import AlignedCorpus, FileCorpus
from corpora.languages import is_language_script
from corpora.paths import existing, names_in, status
from corpora.readers.settings import OnInvalid, ReadSettings, Unit
from corpora.stdlib import NAME as STDLIB
from corpora.stdlib import stdlib_files

HUB = "hub:"


def open_corpus(
    spec: str,
    *,
    language: str | None = None,
    domain: str | None = None,
    text_field: str = "text",
    unit: Unit = "line",
    on_invalid: OnInvalid = "refuse",
    parallel: bool | None = None,
) -> ReadCorpus:
    """Return the corpus that `spec` names.

    Nothing is read yet but line counts, and a manifest's files for their declared checksums.

    Args:
        spec: a declared name (`embedded`; `embedded:hin_Deva,eng_Latn` for some languages),
            `stdlib` for the sources of Python's standard library, a hub data set
            (`hub:NAME[:CONFIG[:SPLIT]]`), a manifest (`.toml`), a file or a folder. A name goes
            before a path of the same name; write `./embedded` for the path.
        language: of every document, whatever file names and records say.
        domain: of every document, likewise.
        text_field: JSON field or table column that holds the text.
        unit: whether a document of a text file is a line or the whole file.
        on_invalid: `refuse`, `replace` or `skip` text that is not UTF-8.
        parallel: whether a folder of `xxx_Xxxx.txt` is one aligned corpus; None to see by itself.

    Raises:
        InputError: it names nothing; a setting is unknown; parallel files do not align; a file is
            not what its manifest declares.
    """
    settings = ReadSettings(language, domain, text_field, unit, on_invalid)
    if spec.startswith(HUB):
        return _hub_corpus(spec, settings)
    if spec == STDLIB:
        code = replace(settings, domain=domain or "code", unit="file", on_invalid="skip")
        return FileCorpus(STDLIB, stdlib_files(), code)
    name, _, chosen = spec.partition(":")
    if name in declared_names():
        return declared_corpus(name, settings, _languages(chosen, spec))
    path = Path(spec)
    is_bare_word = path.name == spec and not path.suffix
    if status(path) is None and is_bare_word and not path.is_symlink():
        near = did_you_mean(name, (*declared_names(), *names_in(Path())))
        raise InputError(
            f"{spec}: neither a file or folder here nor a declared corpus"
            f"{near or f' ({chr(44).join(declared_names())})'}"
        )
    existing(path)
    if path.suffix == ".toml" and path.is_file():
        return open_manifest(path, settings, ())
    return _path_corpus(path, settings, parallel)


def _path_corpus(path: Path, settings: ReadSettings, parallel: bool | None) -> ReadCorpus:
    name = one_line(path.resolve().name or path)
    if settings.unit == "file" and parallel is None:
        parallel = False
    aligned = aligned_files(path, parallel)
    if aligned is not None:
        return AlignedCorpus(name, aligned.files, settings, aligned.document_ids)
    return FileCorpus(name, text_files(path), settings)


def _hub_corpus(spec: str, settings: ReadSettings) -> ReadCorpus:
    from corpora.hub import HubCorpus
    from corpora.manifest import HubSet

    dataset, *rest = spec.removeprefix(HUB).split(":")
    if not dataset or len(rest) > 2:
        raise InputError(f"{spec}: must be hub:NAME, hub:NAME:CONFIG or hub:NAME:CONFIG:SPLIT")
    config, split = (*(part or None for part in rest), None, None)[:2]
    language = config if config and is_language_script(config) else UNKNOWN_LANGUAGE
    hub = HubSet(
        dataset=dataset,
        split=split,
        configs={language: config} if config else {},
        text_column=settings.text_field,
    )
    return HubCorpus(one_line(spec), hub, settings)


def _languages(chosen: str, spec: str) -> tuple[str, ...]:
    languages = tuple(filter(None, chosen.split(",")))
    if ":" in spec and not languages:
        raise InputError(f"{spec}: name languages after the colon, such as hin_Deva,eng_Latn")
    return languages
