"""Kills a command at one of its file events after the other, and sees what the rerun makes of it.

    python -m tests.faults '{"command": [...], "setup": FOLDER, "kill_at": [3, 7]}'

A file event is a file opened for writing, given another name, removed, locked or synced, or a
folder made or removed. All of a command's runs are forked from this process, which has loaded what
the command needs, so that each takes tenths of a second; each works in a copy of the set-up's
folder. Printed as JSON: how many events an undisturbed run has, and for each kill what differs from
what that run left: files that are missing, were left behind, or have other content.
"""

import contextlib
import fcntl
import hashlib
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_KILLED = 77
_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "fcntl.flock", "os.chmod", "os.link"}
# What tells of the machine and the moment; none of it is a result.
_PASSING = {"run", "seconds", "host", "command", "commit", "worker_seconds"}


class FaultInjector:
    """Counts the file events of this process, and ends it, as a kill does, before one of them."""

    def __init__(self, kill_at: int | None) -> None:
        self.events, self._kill_at, self._pid = 0, kill_at, os.getpid()
        sync = os.fsync

        def counted(fd: Any) -> None:
            self._count()
            sync(fd)

        os.fsync = counted
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            written = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if written and isinstance(path, str | bytes) and os.fsdecode(path) != os.devnull:
                self._count()
        elif event in _EVENTS:
            self._count()

    def _count(self) -> None:
        if os.getpid() == self._pid:
            self.events += 1
            if self.events == self._kill_at:
                os._exit(_KILLED)


def left(folder: Path) -> dict[str, str]:
    """Return what a folder holds: the hash of every file's content that does not pass with time."""
    return {
        path.relative_to(folder).as_posix(): "folder" if path.is_dir() else _digest(path)
        for path in sorted(folder.rglob("*"))
    }


def _digest(path: Path) -> str:
    content = path.read_bytes()
    with contextlib.suppress(ValueError):
        if path.suffix == ".json":
            content = json.dumps(_lasting(json.loads(content))).encode()
        elif path.suffix == ".jsonl":
            content = json.dumps(
                [_lasting(json.loads(line)) for line in content.splitlines()]
            ).encode()
    return hashlib.sha256(content).hexdigest()


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(part) for name, part in value.items() if name not in _PASSING}
    return [_lasting(part) for part in value] if isinstance(value, list) else value


def _forked(work: Callable[[], int], log: Path) -> int:
    """Run `work` in a process of its own, and return its exit code."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    code = 1
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        code = work()
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(folder: Path, words: list[str], kill_at: int | None, counted: Path | None = None) -> int:
    """Run the command in a folder; return its exit code."""

    def work() -> int:
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
        os.environ["TOKENIZE_LAB_CACHE"] = str(folder / "kept")
        sys.argv = ["tokenize-lab", *words]
        from tokenize_lab.__main__ import main

        injector = FaultInjector(kill_at)
        code = 0
        try:
            main()
        except SystemExit as error:
            code = int(error.code or 0)
        if counted is not None:
            counted.write_text(str(injector.events))
        return code

    return _forked(work, folder.parent / "log")


def faults(
    words: list[str], setup: Path, kill_at: Iterable[int] | None, every: int = 1
) -> dict[str, Any]:
    """Run the command whole, and then killed and run again, for each event that is named.

    Args:
        words: of the command. setup: a folder with what it reads.
        kill_at: numbers of events, from 1; negative ones from the end; None for each `every`-th.
    """
    place = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        whole, counted = _copied(setup, place / "whole" / "here"), place / "events"
        code = _run(whole, words, None, counted)
        if code:
            raise RuntimeError(
                f"the command ends with {code}: {(whole.parent / 'log').read_text()}"
            )
        wanted, events = left(whole), int(counted.read_text())
        some = range(1, events + 1, every) if kill_at is None else kill_at
        found = {}
        for number in sorted({n % (events + 1) if n < 0 else n for n in some if n <= events}):
            here = _copied(setup, place / str(number) / "here")
            killed, again = _run(here, words, number), _run(here, words, None)
            there = left(here)
            differing = sorted(
                name for name in {*wanted, *there} if wanted.get(name) != there.get(name)
            )
            said = "" if not again else (here.parent / "log").read_text()[-2000:]
            if killed != _KILLED or again or differing:
                found[number] = {
                    "killed": killed, "again": again, "differing": differing, "said": said,
                }  # fmt: skip
            shutil.rmtree(here.parent)
        return {"events": events, "wrong": found}
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _copied(setup: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True)
    shutil.copytree(setup, target)
    (target / "tmp").mkdir(exist_ok=True)
    return target


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    assert fcntl
    for name in asked["load"]:
        importlib.import_module(name)
    told = faults(asked["command"], Path(asked["setup"]), asked["kill_at"], asked.get("every", 1))
    sys.stdout.write(json.dumps(told))
