"""Values of every step of a run, one JSON object a line.

Times stand in a field of their own, `seconds`, so that two runs of one specification can be
compared line by line without it. Whoever asks how a run stands reads them here, without PyTorch.
"""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from corpora.errors import InputError, regular_file, unreadable
from corpora.files import write_text
from corpora.json_file import is_count

METRICS = "metrics.jsonl"
_LONGEST = 1 << 16  # bytes of a line
_MOST_BYTES = 1 << 30


class MetricsLog:
    """An open file of metrics, cut back to the steps that a checkpoint holds."""

    def __init__(self, path: Path, steps: int) -> None:
        """Open `path`; lines of steps beyond the first `steps`, or torn ones, are dropped.

        Raises:
            InputError: it cannot be read or written, or is no regular file.
        """
        self.path = path
        if path.exists() or path.is_symlink():  # no file is made where a link leads
            lines = ((line, values_of(line)) for line in lines_of(path))
            kept = [line for line, values in lines if values and values["step"] <= steps]
            write_text(path, b"".join(kept).decode("utf-8"))
        try:
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error

    def append(self, values: dict[str, Any]) -> None:
        """Write a line; what is not finite becomes null.

        Raises:
            InputError: the disk is full.
        """
        clean = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        line = json.dumps(clean, allow_nan=False) + "\n"
        try:
            self._file.write(line)  # now and then this writes what was held back
        except OSError as error:
            raise self._full(error) from error

    def flush(self) -> None:
        """Bring what was written to the disk.

        Raises:
            InputError: the disk is full.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> InputError:
        return InputError(
            f"{self.path}: could not be written ({error.strerror}); free some space and run"
            " again, the run continues from its checkpoint"
        )

    def close(self) -> None:
        """Close the file, with what reached it."""
        try:
            self._file.close()
        except OSError:
            self._file = None  # type: ignore[assignment]  # the disk is full, and was said to be


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file of metrics, each with its end; longer ones in parts.

    Raises:
        InputError: it cannot be read, is no regular file, or no run has so many.
    """
    try:
        with regular_file(path, "move it away").open("rb") as file:
            if file.seek(0, os.SEEK_END) > _MOST_BYTES:
                what = f"more than {_MOST_BYTES >> 30} GiB, and no run's metrics have that"
                raise InputError(f"{path}: {what}; move it away")
            file.seek(0)
            while line := file.readline(_LONGEST):
                yield line if line.endswith(b"\n") else line + b"\n"
    except OSError as error:
        raise unreadable(path, error) from error


def values_of(line: bytes) -> dict[str, Any] | None:
    """Return what a line of metrics says; None of a line that is torn or foreign.

    Its step is a whole number that 64 bits hold. The other fields are as they stand.
    """
    try:
        value = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):  # brackets by the thousand
        return None
    return value if isinstance(value, dict) and is_count(value.get("step")) else None
