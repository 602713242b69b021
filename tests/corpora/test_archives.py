"""Archives that claim what they do not hold: one line, in seconds, in little memory."""

import contextlib
import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora.archives import MOST_MEMBERS, contains, extract, member_sizes
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


def written(path: Path, *parts: Iterator[bytes]) -> Path:
    with gzip.open(path, "wb", 1) as out:
        for part in parts:
            for piece in part:
                out.write(piece)
    return path


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((iter([header("p", 64 << 20, tarfile.XHDTYPE)]), zeros(64)), "a header of more than 1 "),
        ((iter([header("l", 64 << 20, b"L")]), zeros(64)), "a header of more than 1 MiB"),
        ((sparse(8192),), "a header of more than 1 MiB"),
        ((iter([header("top/x", 0) * 2]),), "'x' twice"),
        ((iter([header("top", 0) * (MOST_MEMBERS + 1)]),), "200,000 files"),
        pytest.param(
            (iter([header("top/", 0, tarfile.DIRTYPE) * (MOST_MEMBERS + 1)]),),
            "200,000 files",
            marks=pytest.mark.slow,
        ),
        ((iter([header("top/x", 5 << 30)]),), "unpacks to more than 4 GiB"),
    ],
    ids=["pax", "name", "sparse", "twice", "members", "folders", "size"],
)
def test_a_tar_that_is_a_bomb_is_one_line(
    tmp_path: Path, parts: tuple[Iterator[bytes], ...], why: str
) -> None:
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
