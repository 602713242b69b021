"""The runs of a sweep as one table: what their records say, and what the plan calls them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from scaling.record import RunRecord, read_record
from scaling.sweep.folder import Job, SweepFolder, read_sweep

_NEAR = 0.05  # of its budget: steps are whole, and so are the tokens of a window
# Of every row; a table without rows, or with nulls only, has the same types as any other.
_TYPES: dict[str, type[pl.DataType]] = {
    "run_id": pl.String,
    "name": pl.String,
    "dataset": pl.String,
    "language": pl.String,
    "tokenization": pl.String,
    "family": pl.String,
    "marks": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "seed": pl.UInt64,
    "compute_flops": pl.Float64,
    "spent_flops": pl.Float64,
    "flops_convention": pl.String,
    "compression_rate": pl.Float64,
    "bits_per_byte": pl.Float64,
    "bits_per_byte_low": pl.Float64,
    "bits_per_byte_high": pl.Float64,
    "seconds": pl.Float64,
    "patching_flops": pl.Float64,
}


class Records(NamedTuple):
    """What a sweep's files say of its runs, each read once: it may go on while one looks.

    Attributes:
        jobs: in the order of the plan.
        found: by run id, the records there are, also of runs that were interrupted.
    """

    jobs: tuple[Job, ...]
    found: Mapping[str, RunRecord]


def read_records(folder: SweepFolder) -> Records:
    """Read the list of jobs and the records.

    Raises:
        InputError: there is no sweep, or a record cannot be read.
    """
    jobs = read_sweep(folder).jobs
    records = ((job.run_id, read_record(folder.run(job.run_id))) for job in jobs)
    return Records(jobs, {run_id: record for run_id, record in records if record is not None})


def load_runs(folder: SweepFolder) -> pl.DataFrame:
    """Return the table of a sweep's runs, as `runs_table` does.

    Raises:
        InputError: there is no sweep, or a record cannot be read.
    """
    return runs_table(read_records(folder))


def runs_table(records: Records) -> pl.DataFrame:
    """Return one row per run that has ended, in the order of the plan.

    Columns are those of `RunRecord.row`, and besides

    - `dataset`, what the sweep calls the text, and `language`;
    - `tokenization`, what the sweep calls it, or the family of the model where it has no name;
    - `family`, and `marks`, separated by semicolons;
    - `compute_flops`, the budget that the run was planned for, so that runs of one budget are told
      by it, and `spent_flops`, what its whole steps came to; both this where there was no budget,
      or the run ended far from it;
    - `bits_per_byte_low` and `_high`, the ends of the 95 % interval; `patching_flops`; `seconds`.
    """
    rows = []
    for job in records.jobs:
        record = records.found.get(job.run_id)
        if record is None or record.status == "interrupted":
            continue
        low, high = record.validation_interval or (None, None)
        spent = record.flops["full"]
        budget = record.spec.compute_flops
        near = budget is not None and abs(spent / budget - 1) < _NEAR
        measured = {
            "compute_flops": budget if near else spent,
            "spent_flops": spent,
            "bits_per_byte_low": low,
            "bits_per_byte_high": high,
            "patching_flops": record.patching_flops,
            "seconds": record.seconds,
        }
        rows.append({**record.row(), **_planned(job, record.spec.model.family), **measured})
    return _frame(rows)


def _planned(job: Job, family: str) -> dict[str, Any]:
    return {
        "dataset": job.text,
        "language": job.language,
        "tokenization": job.label or family,
        "family": family,
        "marks": "; ".join(job.marks),
    }


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    names = list(dict.fromkeys([*_TYPES, *(name for row in rows for name in row)]))
    schema = {name: _TYPES.get(name) for name in names}
    return pl.DataFrame(rows, schema=schema, infer_schema_length=None)
