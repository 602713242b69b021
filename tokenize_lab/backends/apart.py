"""A process apart, for what may end badly: files of strangers, and text under their patterns.

Libraries in Rust and C++ panic, recurse, ask for gigabytes or never come back, and cannot be
stopped from within. The process answers requests, each with a limit of computing time and memory;
whatever ends it is one line here, and the next request starts another. It ends with this one.

Requests and answers are a line of JSON, and after it as many bytes as its `size` says.
"""

import atexit
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

from corpora.errors import InputError

_ROOT = Path(__file__).resolve().parent.parent.parent
_MODULE = "tokenize_lab.apart_child"
_WAITED = 6  # by the clock, in seconds of computing: other processes may need the processor, too
_LOGGER = logging.getLogger("corpora")
# What libraries write when there is no memory left, and end the process themselves.
_NO_MEMORY = ("memory allocation of", "bad_alloc", "MemoryError", "out of memory")

inside = False  # whether this is such a process itself


class Answer(NamedTuple):
    """What came of a request.

    Attributes:
        facts: what was said. payload: the bytes after it.
    """

    facts: dict[str, Any]
    payload: bytes


class EndedError(Exception):
    """The process ended in place of an answer; the text says how, as `took more than 20 s`."""


class ProcessApart:
    """A process that answers requests; it is started by the first, and again if it has ended.

    Attributes:
        given: what it keeps, by names of the caller's; nothing in a new one.
    """

    def __init__(self) -> None:
        self.given: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()  # an answer is of the request before it

    def ask(
        self, facts: dict[str, Any], payload: bytes = b"", *, seconds: int, memory: int
    ) -> Answer:
        """Return the answer to a request.

        Args:
            seconds: of computing that it may take.
            memory: bytes that it may take beside what the process has already.

        Raises:
            EndedError: it took more, or the process ended otherwise.
        """
        with self._asking:
            return self._ask(facts, payload, seconds, memory)

    def _ask(self, facts: dict[str, Any], payload: bytes, seconds: int, memory: int) -> Answer:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Timer(_WAITED * seconds, process.kill)
        late.daemon = True
        late.start()
        try:
            limits = {"seconds": seconds, "memory": memory, "size": len(payload)}
            here = {"folder": os.getcwd()}
            process.stdin.write(json.dumps({**facts, **limits, **here}).encode() + b"\n" + payload)
            process.stdin.flush()
            said = json.loads(process.stdout.readline())
            payload = process.stdout.read(said["size"])
        except (OSError, ValueError) as error:  # a broken pipe, an empty line
            raise EndedError(self._ended(seconds, memory)) from error
        except BaseException:  # an answer that nobody waits for would be taken for the next
            self.end()
            raise
        finally:
            late.cancel()
        if said.pop("unlimited", None):
            _remark_unlimited()
        return Answer(said, payload)

    def end(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        self.given.clear()
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]  # both are pipes
            self._said.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.end()
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "TOKENIZERS_PARALLELISM": "false",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "RUST_BACKTRACE": "0",
        }
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
        )
        atexit.register(self.end)
        return self._process

    def _ended(self, seconds: int, memory: int) -> str:
        """Return how the process ended, and forget it."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._process.kill()
        code = self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace")
        self.end()
        if any(sign in said for sign in _NO_MEMORY):
            return f"took more than {memory >> 20:,} MiB"
        if -code in (signal.SIGXCPU, signal.SIGKILL):
            return f"took more than {seconds} seconds"
        if code < 0:
            return f"ended the library by {signal.Signals(-code).name}"
        return f"ended the process with exit code {code}"


_shared = ProcessApart()


def shared() -> ProcessApart:
    """Return the process that everything is asked of, one for all of this process."""
    global _shared
    if _owner != os.getpid():  # this process was forked: the other is the parent's
        _own()
    return _shared


def _own() -> None:
    global _shared, _owner
    _shared, _owner = ProcessApart(), os.getpid()


_owner = os.getpid()
_remarked = False


def _remark_unlimited() -> None:
    global _remarked
    if not _remarked:
        _remarked = True
        _LOGGER.info("this system does not limit the memory of a process that opens tokenizers")


def refused(place: str, doing: str, error: EndedError) -> InputError:
    """Return the refusal of a file with which something ended so."""
    return InputError(
        f"{place}: {doing} {error}; the file is damaged, or made to exhaust a machine"
    )
