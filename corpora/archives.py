"""Archives that were handed about, read without trusting them: a `.tgz` of npm, a wheel, a packed
sweep.

Only regular files and folders inside the archive's own folder are known; one path that leads out of
it, a link, a device or a size beyond reason and the whole archive is refused. Nothing is run.
What a tar says of its members is read whole by the library, so that is held to a size as well.
"""

import gzip
import hashlib
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from corpora.errors import InputError
from corpora.files import written_whole

MOST_MEMBERS = 200_000
MOST_BYTES = 4 << 30  # unpacked, of all members
MOST_FILE_BYTES = 1 << 30
_BLOCK = 1 << 20
# Bytes that stand before members' contents, as long names do: of most, and of a few.
_USUAL_HEADER, _MOST_HEADER = 4096, 1 << 20
_MOST_NAME, _SHOWN = 1024, 80  # characters
_TORN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


class ArchiveFile(NamedTuple):
    """A file of an archive: its path inside, its size in bytes, its content to be read at once."""

    name: str
    size: int
    content: IO[bytes]


def member_sizes(archive: Path, label: str) -> dict[str, int]:
    """Return the size in bytes of every file of the archive, by its path inside.

    npm puts everything below one folder, which is left out; wheels do not.

    Args:
        label: what the archive is called in errors.

    Raises:
        InputError: it cannot be read, or a member leads outside, is no plain file, or is too big.
    """
    return {file.name: file.size for file in archive_files(archive, label)}


def archive_files(archive: Path, label: str) -> Iterator[ArchiveFile]:
    """Yield the archive's files in its order, in one pass.

    Only the end tells that nothing of it is refused: until then what is made of it is no result.

    Raises:
        InputError: as `member_sizes`.
    """
    names: set[str] = set()
    total = 0
    with _refused_torn(label):
        for number, (name, size, problem, content) in enumerate(_members(archive)):
            if problem:
                raise InputError(f"{label}: refused: its archive has {problem}")
            total += size
            if number >= MOST_MEMBERS or total > MOST_BYTES or size > MOST_FILE_BYTES:
                raise InputError(
                    f"{label}: refused: its archive unpacks to more than {MOST_BYTES >> 30} GiB, or"
                    f" {MOST_MEMBERS:,} files, or a file of more than {MOST_FILE_BYTES >> 30} GiB"
                )
            if name in names:
                twice = f"{shortened(name)!r} twice, and it is not known which is meant"
                raise InputError(f"{label}: refused: its archive has {twice}")
            if content is not None:
                names.add(name)
                yield ArchiveFile(name, size, content)


def extract(archive: Path, names: Collection[str], folder: Path, label: str) -> dict[str, str]:
    """Write the files of those names below `folder`; return the SHA-256 of each.

    Raises:
        InputError: as `member_sizes`, or a file cannot be written.
    """
    member_sizes(archive, label)  # nothing is written of an archive that is refused
    wanted, sums = set(names), {}
    for file in archive_files(archive, label):
        if file.name in wanted:
            with written_whole(folder / file.name) as temporary:
                sums[file.name] = copy_content(file, temporary, label)
    return sums


def copy_content(file: ArchiveFile, path: Path, label: str) -> str:
    """Write a file's content to `path`, unsynced; return its SHA-256.

    Raises:
        InputError: it cannot be read from the archive.
    """
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for block in _blocks(file, label):
            out.write(block)
            digest.update(block)
    return digest.hexdigest()


def contains(archive: Path, names: Collection[str], words: Collection[bytes]) -> list[str]:
    """Return those of the files that hold all the words, in order of the archive.

    Raises:
        InputError: as `member_sizes`.
    """
    wanted, label = set(names), str(archive)
    files = archive_files(archive, label)
    return [file.name for file in files if file.name in wanted and _holds(file, words, label)]


def _holds(file: ArchiveFile, words: Collection[bytes], label: str) -> bool:
    missing, text = set(words), b""
    for block in _blocks(file, label):
        text = text[-_BLOCK:] + block  # a word may lie across two
        missing = {word for word in missing if word not in text}
    return not missing


def _blocks(file: ArchiveFile, label: str) -> Iterator[bytes]:
    left = file.size
    with _refused_torn(label):
        while block := file.content.read(min(_BLOCK, left)):
            yield block
            left -= len(block)
        if left:
            raise EOFError(f"{shortened(file.name)} ends early")


_Member = tuple[str, int, str, IO[bytes] | None]


def _members(archive: Path) -> Iterator[_Member]:
    """Yield each member's path, size, what is wrong with it, and its content, to be read at once.

    Of a folder the path is empty.
    """
    if zipfile.is_zipfile(archive):
        yield from _of_zip(archive)
    else:
        yield from _of_tar(archive)


def _of_tar(archive: Path) -> Iterator[_Member]:
    with _Metered(archive) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
        for member in tar:
            unpacked.allow(member.size if member.isreg() else 0)
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
            problem = _path_problem(member.name)
            if not problem and not member.isdir() and (not member.isreg() or member.issparse()):
                other = "a file with holes" if member.issparse() else "a device or a pipe"
                what = "a link" if member.issym() or member.islnk() else other
                problem = f"{what}, {shortened(member.name)!r}"
            inside = "" if member.isdir() else "/".join(PurePosixPath(member.name).parts[1:])
            content = tar.extractfile(member) if inside and not problem else None
            yield inside, member.size if member.isreg() else 0, problem, content


class _Metered(io.RawIOBase):
    """What a `.gz` file unpacks to, and no more of it than its members account for."""

    def __init__(self, archive: Path) -> None:
        self._file = gzip.GzipFile(archive)
        self._left = _MOST_HEADER

    def allow(self, size: int) -> None:
        """Let a member's content be read, and the header of the next."""
        self._left = min(self._left, _MOST_HEADER) + size + _USUAL_HEADER

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            ValueError: they are no member's.
        """
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"headers of more than {_MOST_HEADER >> 20} MiB")
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _of_zip(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as zipped:
        for member in zipped.infolist():
            problem = _path_problem(member.filename)
            mode = stat.S_IFMT(member.external_attr >> 16)
            if not problem and mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a link" if mode == stat.S_IFLNK else "a device or a pipe"
                problem = f"{what}, {shortened(member.filename)!r}"
            if problem or member.is_dir():
                yield "", 0, problem, None
            else:
                with zipped.open(member) as content:
                    name = "/".join(PurePosixPath(member.filename).parts)
                    yield name, member.file_size, "", content


def _path_problem(name: str) -> str:
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]
    if outside or "\\" in name or "\0" in name or not name:
        return f"a path outside its folder, {shortened(name)!r}"
    return f"a path of {len(name):,} characters" if len(name) > _MOST_NAME else ""


def shortened(name: str) -> str:
    """Return a name as messages show it: a member's may have a million characters."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."


@contextmanager
def _refused_torn(label: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (*_TORN, EOFError, OSError, ValueError) as error:
        raise InputError(f"{label}: its archive is not whole ({error}); fetch it again") from error
    except (NotImplementedError, RuntimeError) as error:  # an encrypted or unknown zip
        raise InputError(f"{label}: its archive cannot be read ({error})") from error
