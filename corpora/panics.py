"""Panics of libraries in Rust: what they write to stderr stays unsaid, and what they raise is an
error like any other.

A panic writes lines of its own to the process's stderr, from whichever thread, before Python hears
of it as an exception that derives from `BaseException` alone.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator

PANIC = "PanicException"  # a class that each library has of its own, and few export
_TOLD = b"panicked at"


def is_panic(error: BaseException) -> bool:
    """Whether an error is a fault of a library written in Rust."""
    return type(error).__name__ == PANIC


@contextlib.contextmanager
def panics_as_errors() -> Iterator[None]:
    """Raise a ValueError for a panic; nothing of it reaches stderr.

    Whatever else is written there meanwhile comes after.

    Raises:
        ValueError: something panicked.
    """
    with _stderr_held():
        try:
            yield
        except BaseException as error:
            if not is_panic(error):
                raise
            raise ValueError(" ".join(str(error).split())) from error


@contextlib.contextmanager
def _stderr_held() -> Iterator[None]:
    """Let stderr be a file for a while, and then write what it holds, unless a panic is told there.

    Where no such file can be had, stderr stays as it is.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, kept)
        try:
            held = stack.enter_context(tempfile.TemporaryFile())
        except OSError:
            yield
            return
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            held.seek(0)
            said = held.read()
            if said and _TOLD not in said:
                with contextlib.suppress(OSError):
                    os.write(2, said)
