"""Declared corpora: where text comes from, under which licence, and that it is what it was.

A manifest is a TOML file. It names either files in its own folder, each with its SHA-256, or a
data set of the Hugging Face hub and the configuration that holds each language.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from corpora.errors import InputError, did_you_mean, names_in, regular_file, status
from corpora.files import file_sha256, write_text
from corpora.languages import language_of
from corpora.readers.settings import Unit


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeclaredFile(_Strict):
    """A file of the corpus; its path is relative to the manifest's folder and stays inside it."""

    path: str
    language: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    domain: str = ""

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or "\\" in path or ":" in path:
            raise ValueError(f"{path!r} leaves the manifest's folder")
        return path


class DeclaredLines(_Strict):
    """The domain of lines `first` to `last` of every file, counted from 1, both included."""

    domain: str
    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]


class HubSet(_Strict):
    """A data set of the Hugging Face hub.

    Attributes:
        dataset: its name there, `owner/name`. revision: the commit; None for the newest.
        split: which split to read; None for the only one, or `train`.
        configs: the configuration that holds each language. Empty where one configuration holds
            all of them and columns say which.
        config: that one configuration; None for the data set's default.
        text_column, id_column, language_column, script_column, domain_column: where each is found;
            a script column is joined to the language's (`hin` and `Deva` make `hin_Deva`).
        take: documents read from each configuration, from its start; None for all of them.
    """

    dataset: str
    revision: str | None = None
    split: str | None = None
    configs: dict[str, str] = {}
    config: str | None = None
    text_column: str = "text"
    id_column: str | None = None
    language_column: str | None = None
    script_column: str | None = None
    domain_column: str | None = None
    take: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.configs and (self.config or self.language_column):
            raise ValueError("has both `configs` and `config` or `language_column`; keep one")
        return self


class Manifest(_Strict):
    """A declared corpus: what it is, where it comes from, and either its files or its hub data set.

    Attributes:
        name: what it is asked for by; the manifest's file is named so.
        title: what it is, in a line.
        source: where it comes from, an address wherever there is one.
        licence: SPDX identifier.
        parallel: whether equal lines (or rows) of its languages are translations of one another.
        unit: whether a document is a line of a file or the whole file.
        lines: domains by line, for parallel files.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
    title: str
    source: str
    licence: str
    parallel: bool = False
    unit: Unit = "line"
    lines: tuple[DeclaredLines, ...] = ()
    files: tuple[DeclaredFile, ...] = ()
    hub: HubSet | None = None

    @model_validator(mode="after")
    def _files_or_hub(self) -> Self:
        if bool(self.files) == bool(self.hub):
            raise ValueError("must declare either `files` or `hub`, and not both")
        if self.parallel and self.unit == "file":
            raise ValueError("has `parallel`, which aligns lines, with whole files; keep one")
        return self

    @property
    def languages(self) -> list[str]:
        """The declared languages, in order; empty where only the data's own columns say them."""
        if self.hub is None:
            return list(dict.fromkeys(file.language for file in self.files))
        return list(self.hub.configs)


def file_inside(folder: Path, file: DeclaredFile) -> Path:
    """Return where the declared file lies.

    Raises:
        InputError: it is missing, no regular file, or a link leads out of the manifest's folder.
    """
    path = folder / file.path
    if status(path) is None:
        near = did_you_mean(path.name, set(names_in(path.parent)) - {path.name})
        raise InputError(f"{path}: declared in the manifest, but missing{near}")
    regular_file(path)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{path}: a link that leads out of the manifest's folder; copy the file in"
        )
    return path


def checked_file(folder: Path, file: DeclaredFile) -> Path:
    """Return where the declared file lies, found to have its declared SHA-256.

    Raises:
        InputError: as `file_inside`, or the file cannot be read, or is not what was declared.
    """
    path = file_inside(folder, file)
    found = file_sha256(path)
    if found != file.sha256:
        raise InputError(
            f"{path}: expected SHA-256 {file.sha256}, found {found}; fetch the file again, or"
            " renew the manifest if the change is meant"
        )
    return path


def verify(manifest: Manifest, folder: Path) -> list[Path]:
    """Return the declared files, each found to have its declared SHA-256.

    Raises:
        InputError: a file is missing or differs; a hub data set has no files here to check.
    """
    if manifest.hub is not None:
        pinned = manifest.hub.revision
        raise InputError(
            f"{manifest.name}: read from the hub, so there are no files here to verify; its"
            f" revision is {f'pinned to {pinned}' if pinned else 'not pinned'}"
        )
    return [checked_file(folder, file) for file in manifest.files]


def manifest_of(
    folder: Path, files: dict[Path, str], domain: str = "", **declared: Any
) -> Manifest:
    """Return a manifest, to be written in `folder`, of `files` (path: language) as they are now.

    Args:
        domain: of every file. declared: the other fields of `Manifest`.
    """
    entries = [
        DeclaredFile(
            path=path.relative_to(folder).as_posix(),
            language=language,
            sha256=file_sha256(path),
            domain=domain,
        )
        for path, language in sorted(files.items())
    ]
    return Manifest(files=tuple(entries), **declared)


def to_toml(manifest: Manifest) -> str:
    """Return the manifest of files as TOML, defaults left out, such that it reads back equal."""
    assert manifest.hub is None, "hub manifests are written by hand"
    told = manifest.model_dump(exclude_defaults=True)
    tables = {key: told.pop(key, ()) for key in ("lines", "files")}
    text = "".join(f"{key} = {_toml_value(value)}\n" for key, value in told.items())
    for key, entries in tables.items():
        for entry in entries:
            pairs = "".join(f"{k} = {_toml_value(v)}\n" for k, v in entry.items())
            text += f"\n[[{key}]]\n{pairs}"
    return text


def _toml_value(value: object) -> str:
    # JSON's strings, numbers and booleans are TOML's, but for DEL, which TOML wants escaped.
    assert isinstance(value, str | int | bool)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


SAMPLES = Path(__file__).parent / "samples"

_SOURCE = "written for this project; see corpora/samples/README.md"
_LICENCE = "CC0-1.0"
_DOMAINS = (
    DeclaredLines(domain="everyday", first=1, last=16),
    DeclaredLines(domain="technical", first=17, last=32),
    DeclaredLines(domain="narrative", first=33, last=48),
)


def embedded_manifests() -> dict[Path, Manifest]:
    """Return the manifests of the embedded corpora as their files are now, by where each lies."""
    texts = SAMPLES.glob("parallel/*.txt")
    programs = SAMPLES.glob("code/*.*")
    return {
        SAMPLES / "embedded.toml": manifest_of(
            SAMPLES,
            {path: language_of(Path(path.name)) for path in texts},
            name="embedded",
            title="48 segments of everyday, technical and narrative prose, aligned",
            source=_SOURCE,
            licence=_LICENCE,
            parallel=True,
            lines=_DOMAINS,
        ),
        SAMPLES / "embedded-code.toml": manifest_of(
            SAMPLES,
            {path: path.stem for path in programs},
            name="embedded-code",
            title="a short program in each of six programming languages",
            source=_SOURCE,
            licence=_LICENCE,
            unit="file",
            domain="code",
        ),
    }


def write_manifests() -> None:
    """Write both manifests; to be called whenever a sample was changed on purpose."""
    for path, manifest in embedded_manifests().items():
        write_text(path, to_toml(manifest))
