"""Panics of libraries in Rust: what they write to stderr stays unsaid, and what they raise is an
error like any other.

A panic writes lines of its own to the process's stderr, from whichever thread, before Python hears
of it as an exception that derives from `BaseException` alone.
"""

import contextlib
import os
from collections.abc import Iterator

PANIC = "PanicException"  # a class that each library has of its own, and few export
_TOLD = b"panicked at"


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
            if type(error).__name__ != PANIC:
                raise
            raise ValueError(" ".join(str(error).split())) from error


@contextlib.contextmanager
def _stderr_held() -> Iterator[None]:
    try:
        kept, held = os.dup(2), os.memfd_create("stderr")
    except (OSError, AttributeError):  # there is no stderr, or no such file on this system
        yield
        return
    try:
        os.dup2(held, 2)
        yield
    finally:
        os.dup2(kept, 2)
        said = os.pread(held, os.fstat(held).st_size, 0)
        if said and _TOLD not in said:
            with contextlib.suppress(OSError):
                os.write(kept, said)
        os.close(kept)
        os.close(held)
