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
from typing import IO

from corpora.errors import InputError
from corpora.files import written_whole

MOST_MEMBERS = 200_000
MOST_BYTES = 4 << 30  # unpacked, of all members
MOST_FILE_BYTES = 1 << 30
_BLOCK = 1 << 20
_MOST_HEADER = 1 << 20  # bytes that stand before a member's content: long names, sparse maps
_SHOWN = 80  # characters of a name
_TORN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


def member_sizes(archive: Path, label: str) -> dict[str, int]:
    """Return the size in bytes of every file of the archive, by its path inside.

    npm puts everything below one folder, which is left out; wheels do not.

    Args:
        label: what the archive is called in errors.

    Raises:
        InputError: it cannot be read, or a member leads outside, is no plain file, or is too big.
    """
    sizes: dict[str, int] = {}
    total = 0
    with _refused_torn(label):
        for number, (name, size, problem, _) in enumerate(_members(archive)):
            if problem:
                raise InputError(f"{label}: refused: its archive has {problem}")
            total += size
            if number >= MOST_MEMBERS or total > MOST_BYTES or size > MOST_FILE_BYTES:
                raise InputError(
                    f"{label}: refused: its archive unpacks to more than {MOST_BYTES >> 30} GiB, or"
                    f" {MOST_MEMBERS:,} files, or a file of more than {MOST_FILE_BYTES >> 30} GiB"
                )
            if name in sizes:
                twice = f"{shortened(name)!r} twice, and it is not known which is meant"
                raise InputError(f"{label}: refused: its archive has {twice}")
            if name:
                sizes[name] = size
    return sizes


def extract(archive: Path, names: Collection[str], folder: Path, label: str) -> dict[str, str]:
    """Write the files of those names below `folder`; return the SHA-256 of each.

    Raises:
        InputError: as `member_sizes`, or a file cannot be written.
    """
    member_sizes(archive, label)  # nothing is written of an archive that is refused
    wanted, sums = set(names), {}
    with _refused_torn(label):
        for name, size, _, content in _members(archive):
            if name not in wanted or content is None:
                continue
            digest = hashlib.sha256()
            with written_whole(folder / name) as temporary, temporary.open("wb") as out:
                left = size
                while block := content.read(min(_BLOCK, left)):
                    out.write(block)
                    digest.update(block)
                    left -= len(block)
                if left:
                    raise EOFError(f"{name} ends early")
            sums[name] = digest.hexdigest()
    return sums


def contains(archive: Path, names: Collection[str], words: Collection[bytes]) -> list[str]:
    """Return those of the files that hold all the words, in order of the archive."""
    wanted, found = set(names), []
    with _refused_torn(str(archive)):
        for name, size, _, content in _members(archive):
            if name in wanted and content is not None:
                text = content.read(size)
                if all(word in text for word in words):
                    found.append(name)
    return found


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
            unpacked.allow(member.size)
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
            problem = _path_problem(member.name)
            if not problem and not member.isreg() and not member.isdir():
                what = "a link" if member.issym() or member.islnk() else "a device or a pipe"
                problem = f"{what}, {shortened(member.name)!r}"
            inside = "" if member.isdir() else "/".join(PurePosixPath(member.name).parts[1:])
            content = tar.extractfile(member) if inside and not problem else None
            yield inside, member.size if inside else 0, problem, content


class _Metered(io.RawIOBase):
    """What a `.gz` file unpacks to, and no more of it than its members account for."""

    def __init__(self, archive: Path) -> None:
        self._file = gzip.GzipFile(archive)
        self._left = _MOST_HEADER

    def allow(self, size: int) -> None:
        """Let a member's content be read, and the header of the next."""
        self._left = size + _MOST_HEADER

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            ValueError: they are no member's.
        """
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"a header of more than {_MOST_HEADER >> 20} MiB")
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
    return ""


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
