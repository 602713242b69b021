"""One lock keeps two processes from one work, and says who has it."""

import errno
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from corpora.errors import InputError
from corpora.locks import (
    OUTPUT_LOCK,
    alone,
    being_written,
    lock,
    remove_abandoned_lock,
    remove_locked,
    scratch_folder,
)
from tests.conftest import ROOT


def test_a_lock_counts_only_while_it_is_the_file_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path) as held, lock(path, give_up=lambda: True) as second:
        assert held and not second
        path.unlink()
        with lock(path, give_up=lambda: True) as third:
            assert third
    with lock(tmp_path / "gone" / "lock") as held:
        assert not held


@pytest.mark.parametrize("target", ["notes.txt", "none/at/all", "lock"])
def test_a_link_is_no_lock(tmp_path: Path, target: str) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / target)
    with (
        pytest.raises(InputError, match=r"lock: cannot be made \(Too many levels"),
        lock(tmp_path / "lock"),
    ):
        pass
    assert notes.read_text() == "mine"  # a holder's name would be written over it


def test_the_second_is_told_who_is_there_and_leaves_nothing(tmp_path: Path) -> None:
    told = rf"process {os.getpid()} on .* is at it; wait"
    with alone(tmp_path / "lock", "is at it", "wait"):
        with pytest.raises(InputError, match=told), alone(tmp_path / "lock", "is at it", "wait"):
            pass
        assert (tmp_path / "lock").exists()
    assert not list(tmp_path.iterdir())


HOLDER = """
import sys
from pathlib import Path
from corpora.locks import being_written
with being_written(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_into_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(out)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert other.stdin is not None and other.stdout is not None
    with other.stdin, other.stdout:
        assert other.stdout.readline() == b"held\n"
        told = rf"process {other.pid} on .* is writing to it; wait for it, or name another `out`"
        with pytest.raises(InputError, match=told), being_written(out):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (out / OUTPUT_LOCK).exists()
    with being_written(out):  # the lock ended with its holder
        (out / "result").touch()
    assert [path.name for path in out.iterdir()] == ["result"]


def test_a_folder_that_nothing_came_into_goes(tmp_path: Path) -> None:
    with being_written(tmp_path / "out"):
        pass
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match="name another `out`"),
        being_written(tmp_path / "file" / "x"),
    ):
        pass


def test_a_disk_without_locks_is_remarked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As some network disks are; none is at hand."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.INFO, logger="corpora"), being_written(tmp_path / "out"):
        pass
    assert "cannot be locked" in caplog.text


KILLED = """
import os, signal, sys
from pathlib import Path
from corpora.locks import scratch_folder
with scratch_folder(Path(sys.argv[1]), "scratch-") as folder:
    (folder / "part").mkdir()
    (folder / "part" / "text").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_scratch_of_a_killed_process_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    (left,) = tmp_path.iterdir()
    with scratch_folder(tmp_path, "scratch-") as first:
        assert not left.exists()
        with scratch_folder(tmp_path, "scratch-") as second:
            assert first.exists() and second.exists()
    assert not list(tmp_path.iterdir())
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    (left,) = tmp_path.iterdir()

    def refuse(_: object, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with caplog.at_level(logging.INFO, logger="corpora"), scratch_folder(tmp_path, "scratch-"):
        pass
    assert f"{left}: left by a process that was killed" in caplog.text


def test_nobody_has_the_lock_of_a_folder_that_is_being_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, unlink = tmp_path / "work", Path.unlink
    (folder / "made").mkdir(parents=True)
    for name in ("a", "made/b", "z"):
        (folder / name).write_text("text")
    found = []

    def watched(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        with lock(folder / "lock", give_up=lambda: True) as held:
            found.append([p.name for p in folder.iterdir()] if held else "refused")

    with lock(folder / "lock") as held, monkeypatch.context() as patch:
        assert held
        patch.setattr(Path, "unlink", watched)
        remove_locked(folder / "lock")
    assert found == ["refused", "refused", ["lock"]]
    with lock(folder / "lock") as held:  # of whoever came for it, as here the last
        assert held
        remove_locked(folder / "lock")
    assert not folder.exists()


def test_a_step_of_the_work_may_ask_for_its_folder_again(tmp_path: Path) -> None:
    with being_written(tmp_path / "out"), being_written(tmp_path / "out"):
        assert (tmp_path / "out" / OUTPUT_LOCK).exists()
    assert not (tmp_path / "out").exists()


def test_a_lock_that_nobody_holds_is_removed(tmp_path: Path) -> None:
    path = tmp_path / OUTPUT_LOCK
    path.write_text("process 1 on a machine that is gone")
    with lock(path) as held:
        assert held
        remove_abandoned_lock(tmp_path)
        assert path.exists()
    remove_abandoned_lock(tmp_path)
    assert not path.exists()
    remove_abandoned_lock(tmp_path)
    assert not path.exists()
