"""What is kept in a file is believed only whole, unchanged and under its own name."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tokenize_lab.sealed import Whole, read_sealed, write_sealed

ARRAYS: list[Whole] = [
    np.arange(6, dtype=np.uint16).reshape(2, 3).T,
    np.zeros((0, 4), np.int64),
    np.asarray(7, np.uint8),
    np.array([True, False]),
]


def kept(path: Path, arrays: list[Whole] = ARRAYS) -> bytes:
    write_sealed(path, "name", arrays)
    return path.read_bytes()


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "new" / "entry"
    for arrays in (ARRAYS, []):
        kept(path, arrays)
        found = read_sealed(path, "name")
        assert found is not None
        for one, other in zip(arrays, found, strict=True):
            assert one.dtype == other.dtype and np.array_equal(one, other)
            assert other.flags.writeable
    assert [*path.parent.iterdir()] == [path]


def test_any_byte_that_is_changed_missing_or_more_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    content = kept(path)
    damaged = [content[:n] for n in range(len(content))]
    damaged += [
        content[:n] + bytes([content[n] ^ 1]) + content[n + 1 :] for n in range(len(content))
    ]
    for other in (*damaged, content + b"\0", content * 2):
        path.write_bytes(other)
        assert read_sealed(path, "name") is None


def test_what_is_no_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    content = kept(path)
    assert read_sealed(path, "other name") is None
    os.truncate(path, 3 << 30)
    assert read_sealed(path, "name") is None
    others: list[Callable[[], object]] = [
        path.exists, path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(path),
    ]  # fmt: skip
    for make in others:
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        make()
        assert read_sealed(path, "name") is None
    write_sealed(path, "name", ARRAYS)  # in the place of the link
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line",
    [
        b"", b"5", b"[1]", b"[[]]", b'[["|u1"]]', b'[["|u1",1]]', b'[["|u1",[9]]]', b"[" * 9999,
        b'[["|u1",[-1,-1]]]', b'[["|u1",[1e0]]]', b'[["|O",[1]]]', b'[["<f8",[1]]]', b'[[[],[1]]]',
        b'[["|V0",[1099511627776]]]', b'[["|u1",[99999999999999999999]]]', b'[["<u8",["a"]]]',
    ],
)  # fmt: skip
def test_what_another_hand_has_sealed_is_none_or_plain(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "entry"
    rest = line + b"\n12345678"
    path.write_bytes(hashlib.sha256(b"name\n" + rest).digest() + rest)
    assert read_sealed(path, "name") is None
