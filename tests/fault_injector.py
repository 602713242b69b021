"""Counts the file events of a process, and ends or stops it before one; for `tests.faults`."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "fcntl.flock", "os.chmod", "os.link"}


class FaultInjector:
    """Counts the file events of one process, and sends it a signal before one of them."""

    def __init__(self, at: int | None, signal_: signal.Signals) -> None:
        """Count from now on; the signal comes before the event of number `at`."""
        self.events, self.at, self._signal, self._pid = 0, at, signal_, os.getpid()
        sync = os.fsync

        def counted(fd: Any) -> None:
            self._count()
            sync(fd)

        os.fsync = counted
        sys.addaudithook(self._hear)

    def follow(self) -> None:
        """Count those of this process, a child of the one before, and no other's."""
        self.events, self._pid = 0, os.getpid()

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
            if self.events == self.at:
                os.kill(self._pid, self._signal)


class ForkedWorker(subprocess.Popen[bytes]):
    """A worker of a sweep that is forked, not started: it does the same, and PyTorch is loaded."""

    main: Callable[[list[str]], int]
    started = 0
    first: Callable[[], None] = staticmethod(lambda: None)  # run in the first one
    last: Callable[[], None] = staticmethod(lambda: None)  # run in each when it has ended

    def __init__(
        self, words: Sequence[str], *, stdin: int, stdout: int, stderr: Any, env: Mapping[str, str]
    ) -> None:
        (its_in, into), (out_of, its_out) = os.pipe(), os.pipe()
        ForkedWorker.started += 1
        self.args, self.returncode = words, None
        self._child_created, self._waitpid_lock = True, threading.Lock()
        self.pid = os.fork()
        if not self.pid:
            exit_with(lambda: self._work(words, (its_in, its_out, stderr.fileno()), env))
        os.close(its_in)
        os.close(its_out)
        self.stdin, self.stdout = os.fdopen(into, "wb", 0), os.fdopen(out_of, "rb", 0)
        self.stderr = None

    def _work(self, words: Sequence[str], files: Sequence[int], env: Mapping[str, str]) -> int:
        for signal_ in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_, signal.SIG_DFL)
        for target, file in enumerate(files):
            os.dup2(file, target)
        os.closerange(3, 1 << 12)  # the driver's ends of pipes, above all
        os.environ.clear()
        os.environ.update(env)
        if ForkedWorker.started == 1:
            ForkedWorker.first()
        code = ForkedWorker.main(list(words[words.index("scaling.sweep.worker") + 1 :]))
        ForkedWorker.last()
        return code


def fork_workers() -> None:
    """Have sweeps of this process fork their workers."""
    from scaling.sweep import local, worker

    ForkedWorker.main = worker.main
    local.subprocess = SimpleNamespace(Popen=ForkedWorker, PIPE=subprocess.PIPE)  # type: ignore


def exit_with(work: Callable[[], int]) -> NoReturn:
    """Do what a forked process is for, and end it."""
    code = 1
    try:
        code = work()
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
