"""What tokenizer libraries raise when a file is damaged, as one clear line."""

import contextlib
from collections.abc import Iterator

from corpora.errors import InputError

# What Rust's panics become in Python: a BaseException that no module exports.
PANIC = "PanicException"


@contextlib.contextmanager
def refused_whole(place: str, what: str) -> Iterator[None]:
    """Say of whatever goes wrong while a file is loaded that it is not a whole `what`.

    Raises:
        InputError: something went wrong.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not _is_panic(error):
            raise
        raise InputError(
            f"{place}: not a whole {what} ({one_line(error)}); fetch it again"
        ) from error


@contextlib.contextmanager
def refused_text(spec: str) -> Iterator[None]:
    """Say of a failure of the library's own that the tokenizer cannot encode some text.

    Its bindings raise a bare `Exception` for an error, and a panic for a fault; anything more
    specific is a fault of ours and is left alone.

    Raises:
        InputError: the library failed.
    """
    try:
        yield
    except BaseException as error:
        if type(error) is not Exception and not _is_panic(error):
            raise
        raise InputError(
            f"{spec}: its own library cannot encode text with it ({one_line(error)}); the file is "
            "damaged, or made for other text"
        ) from error


def one_line(error: BaseException) -> str:
    """Return an error's message without line ends."""
    return " ".join(str(error).split())


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == PANIC
