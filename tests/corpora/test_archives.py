"""Archives that claim what they do not hold: one line, in seconds, in little memory."""

import contextlib
import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora.archives import contains, extract, member_sizes
from corpora.errors import InputError

_MIB = bytes(1 << 20)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def zeros(mib: int) -> Iterator[bytes]:
    return (_MIB for _ in range(mib))


def sparse(blocks: int) -> Iterator[bytes]:
    """Yield a map of a sparse member, all of whose blocks say that another follows."""
    first = bytearray(header("top/sparse", 0, tarfile.GNUTYPE_SPARSE))
    first[482] = 1
    first[148:156] = b" " * 8
    first[148:156] = b"%06o\0 " % sum(first)
    yield bytes(first)
    yield (b"00000000001\0" * 42 + b"\1" + bytes(7)) * blocks


def holes(size: int) -> Iterator[bytes]:
    """Yield a sparse member of so many bytes, of which the archive has none."""
    first = bytearray(header("top/sparse", 0, tarfile.GNUTYPE_SPARSE))
    first[483:495] = b"%011o\0" % size
    first[148:156] = b" " * 8
    first[148:156] = b"%06o\0 " % sum(first)
    yield bytes(first)


def named(name: str, spaces: int = 0) -> bytes:
    """Return a header that names the next member, and says no more in so many bytes."""
    fields = [f"path={name}", f"comment={' ' * spaces}"]
    content = b""
    for field in fields:
        size = next(n for n in range(len(field), len(field) + 9) if len(f"{n} {field}\n") == n)
        content += f"{size} {field}\n".encode()
    return header("p", len(content), tarfile.XHDTYPE) + content + bytes(-len(content) % 512)


def written(path: Path, *parts: Iterator[bytes]) -> Path:
    with gzip.open(path, "wb", 1) as out:
        for part in parts:
            for piece in part:
                out.write(piece)
    return path


_HEADERS = "headers of more than 1 MiB"
_BOMBS: dict[str, tuple[str, tuple[Iterator[bytes], ...]]] = {
    "pax": (_HEADERS, (iter([header("p", 64 << 20, tarfile.XHDTYPE)]), zeros(64))),
    "name": (_HEADERS, (iter([header("l", 64 << 20, b"L")]), zeros(64))),
    "sparse": (_HEADERS, (sparse(8192),)),
    "twice": ("'x' twice", (iter([header("top/x", 0) * 2]),)),
    "members": ("100 files", (iter([header("top", 0) * 101]),)),
    "folders": ("100 files", (iter([header("top/", 0, tarfile.DIRTYPE) * 101]),)),
    "size": ("unpacks to more than 4 GiB", (iter([header("top/x", 5 << 30)]),)),
    "top": ("unpacks to more than 4 GiB", (iter([header("x", 5 << 30)]),)),
    "folder's size": (
        _HEADERS,
        (iter([header("top/", 1 << 30, tarfile.DIRTYPE), header("p", 64 << 20, b"x")]), zeros(64)),
    ),
    "holes": ("a file with holes, 'top/sparse'", (holes(1 << 30),)),
    "headers": (
        _HEADERS,
        ((named(f"top/{n}", 250_000) + header("x", 0) for n in range(8)),),
    ),
    "long": (
        "a path of 1,104 characters",
        (iter([named("top/" + "a" * 1100), header("x", 0)]),),
    ),
}


@pytest.mark.parametrize("bomb", _BOMBS)
def test_a_tar_that_is_a_bomb_is_one_line(
    tmp_path: Path, bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpora.archives.MOST_MEMBERS", 100)
    why, parts = _BOMBS[bomb]
    archive = written(tmp_path / "a.tgz", *parts)
    with pytest.raises(InputError, match=f"^npm:x: .*{why}"):
        member_sizes(archive, "npm:x")


def test_names_of_any_length_are_shown_in_a_line_one_can_read(tmp_path: Path) -> None:
    archive = tmp_path / "a.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../" + "a" * 10_000))
    with pytest.raises(InputError) as refused:
        member_sizes(archive, "npm:x")
    line = str(refused.value)
    assert len(line) < 200 and "a path outside its folder, '../aaa" in line


def test_folders_and_what_lies_beside_them_are_read_as_before(tmp_path: Path) -> None:
    archive = tmp_path / "a.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        folder = tarfile.TarInfo("top/in")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in (("top/in/a", b"word"), ("top/b", b"x" * 3_000_000)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert member_sizes(archive, "x") == {"in/a": 4, "b": 3_000_000}
    assert set(extract(archive, ["b"], tmp_path / "out", "x")) == {"b"}
    assert (tmp_path / "out" / "b").stat().st_size == 3_000_000
    assert contains(archive, ["in/a", "b"], [b"word"]) == ["in/a"]


def test_words_are_found_in_a_file_that_is_read_in_blocks(tmp_path: Path) -> None:
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a.json", b" " * ((1 << 20) - 2) + b"word, and " + _MIB + b"another")
    assert contains(archive, ["a.json"], [b"word", b"another"]) == ["a.json"]
    assert not contains(archive, ["a.json"], [b"word", b"none"])


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_wheel_whose_bytes_were_changed_is_one_line(tmp_path: Path, method: int) -> None:
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w", method) as zipped:
        zipped.writestr("a.json", "some text, again and again, " * 99)
    whole = archive.read_bytes()
    for place in range(30, 90, 3):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0xFF
        archive.write_bytes(spoilt)
        for reading in (
            lambda: contains(archive, ["a.json"], [b"text"]),
            lambda: extract(archive, ["a.json"], tmp_path / "out", "pypi:x"),
        ):
            with contextlib.suppress(InputError):  # some bytes say nothing
                reading()
    assert not list(tmp_path.rglob("*.part"))
