"""A sweep in one file: out to a machine that has nothing of it, and its records back.

    sweep/pack.json           the sweep's name; size and SHA-256 of every other file
    sweep/sweep.json          as in the sweep's folder, and so is what follows
    sweep/shards/KEY/...      texts that are still to be read
    sweep/runs/RUN_ID/...     specifications, records, what a run that was begun goes on from

It is a `.tar.gz`, the same bytes for the same content, and a file that is there twice, as the bytes
of a text cut in two ways are, is packed once. Paths, sizes and sums are compared before anything of
it is put into a sweep's folder. Only the standard library is needed.
"""

import contextlib
import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from corpora.archives import (
    MOST_BYTES,
    MOST_FILE_BYTES,
    MOST_MEMBERS,
    ArchiveFile,
    archive_files,
    copy_content,
    shortened,
)
from corpora.errors import InputError, regular_file
from corpora.files import file_sha256, sync, written_whole
from corpora.json_file import read_file
from corpora.locks import being_written, disk_errors, scratch_folder
from scaling.data.folders import link_or_copy
from scaling.data.shards import MANIFEST, FileEntry, check_files, read_manifest
from scaling.record import RECORD, SPEC, read_record, read_spec
from scaling.sweep.folder import SWEEP, Sweep, SweepFolder, read_sweep, the_same_twice
from scaling.sweep.queue import driver_lock
from scaling.sweep.run_folder import ATTEMPTS, CHECKPOINT, WEIGHTS
from scaling.sweep.status import StatusReader
from scaling.train.metrics import METRICS
from scaling.train.progress import size_text

PACK_LIMIT = 64.0  # MiB
PACK_VERSION = 1
_PACK, _TOP = "pack.json", "sweep"
_REMEDY = "pack the sweep again"
_MOST_JSON = 1 << 26  # bytes of a file that is read whole
# Text packs to a third, and where its patches open to a tenth.
_MOST_RATIO, _HARMLESS_BYTES = 100, 256 << 20
_SYNCS = 8  # files at once, which takes a tenth of the time of one by one
# In the order to be put in place: metrics may run ahead of a checkpoint, and a record comes last.
_RUN_FILES = (SPEC, METRICS, CHECKPOINT, WEIGHTS, RECORD)
_NAMES = re.compile(
    rf"{re.escape(SWEEP)}|shards/[0-9a-f]{{16}}/(\w{{1,80}}/)?\w{{1,80}}\.\w{{1,8}}"
    rf"|runs/[0-9a-f]{{16}}/({'|'.join(map(re.escape, _RUN_FILES))})",
    re.ASCII,
)
# How far a run is by its record; one without, but with a checkpoint, was interrupted.
_RANKS = {"failed": 1, "interrupted": 2, "diverged": 3, "finished": 3}


@dataclass(frozen=True, kw_only=True)
class PackManifest:
    """The content of `pack.json`: the sweep's name, and every other file by its path."""

    name: str
    files: Mapping[str, FileEntry]


@dataclass(frozen=True, kw_only=True)
class UnpackedSweep:
    """What a pack said of runs, not counting those that it had only the specification of.

    Attributes:
        taken: runs that are now as they were in the pack.
        kept: runs that were here as far as there, or farther, and are left alone.
    """

    taken: int
    kept: int


def pack_sweep(
    folder: SweepFolder,
    target: Path,
    *,
    limit: float = PACK_LIMIT,
    texts: bool = True,
    weights: bool = False,
) -> int:
    """Pack a sweep to be trained elsewhere, or, without its texts, what was trained of it; return
    the size of the file in bytes.

    With texts, runs that have ended go along as their records, so that they are not trained again,
    and those that were begun with their checkpoints. Without, runs go that have ended.

    Args:
        limit: of the file, in MiB.
        weights: whether weights go along, and without texts also runs that were begun.

    Raises:
        InputError: the file would be larger, naming what takes the room; somebody trains the
            sweep, it cannot be read, or the file not be written.
    """
    with driver_lock(folder):
        parts = _parts(folder, texts=texts, weights=weights)
        paths = {name: path for files in parts.values() for name, path in files.items()}
        entries = {
            name: FileEntry(path.stat().st_size, file_sha256(path)) for name, path in paths.items()
        }
        sizes = {part: sum(entries[name].bytes for name in parts[part]) for part in parts}
        if max(entry.bytes for entry in entries.values()) > MOST_FILE_BYTES or (
            sum(sizes.values()) > MOST_BYTES
        ):
            what = f"{_largest(sizes)} are too much for one"
            raise InputError(f"{target}: {what}; copy the folder {folder.path} itself")
        manifest = PackManifest(name=read_sweep(folder).name, files=entries)
        with (
            written_whole(target, "pack") as temporary,
            _LimitedFile(temporary, target, limit, _largest(sizes)) as file,
        ):
            _write(file, manifest, paths)
            if _is_bomb(temporary, entries):
                what = f"packs to less than 1/{_MOST_RATIO}, as no text does"
                raise InputError(f"{target}: {folder.path} {what}; copy that folder itself")
        return target.stat().st_size


def _parts(folder: SweepFolder, *, texts: bool, weights: bool) -> dict[str, dict[str, Path]]:
    """Return the files to be packed, by what they are part of and their name in the pack."""
    parts: dict[str, dict[str, Path]] = {}

    def add(part: str, *paths: Path) -> None:
        for path in paths:
            if path.exists():
                parts.setdefault(part, {})[path.relative_to(folder.path).as_posix()] = path

    add("runs", folder.file)
    for found in StatusReader(folder).read().runs:
        if found.phase == "unreadable":
            raise InputError(found.reason)
        job, run = found.job, folder.run(found.job.run_id)
        add("runs", run / SPEC)
        if found.ended:
            add("runs", run / RECORD, *([] if texts else [run / METRICS]))
            add("weights", *([run / WEIGHTS] if weights else []))
        elif (run / CHECKPOINT).exists() and (texts or weights):
            add("runs", run / RECORD, run / METRICS)
            add("checkpoints", run / CHECKPOINT)
        if texts and not found.ended:
            text = folder.shards / job.shards
            manifest = read_manifest(text)
            check_files(text, manifest, verify=False)
            names = [*manifest.files, MANIFEST]
            add(f"text {job.text} ({job.label})", *(text / name for name in names))
    return parts


def _largest(sizes: Mapping[str, int]) -> str:
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])[:3]
    return ", ".join(f"{part} {size_text(size)}" for part, size in largest)


class _LimitedFile(io.FileIO):
    """A new file that takes so many MiB and no more; `largest` says what takes the room."""

    def __init__(self, path: Path, target: Path, limit: float, largest: str) -> None:
        super().__init__(path, "w")
        self.left = int(limit * (1 << 20))
        self.refusal = (
            f"{target}: more than {limit:g} MiB when packed; of the files {largest}: read less"
            " text, leave out weights, or raise `pack_limit`"
        )

    def write(self, data: Any, /) -> int:
        """Write it all.

        Raises:
            InputError: there is no room for it.
        """
        self.left -= len(data)
        if self.left < 0:
            raise InputError(self.refusal)
        return super().write(data)


def _write(file: IO[bytes], manifest: PackManifest, paths: Mapping[str, Path]) -> None:
    with (
        gzip.GzipFile("", "wb", 6, file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):

        def add(name: str, size: int, content: IO[bytes]) -> None:
            member = tarfile.TarInfo(f"{_TOP}/{name}")
            member.size = size
            tar.addfile(member, content)

        value = {"version": PACK_VERSION, **asdict(manifest)}
        said = json.dumps(value, ensure_ascii=False, indent=1).encode()
        add(_PACK, len(said), io.BytesIO(said))
        for name in _once(manifest.files).values():
            with paths[name].open("rb") as content:
                add(name, manifest.files[name].bytes, content)


def _once(files: Mapping[str, FileEntry]) -> dict[FileEntry, str]:
    """Return the names of the files that are packed: of equal ones the first."""
    first: dict[FileEntry, str] = {}
    for name, entry in files.items():
        first.setdefault(entry, name)
    return first


def unpack_sweep(archive: Path, folder: SweepFolder) -> UnpackedSweep:
    """Put what is packed into a sweep's folder, made if absent: a sweep that is to be trained here,
    or what was trained elsewhere of the sweep that the folder holds.

    A run that is as far here as in the pack, or farther, is left alone.

    Raises:
        InputError: the file is damaged or no pack, of another version or another sweep, leads out
            of its folder, or unpacks to more than 4 GiB or a hundred times its size: nothing was
            changed then. Or somebody trains the sweep, or the folder cannot be written.
    """
    regular_file(archive, "name a file that `pack` wrote")
    with (
        being_written(folder.path),
        driver_lock(folder),
        scratch_folder(folder.path, ".unpacking-") as scratch,
    ):
        packed = SweepFolder(scratch)
        with _named(scratch, archive):
            _extract(archive, scratch)
            sweep = read_sweep(packed)
            _check(packed, sweep)
        _refuse_others(archive, sweep, folder)
        begun = {run for run in _ids(sweep) if _standing(packed.run(run)) > (0, 0)}
        taken = {run for run in begun if _standing(packed.run(run)) > _standing(folder.run(run))}
        with disk_errors(folder.path):
            _sync(scratch)
            for text in packed.shards.glob("*"):
                if not (folder.shards / text.name).exists():
                    folder.shards.mkdir(exist_ok=True)
                    text.rename(folder.shards / text.name)
            for run in _ids(sweep):
                _take(packed.run(run), folder.run(run), _RUN_FILES if run in taken else (SPEC,))
            if not folder.file.exists():  # last: where it is, the rest is, too
                packed.file.rename(folder.file)
    return UnpackedSweep(taken=len(taken), kept=len(begun - taken))


@contextlib.contextmanager
def _named(scratch: Path, archive: Path) -> Iterator[None]:
    """Say of a file of the pack where a person has it."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(f"{scratch}/", f"{archive}: ")) from error


def _extract(archive: Path, scratch: Path) -> None:
    """Write the pack's files, each compared with the list that comes first."""
    label = str(archive)
    files = archive_files(archive, label)
    manifest = _manifest(next(files, None), archive, scratch)
    whole = _once(manifest.files)
    left = set(whole.values())
    for file in files:
        name = file.name
        if name not in left:
            what = f"{_PACK} does not name {shortened(name)!r}"
            raise InputError(f"{archive}: damaged: {what}; {_REMEDY}")
        left.remove(name)
        entry, path = manifest.files[name], scratch / name
        _refuse_large_json(file, archive)
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.size != entry.bytes or copy_content(file, path, label) != entry.sha256:
            raise InputError(f"{archive}: damaged: {name} has another SHA-256; {_REMEDY}")
    if left:
        raise InputError(f"{archive}: damaged: it lacks {min(left)!r}; {_REMEDY}")
    for name, entry in manifest.files.items():
        if name != whole[entry]:
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(scratch / whole[entry], scratch / name)


def _manifest(first: ArchiveFile | None, archive: Path, scratch: Path) -> PackManifest:
    """Read what the pack says of itself, and see that it is no more than a sweep can be."""
    what, manifest = "a packed sweep", None
    if first is not None and first.name == _PACK:
        _refuse_large_json(first, archive)
        copy_content(first, scratch / _PACK, str(archive))
        manifest = read_file(
            scratch / _PACK, PackManifest, version=PACK_VERSION, what=what, remedy=_REMEDY
        )
    if manifest is None:
        why = f"it does not begin with {_PACK}"
        raise InputError(f"{archive}: not {what}: {why}; name a file that `pack` wrote")
    for name in manifest.files:
        if not _NAMES.fullmatch(name):
            raise InputError(
                f"{archive}: refused: {shortened(name)!r} is no file of a sweep; {_REMEDY}"
            )
    entries = manifest.files.values()
    if sum(entry.bytes for entry in entries) > MOST_BYTES or len(entries) > MOST_MEMBERS:
        most = f"{MOST_BYTES >> 30} GiB, or {MOST_MEMBERS:,} files"
        raise InputError(f"{archive}: refused: it unpacks to more than {most}")
    if _is_bomb(archive, manifest.files):
        what = f"it unpacks to more than {_MOST_RATIO} times its size, as no text does"
        raise InputError(f"{archive}: refused: {what}; copy the sweep's folder itself")
    return manifest


def _is_bomb(pack: Path, files: Mapping[str, FileEntry]) -> bool:
    """Whether files pack as text does not."""
    size = sum(entry.bytes for entry in _once(files))
    return size > max(_HARMLESS_BYTES, _MOST_RATIO * pack.stat().st_size)


def _refuse_large_json(file: ArchiveFile, archive: Path) -> None:
    if file.size > _MOST_JSON and file.name.endswith(".json"):
        what = f"{shortened(file.name)} has {size_text(file.size)}"
        raise InputError(f"{archive}: refused: {what}; {_REMEDY}")


def _sync(folder: Path) -> None:
    """Wait until the disk has all files and folders below."""
    with ThreadPoolExecutor(_SYNCS) as pool:
        for _ in pool.map(sync, folder.rglob("*")):
            pass


def _check(packed: SweepFolder, sweep: Sweep) -> None:
    """See that what was packed can be what it says it is."""
    if same := the_same_twice(sweep.jobs):
        raise InputError(f"{packed.file}: has run {same[0].run_id} twice; {_REMEDY}")
    for job in sweep.jobs:
        run = packed.run(job.run_id)
        record = read_record(run)
        for spec in (read_spec(run / SPEC), *([record.spec] if record else [])):
            if spec.run_id != job.run_id:
                raise InputError(f"{run}/{SPEC}: is of run {spec.run_id}; {_REMEDY}")
    for text in packed.shards.glob("*"):
        check_files(text, read_manifest(text), verify=False)


def _refuse_others(archive: Path, sweep: Sweep, folder: SweepFolder) -> None:
    here = read_sweep(folder) if folder.file.exists() else sweep
    if here.name != sweep.name:
        what = f"holds the sweep {sweep.name!r}, and {folder.path} the sweep {here.name!r}"
        raise InputError(f"{archive}: {what}; name that one's folder")
    unknown = set(_ids(sweep)) - set(_ids(here))
    if unknown:
        what = f"has {len(unknown):,} runs that {folder.path} does not plan, as {min(unknown)}"
        raise InputError(f"{archive}: {what}; plan the sweep as it was when it was packed")


def _ids(sweep: Sweep) -> list[str]:
    return [job.run_id for job in sweep.jobs]


def _standing(run: Path) -> tuple[int, int]:
    """Return how far a run is: (0, 0) where nothing of it is there but its specification."""
    begun = (run / CHECKPOINT).exists()
    record = read_record(run)
    if record is None:
        return 2 * begun, 0
    if record.status == "interrupted" and not begun:
        return 0, 0
    return _RANKS[record.status], record.steps


def _take(there: Path, here: Path, names: Sequence[str]) -> None:
    """Put files of a run in the place of those that are here; a specification stays."""
    here.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (there / name).exists() and not (name == SPEC and (here / SPEC).exists()):
            (there / name).replace(here / name)
    if RECORD in names:
        (here / ATTEMPTS).unlink(missing_ok=True)
