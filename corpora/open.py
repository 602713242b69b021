"""From what a person writes to a corpus: a path, a declared name, a hub data set, a source.

Declared corpora come with the package, or have a manifest of the user's own.
"""

import atexit
import contextlib
import json
import logging
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from corpora.arguments import listed
from corpora.corpus import ReadCorpus
from corpora.discovery import aligned_files, common_lines, enumerated, is_text, text_files
from corpora.document import SYNTHETIC, UNKNOWN_LANGUAGE
from corpora.errors import InputError, did_you_mean, existing, names_in, sanitize, status
from corpora.file_corpus import AlignedCorpus, FileCorpus, no_language
from corpora.languages import language_of, same_languages
from corpora.locks import SCRATCH, scratch_folder
from corpora.readers.bytes import UTF8_SIGNATURE
from corpora.readers.decompressed import TornFileError, blocks
from corpora.readers.settings import (
    MAX_DOCUMENT_BYTES,
    OnInvalid,
    ReadSettings,
    TextFile,
    Unit,
)
from corpora.readers.txt import LineDomain

HUB = "hub:"
STDLIB = "stdlib"
STDIN = "-"


def open_corpus(
    spec: str,
    *,
    language: str | None = None,
    domain: str | None = None,
    text_field: str = "text",
    unit: Unit = "line",
    on_invalid: OnInvalid = "refuse",
    parallel: bool | None = None,
    language_field: str | None = None,
    glob: str | Sequence[str] = (),
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> ReadCorpus:
    """Return the corpus that `spec` names.

    Nothing is read yet but line counts, and a manifest's files for their declared checksums.

    Args:
        spec: a declared name (`embedded`; `embedded:hin_Deva,eng_Latn` for some languages),
            `stdlib` for the sources of Python's standard library, a hub data set
            (`hub:NAME[:CONFIG[:SPLIT]]`), text of a known entropy rate (`synthetic:markov`,
            `synthetic:zipf`), a manifest (`.toml`), a file or a folder (`FOLDER:hin_Deva,en` for
            some languages), or `-` for standard input. A name goes before a path of the same name;
            write `./embedded` for the path.
        language: of every document, whatever file names and records say.
        domain: of every document, likewise.
        text_field: JSON field or table column that holds the text.
        unit: whether a document of a text file is a line or the whole file.
        on_invalid: `refuse`, `replace` or `skip` text that is not UTF-8.
        parallel: whether a folder of `xxx_Xxxx.txt` is one aligned corpus; None to see by itself.
        language_field: JSON field or table column that says each record's language; None for
            `language`, or else `lang` or `locale`.
        glob: which files of a folder to read, such as `*.md`; by default those of known kinds.
        max_document_bytes: a longer document (line, record, whole file) is refused.

    Raises:
        InputError: it names nothing; a setting is unknown; parallel files do not align; a file is
            not what its manifest declares.
    """
    settings = ReadSettings(
        language, domain, text_field, unit, on_invalid, language_field, max_document_bytes
    )
    globs = listed("glob", glob)
    if not spec.strip():
        raise InputError(
            "an empty name is no corpus; give a file, a folder (. for this one) or a name"
        )
    if spec.startswith(HUB):
        return _hub_corpus(spec, settings)
    if spec.startswith(SYNTHETIC):
        from corpora.synthetic import synthetic_corpus

        return synthetic_corpus(spec, language, domain)
    if spec == STDLIB:
        code = replace(settings, domain=domain or "code", unit="file", on_invalid="skip")
        return FileCorpus(STDLIB, stdlib_files(), code)
    name, _, chosen = spec.partition(":")
    if name in declared_names():
        return open_manifest(manifest_path(name), settings, _languages(chosen, spec))
    if spec == STDIN:
        return FileCorpus("stdin", [_spooled_stdin()], settings)
    path, wanted = Path(spec), ""
    if status(path) is None and ":" in spec:
        path, wanted = _with_languages(spec) or (path, "")
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
    return _path_corpus(path, settings, parallel, globs, _languages(wanted, spec))


def _with_languages(spec: str) -> tuple[Path, str] | None:
    """Return the path and the languages of `FOLDER:hin_Deva,en`; None where it is no such thing."""
    before, _, languages = spec.rpartition(":")
    path = Path(before)
    return (path, languages) if before and status(path) is not None else None


def open_corpora(specs: Sequence[str], **settings: Any) -> list[ReadCorpus]:
    """Return the corpora that specs name; those that would share a short name go by their specs.

    Args:
        settings: as of `open_corpus`.

    Raises:
        InputError: as `open_corpus`; a spec is given twice.
    """
    for spec in specs:
        if specs.count(spec) > 1:
            raise InputError(f"corpus {spec}: given twice; give each once")
    opened = [open_corpus(spec, **settings) for spec in specs]
    names = [corpus.name for corpus in opened]
    return [
        corpus if names.count(corpus.name) == 1 else replace(corpus, name=spec)  # type: ignore[type-var]  # every corpus that is opened is a dataclass
        for spec, corpus in zip(specs, opened, strict=True)
    ]


def corpus_relative_to(folder: Path, spec: str) -> str:
    """Return a corpus's spec as seen from here, of one that stands in a file of `folder`."""
    name = spec.partition(":")[0]
    if spec.startswith((HUB, SYNTHETIC)) or name in (STDIN, STDLIB, *declared_names()):
        return spec
    return beside(folder, spec)


def beside(folder: Path, name: str) -> str:
    """Return a path relative to `folder` as one that cannot be taken for a bare name."""
    # A bare word would be looked up as a name first, so a path always shows that it is one.
    path = str(folder / name)
    return path if "/" in path else f"./{path}"


def _path_corpus(
    path: Path,
    settings: ReadSettings,
    parallel: bool | None,
    globs: Sequence[str],
    languages: Sequence[str],
) -> ReadCorpus:
    name = sanitize(Path(os.path.realpath(path)).name or path)
    if settings.unit == "file" and parallel is None:
        parallel = False
    found = text_files(path, globs)
    left_out, aligned = found.left_out, aligned_files(path, found, parallel, settings)
    files = found.files
    if aligned is not None:
        left_out = [*aligned[1], *left_out]
        files = list(aligned[0].files)
    if left_out:
        hint = "" if globs else " (--glob names what to read, as '*.md')"
        _LOGGER.info("%s: left out %s%s", path, enumerated(left_out), hint)
    if languages and (aligned is not None or all(is_text(file.path) for file in files)):
        known = list(dict.fromkeys(file.language for file in files))
        chosen = {name for wanted in languages for name in _chosen(wanted, known, path)}
        files, languages = [file for file in files if file.language in chosen], ()
    if aligned is not None:
        return AlignedCorpus(name, files, settings, aligned[0].document_ids)
    return FileCorpus(name, files, settings, languages)


def _chosen(wanted: str, known: Sequence[str], corpus: object) -> list[str]:
    """Return the languages that are the wanted one."""
    names = same_languages(wanted, known)
    if not names:
        raise no_language(str(corpus), wanted, known)
    return names


def _spooled_stdin() -> TextFile:
    """Return a file with what stands on standard input, which is read more than once.

    Lines that begin with a JSON object are records; gzip, zstd and xz are told by their first
    bytes.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("-: nothing is piped in; use it as in: cat FILE | tokenize-lab measure -")
    held = contextlib.ExitStack()
    folder = held.enter_context(scratch_folder(Path(tempfile.gettempdir()), SCRATCH))
    atexit.register(held.close)
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    if not path.stat().st_size:
        raise InputError("-: nothing came in; use it as in: cat FILE | tokenize-lab measure -")
    with path.open("rb") as file:
        magic = file.read(6)
    ending = next((end for start, end in _MAGIC.items() if magic.startswith(start)), "")
    named = path.rename(folder / f"stdin.txt{ending}")
    text = TextFile(named, "stdin", UNKNOWN_LANGUAGE, called="stdin")
    try:
        first = next(blocks(text), b"").removeprefix(UTF8_SIGNATURE).partition(b"\n")[0]
        is_record = isinstance(json.loads(first), dict)
    except (ValueError, RecursionError, TornFileError):
        is_record = False
    if is_record:
        _LOGGER.info("-: each line is taken for a JSON record, as the first is one")
        named = named.rename(folder / f"stdin.jsonl{ending}")
    return replace(text, path=named)


def _hub_corpus(spec: str, settings: ReadSettings) -> ReadCorpus:
    from corpora.hub import HubCorpus
    from corpora.manifest import HubSet

    dataset, *rest = spec.removeprefix(HUB).split(":")
    if not dataset or len(rest) > 2:
        raise InputError(f"{spec}: must be hub:NAME, hub:NAME:CONFIG or hub:NAME:CONFIG:SPLIT")
    config, split = (*(part or None for part in rest), None, None)[:2]
    hub = HubSet(
        dataset=dataset,
        split=split,
        text_column=settings.text_field,
        language_column=settings.language_field,
        config=config if settings.language_field else None,
        configs={language_of(PurePath(config)): config}
        if config and not settings.language_field
        else {},
    )
    return HubCorpus(sanitize(spec), hub, settings)


def _languages(chosen: str, spec: str) -> tuple[str, ...]:
    languages = tuple(filter(None, chosen.split(",")))
    if ":" in spec and not languages:
        raise InputError(f"{spec}: name languages after the colon, such as hin_Deva,eng_Latn")
    return languages


_LOGGER = logging.getLogger("corpora")
_MAGIC = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"\xfd7zXZ\x00": ".xz"}
_HERE = Path(__file__).parent
_FOLDERS = (_HERE / "samples", _HERE / "declared")


@cache
def declared_names() -> tuple[str, ...]:
    """Return the names of the declared corpora, those that come with the package first."""
    return tuple(n for f in _FOLDERS for n in sorted(path.stem for path in f.glob("*.toml")))


def manifest_path(name: str) -> Path:
    """Return where the declared corpus's manifest lies.

    Raises:
        InputError: nothing is declared by that name.
    """
    for folder in _FOLDERS:
        path = folder / f"{name}.toml"
        if name in declared_names() and path.is_file():
            return path
    known = ", ".join(declared_names())
    raise InputError(
        f"{name}: no declared corpus{did_you_mean(name, declared_names()) or f'; known: {known}'}"
    )


def open_manifest(path: Path, settings: ReadSettings, languages: Sequence[str]) -> ReadCorpus:
    """Return the corpus a manifest declares, or those of its languages that are named.

    Its files are read once, for their checksums.

    Raises:
        InputError: the manifest is wrong, a file is missing, lies outside its folder or does not
            have its declared SHA-256, parallel files do not align or are not text, or the
            manifest does not have a language named.
    """
    from corpora.manifest import Manifest, checked_file
    from corpora.toml_file import read_toml

    manifest = read_toml(path, Manifest)
    if known := manifest.languages:
        languages = [name for wanted in languages for name in _chosen(wanted, known, manifest.name)]
    if manifest.hub is not None:
        from corpora.hub import HubCorpus

        return HubCorpus(manifest.name, manifest.hub, settings, languages, manifest.parallel)
    files = [
        TextFile(checked_file(path.parent, file), sanitize(file.path), file.language, file.domain)
        for file in manifest.files
        if not languages or file.language in languages
    ]
    if not manifest.parallel:
        return FileCorpus(manifest.name, files, replace(settings, unit=manifest.unit))
    for file in files:
        if not is_text(file.path):
            raise InputError(
                f"{file.path}: declared parallel, but a parallel corpus is text aligned line by"
                " line, and this holds records; write their text as .txt, a line each, or drop"
                f" `parallel` from {path}"
            )
    common_lines(files, settings)
    domains = [LineDomain(d.domain, d.first, d.last) for d in manifest.lines]
    return AlignedCorpus(manifest.name, files, settings, domains=domains)


_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}


def stdlib_files() -> list[TextFile]:
    """Return the source files of Python's standard library, in order.

    Tests and installed packages are left out. It is code and its documentation, in English. Each
    version of Python has another, so its figures do not compare from machine to machine.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (path.relative_to(root) for path in sorted(root.rglob("*.py")) if path.is_file())
    return [
        TextFile(root / name, name.as_posix(), UNKNOWN_LANGUAGE)
        for name in found
        if not _LEFT_OUT & set(name.parts) and (root / name).stat().st_size
    ]
