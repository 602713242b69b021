"""Standard streams on which nothing that is said can break what is being done."""

import contextlib
import io
import os
import sys


class Unfailing(io.TextIOWrapper):
    """A stderr whose full disk or vanished reader costs messages, and not the work they are of."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError):
            super().flush()


def prepare_streams() -> None:
    """See to it that there is a stderr, that it never fails, and that any name can be shown.

    What stdout or stderr has no sign for is shown by its number.
    """
    if sys.stderr is None:
        # Closed (`2>&-`). What would be said there is said to nobody, here and in worker processes;
        # otherwise the next file that is opened would be file 2, and take what they say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.set_inheritable(2, True)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  # as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr.fileno() == 2:
        encoding = sys.stderr.encoding
        raw = open(2, "wb", closefd=False)  # noqa: SIM115  # as long as the process
        sys.stderr = Unfailing(raw, encoding, "backslashreplace", line_buffering=True)
