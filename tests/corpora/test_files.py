"""A file is whole or absent, and what went wrong is said in words."""

import errno
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.files import file_sha256, remove_abandoned, write_text, written_whole
from tests.conftest import ROOT


def test_a_library_that_gives_no_number_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    write_text(path, "old")

    def write() -> None:
        with written_whole(path):
            raise OSError("No space left on device (os error 28)")  # as Polars does

    with pytest.raises(InputError, match=r"could not be written \(No space left on device"):
        write()
    assert path.read_text() == "old" and [path] == list(tmp_path.iterdir())


def test_the_argument_that_named_the_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another `out`"):
        write_text(tmp_path / "file" / "below", "")
    with (
        pytest.raises(InputError, match="name another `tensorboard`"),
        written_whole(tmp_path / "file" / "below", argument="tensorboard"),
    ):
        pass


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    for name, what in (("pipe", "a pipe"), ("folder", "a folder"), ("link", "a pipe")):
        with pytest.raises(
            InputError,
            match=f"{name}: not a regular file but {what}.*; remove it, or name a file with `out`",
        ):
            write_text(tmp_path / name, "text")
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "link").is_symlink()
    assert not list((tmp_path / "folder").iterdir())


def test_a_hash_of_nothing_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "abc")
    assert file_sha256(tmp_path / "a").startswith("ba7816bf")
    with pytest.raises(InputError, match="cannot be read"):
        file_sha256(tmp_path / "b")


KILLED = """
import os, signal, sys
from corpora.files import written_whole
with written_whole(sys.argv[1]) as path:
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "tokenizer.json"
    for _ in range(2):  # the second is not stopped by what the first left
        done = subprocess.run([sys.executable, "-c", KILLED, str(target)], cwd=ROOT, check=False)
        assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    elsewhere = left.with_name(left.name.replace(f".{platform.node()}.", ".elsewhere."))
    elsewhere.write_text("of another machine, whose processes cannot be asked")
    with written_whole(tmp_path / "other.json") as mine:
        mine.write_text("{}")
        assert remove_abandoned(tmp_path) == []  # a living process's own, and another machine's
        assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"other.json", elsewhere.name}


def test_what_cannot_be_removed_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk turned read-only between the two; root, whom tests may run as, cannot stage it."""

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    told = r"nothing was left half-written; .*\.part could not be"
    with pytest.raises(InputError, match=told), written_whole(tmp_path / "a.json") as path:
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.exists() and remove_abandoned(tmp_path) == []
