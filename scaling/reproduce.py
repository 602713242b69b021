"""Published figures beside ours: every golden number whose data is present."""

from collections.abc import Iterable
from pathlib import Path

from scaling.engine.bootstrap import CASES, Bootstrap
from scaling.golden_cot import cot_rows
from scaling.golden_row import Row
from scaling.golden_runs import runs_rows


def reproduce(
    runs_folder: str | Path | None = None, bootstrap: Bootstrap = CASES
) -> tuple[Row, ...]:
    """Return every golden number, ours beside it.

    Args:
        runs_folder: where the published runs of other projects lie; figures whose file is absent
            are left out. The project ships only the tables of arXiv 2605.01188.
        bootstrap: draws and seed of the intervals.

    Raises:
        InputError: the folder holds none of the files.
    """
    rows: list[Row] = list(cot_rows(bootstrap))
    if runs_folder is not None:
        rows += runs_rows(Path(runs_folder), bootstrap)
    return tuple(rows)


def summary(rows: Iterable[Row]) -> tuple[int, int]:
    """Return how many rows agree, and how many could."""
    judged = [one for one in rows if one.agrees is not None]
    return sum(bool(one.agrees) for one in judged), len(judged)
