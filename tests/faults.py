"""Sets a fault at one of a command's file events after the other, and sees what comes of it.

    python -m tests.faults '{"fault": "kill", "commands": ["measure ..."], "setup": FOLDER,
                             "numbers": null, "every": 1}'

A file event is a file opened for writing, given another name, removed, locked or synced, or a
folder made or removed. All runs are forked from this process, which has loaded what the first one
loaded, so that each takes tenths of a second; each works in a copy of the set-up's folder. Faults:

kill    the command is killed before the event, and run again.
worker  a sweep's worker is killed before an event of its own; the sweep goes on.
pause   the command is stopped before the event, and another one like it runs meanwhile.
full    the disk has so many pages and no more, then room again; the command is run on both.

Printed as JSON: how many events an undisturbed run has; how the commands with a fault ended, by
exit code; and for each fault what differs from what the undisturbed one left: files that are
missing, were left behind, or have other content.
"""

import contextlib
import ctypes
import fcntl
import gc
import hashlib
import importlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fault_injector import FaultInjector, ForkedWorker, exit_with, fork_workers

# What tells of the machine and the moment; none of it is a result.
_PASSING = {"run", "seconds", "host", "command", "commit", "worker_seconds"}
_PASSING_IN_PAGES = re.compile(
    rb"<dd>(\d{4}-\d\d-\d\dT[^<]*|[\d.]+|[\d.]+ MB/s|([\d,]+ encoded, [\d,]+ )?from the cache)</dd>"
)
# Made again when they are wanted; where there was no room for them, nothing is said of it.
_MAY_BE_MISSING = ("kept/opened/", "kept/vocabularies/")
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_PAGE = 4096
_PATIENCE = 60.0  # seconds that a process may take to end by itself
_PAUSE = 1.0  # seconds that another command is given while one is stopped and may hold a lock


def left(folder: Path) -> dict[str, str]:
    """Return what a folder holds: the hash of every file's content that does not pass with time."""
    return {
        path.relative_to(folder).as_posix(): "folder" if path.is_dir() else _digest(path)
        for path in sorted(folder.rglob("*"))
    }


def _digest(path: Path) -> str:
    if path.name.endswith("lock"):
        return "lock"  # which process had it is nothing that lasts
    content = path.read_bytes()
    if path.suffix == ".html":
        content = _PASSING_IN_PAGES.sub(b"", content)
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


class Trial:
    """A copy of the set-up's folder, and the runs of a command in it."""

    def __init__(self, setup: Path, place: Path, pages: int | None = None) -> None:
        """Copy the folder; with `pages` onto a disk of its own, which has so many to spare."""
        self.place, self.here, self._mounted = place, place / "here", False
        self.codes: list[int] = []  # of the runs that have ended
        place.mkdir()
        if pages is not None:
            self.here.mkdir()
            self._mount()
        shutil.copytree(setup, self.here, dirs_exist_ok=True)
        (self.here / "tmp").mkdir(exist_ok=True)
        if pages is not None:
            disk = os.statvfs(self.here)
            self._mount(disk.f_blocks - disk.f_bfree + pages)

    def _mount(self, pages: int = 1 << 16) -> None:
        options = f"{'remount,' if self._mounted else ''}size={pages * _PAGE}"
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.here)]
        subprocess.run(words, check=True, capture_output=True)
        self._mounted = True

    def make_room(self) -> None:
        """Let the disk have as many pages as anyone may want."""
        self._mount()

    def close(self) -> None:
        """Remove all of it."""
        if self._mounted:
            subprocess.run(["umount", str(self.here)], check=True)
        shutil.rmtree(self.place)

    def start(
        self,
        words: Sequence[str],
        at: int | None = None,
        signal_: signal.Signals = signal.SIGKILL,
        counted: Path | None = None,
        *,
        of_worker: bool = False,
        log: str = "log",
    ) -> int:
        """Start the command; return its process.

        Args:
            at: number of the event before which it gets the signal.
            counted: where to write how many there were. of_worker: count those of its worker.
            log: what stdout and stderr are written to.
        """
        process = os.fork()
        if process:
            return process

        def work() -> int:
            out = os.open(self.place / log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.chdir(self.here)
            os.environ["TMPDIR"] = tempfile.tempdir = str(self.here / "tmp")
            os.environ["TOKENIZE_LAB_CACHE"] = str(self.here / "kept")
            module = words[1] if words[0] == "-m" else "tokenize_lab"
            sys.argv = [module, *(words[2:] if words[0] == "-m" else words)]
            main = importlib.import_module(f"{module}.__main__").main
            injector = FaultInjector(None if of_worker else at, signal_)

            def write_count() -> None:
                if counted is not None:
                    counted.write_text(json.dumps([injector.events, sorted(sys.modules)]))

            if of_worker:
                injector.at = None

                def first() -> None:
                    injector.follow()
                    injector.at = at

                ForkedWorker.first, ForkedWorker.last = first, write_count
            code = 0
            try:
                code = main() or 0
            except SystemExit as error:
                code = int(error.code or 0)
            if not of_worker:
                write_count()
            return code

        exit_with(work)

    def run(self, words: Sequence[str], *more: Any, **options: Any) -> int:
        """Run the command to its end; return its exit code, or less a signal's number."""
        self.codes.append(_ended(self.start(words, *more, **options)))
        return self.codes[-1]

    def said(self, log: str = "log") -> str:
        """Return the end of what the last command wrote to stdout and stderr."""
        return (self.place / log).read_text(errors="replace")[-2000:]

    def differing(self, wanted: Mapping[str, str]) -> list[str]:
        """Return the names of files that are not as they should be."""
        there = left(self.here)
        return sorted(
            name
            for name in {*wanted, *there}
            if wanted.get(name) != there.get(name)
            and (name in there or not name.startswith(_MAY_BE_MISSING))
        )


def _ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _await_orphans() -> None:
    """Wait for what killed commands left running, which is to end by itself.

    Raises:
        RuntimeError: it does not.
    """
    until = time.monotonic() + _PATIENCE
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
        raise RuntimeError("processes of a killed command go on")


def _killed(trial: Trial, words: Sequence[str], number: int) -> dict[str, Any]:
    ended = trial.run(words, number)
    again = trial.run(words)
    right = ended == -signal.SIGKILL and not again
    return {} if right else {"killed": ended, "again": again, "said": trial.said()}


def _worker_killed(trial: Trial, words: Sequence[str], number: int) -> dict[str, Any]:
    ended = trial.run(words, number, of_worker=True)
    return {"ended": ended, "said": trial.said()} if ended else {}


def _paused(trial: Trial, words: Sequence[str], number: int) -> dict[str, Any]:
    first = trial.start(words, number, signal.SIGSTOP)
    os.waitpid(first, os.WUNTRACED)
    second = trial.start(words, log="log of the second")
    until, code = time.monotonic() + _PAUSE, None
    while code is None and time.monotonic() < until:
        time.sleep(0.01)
        process, status = os.waitpid(second, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if process else None
    os.kill(first, signal.SIGCONT)
    trial.codes = codes = [_ended(first), _ended(second) if code is None else code]
    said = trial.said("log of the second" if codes[1] else "log")
    # One of them may say that the other is there; nothing else may go wrong.
    refused = codes in ([0, 2], [2, 0]) and "process" in said
    return {} if codes == [0, 0] or refused else {"codes": codes, "said": said}


def _disk_full(trial: Trial, words: Sequence[str], number: int) -> dict[str, Any]:
    ended, said = trial.run(words), trial.said()
    trial.make_room()
    # A sweep takes it for a fault of the run that finds no room, and says so in its record.
    failed = ended in (1, 2) and "failed: " in said
    again = trial.run([*words, "--retry-failed"] if failed else words)
    right = (ended in (0, 2) or failed) and "Traceback" not in said and not again
    return {} if right else {"full": ended, "again": again, "said": said + trial.said()}


def _pages(folder: Path) -> int:
    sizes = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sum(-(-size // _PAGE) for size in sizes)


def _expanded(word: str, folder: Path) -> list[str]:
    found = sorted(path.relative_to(folder).as_posix() for path in folder.glob(word))
    return found if "*" in word else [word]


_FAULTS = {"kill": _killed, "worker": _worker_killed, "pause": _paused, "full": _disk_full}


def faults(
    fault: str,
    words: Sequence[str],
    setup: Path,
    before: Iterable[Sequence[str]] = (),
    numbers: Iterable[int] | None = None,
    every: int = 1,
) -> dict[str, Any]:
    """Run the command whole, and then with a fault at each event that is named.

    Args:
        words: of the command; of another module than `tokenize_lab` behind -m and its name.
        setup: a folder with what it reads. before: commands run there first.
        numbers: of events, from 1; negative ones from the end; None for each `every`-th.
            Where the disk is full, of the page that is the first too many.
    """
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    place = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        prepared = Trial(setup, place / "prepared")
        for line in before:
            if code := prepared.run(line):
                raise RuntimeError(f"{line} ends with {code}: {prepared.said()}")
        setup = prepared.here
        words = [name for word in words for name in _expanded(word, setup)]
        counted = place / "events"
        for name in ("first", "whole"):  # the first one is there to say what is to be loaded
            whole = Trial(setup, place / name)
            code = whole.run(words, counted=counted, of_worker=fault == "worker")
            if code:
                raise RuntimeError(f"the command ends with {code}: {whole.said()}")
            events, modules = json.loads(counted.read_text())
            for module in modules:
                with contextlib.suppress(ImportError):
                    importlib.import_module(module)
        wanted = left(whole.here)
        gc.freeze()  # what is loaded is shared with every run, not copied by its collector
        if fault == "full":
            events = 2 + _pages(whole.here) - _pages(setup)
        some = range(1, events + 1, every) if numbers is None else numbers
        found, ended = {}, Counter[int]()
        for number in sorted({n % (events + 1) if n < 0 else n for n in some if n <= events}):
            trial = Trial(setup, place / str(number), number - 1 if fault == "full" else None)
            wrong = _FAULTS[fault](trial, words, number)
            _await_orphans()
            differing = trial.differing(wanted)
            if wrong or differing:
                found[number] = {**wrong, "differing": differing}
            trial.close()
            ended.update(trial.codes[:1])
        return {"events": events, "ended": ended, "wrong": found}
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    assert fcntl
    if any("scaling sweep" in line or "scaling.sweep" in line for line in asked["commands"]):
        fork_workers()
    *before, last = map(shlex.split, asked["commands"])
    told = faults(
        asked["fault"], last, Path(asked["setup"]), before, asked["numbers"], asked["every"]
    )
    sys.stdout.write(json.dumps(told))
