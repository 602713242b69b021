"""The corpora this package declares, and manifests of a person's own, opened."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from corpora.corpus import ReadCorpus
from corpora.discovery import common_lines, is_text
from corpora.errors import InputError, did_you_mean, one_line
from corpora.file_corpus import AlignedCorpus, FileCorpus
from corpora.readers.settings import ReadSettings, TextFile
from corpora.readers.txt import LineDomain

if TYPE_CHECKING:
    from corpora.manifest import Manifest

_HERE = Path(__file__).parent
_FOLDERS = (_HERE / "samples", _HERE / "declared")


@cache
def declared_names() -> tuple[str, ...]:
    """Return the names of the declared corpora, those that come with the package first."""
    return tuple(
        name for folder in _FOLDERS for name in sorted(path.stem for path in folder.glob("*.toml"))
    )


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


def declared_corpus(name: str, settings: ReadSettings, languages: Sequence[str] = ()) -> ReadCorpus:
    """Return a declared corpus, or those of its languages that are named.

    Raises:
        InputError: nothing is declared by that name, or it does not have a language named.
    """
    return open_manifest(manifest_path(name), settings, languages)


def open_manifest(path: Path, settings: ReadSettings, languages: Sequence[str]) -> ReadCorpus:
    """Return the corpus a manifest declares; its files are read once, for their checksums.

    Raises:
        InputError: the manifest is wrong, a file is missing, lies outside its folder or does not
            have its declared SHA-256, parallel files do not align or are not text, or the
            manifest does not have a language named.
    """
    from corpora.manifest import checked_file, read_manifest

    manifest = read_manifest(path)
    _check_languages(manifest, languages)
    if manifest.hub is not None:
        from corpora.hub import HubCorpus

        return HubCorpus(manifest.name, manifest.hub, settings, languages, manifest.parallel)
    files = [
        TextFile(checked_file(path.parent, file), one_line(file.path), file.language, file.domain)
        for file in manifest.files
        if not languages or file.language in languages
    ]
    if not manifest.parallel:
        own = ReadSettings(
            settings.language,
            settings.domain,
            settings.text_field,
            manifest.unit,
            settings.on_invalid,
        )
        return FileCorpus(manifest.name, files, own)
    for file in files:
        if not is_text(file.path):
            raise InputError(
                f"{file.path}: declared parallel, but a parallel corpus is text aligned line by"
                " line, and this holds records; write their text as .txt, a line each, or drop"
                f" `parallel` from {path}"
            )
    common_lines(files)
    domains = [LineDomain(d.domain, d.first, d.last) for d in manifest.lines]
    return AlignedCorpus(manifest.name, files, settings, domains=domains)


def _check_languages(manifest: "Manifest", languages: Sequence[str]) -> None:
    known = manifest.languages
    for language in languages if known else ():
        if language not in known:
            raise InputError(
                f"{manifest.name}: no language {language!r}"
                f"{did_you_mean(language, known) or f'; it has {chr(44).join(known)}'}"
            )
