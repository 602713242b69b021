"""The runs of a sweep as one table: what their records say, and what the plan calls them."""

import importlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from corpora.errors import InputError, install_hint, unreadable
from corpora.files import written_whole
from corpora.json_file import is_number
from scaling.record import SPEC, RunRecord, read_record, read_spec
from scaling.spec import RunSpec
from scaling.sweep.folder import Job, SweepFolder, read_sweep
from scaling.train.metrics import METRICS, lines_of, values_of

_NEAR = 0.05  # of its budget: steps are whole, and so are the tokens of a window
_WORDS = ("run_id", "name", "dataset", "language", "tokenization", "family", "marks", "status")
_BITS = ("bits_per_byte", "bits_per_byte_low", "bits_per_byte_high")
# Of every row; a table without rows, or with nulls only, has the same types as any other.
_TYPES: dict[str, type[pl.DataType]] = {
    **dict.fromkeys([*_WORDS, "reason"], pl.String),
    "seed": pl.UInt64,
    **dict.fromkeys(["compute_flops", "spent_flops"], pl.Float64),
    "flops_convention": pl.String,
    **dict.fromkeys(["compression_rate", *_BITS, "seconds", "patching_flops"], pl.Float64),
}


class SweepRecords(NamedTuple):
    """What a sweep's files say of its runs, each read once: it may go on while one looks.

    Attributes:
        jobs: in the order of the plan.
        found: by run id, the records there are, also of runs that were interrupted.
    """

    jobs: tuple[Job, ...]
    found: Mapping[str, RunRecord]


def read_records(folder: SweepFolder) -> SweepRecords:
    """Read the list of jobs and the records.

    Raises:
        InputError: there is no sweep, or a record cannot be read.
    """
    jobs = read_sweep(folder).jobs
    records = ((job.run_id, read_record(folder.run(job.run_id))) for job in jobs)
    return SweepRecords(jobs, {run_id: record for run_id, record in records if record is not None})


def load_runs(folder: SweepFolder) -> pl.DataFrame:
    """Return the table of a sweep's runs, as `runs_table` does.

    Raises:
        InputError: there is no sweep, or a record cannot be read.
    """
    return runs_table(read_records(folder))


def runs_table(records: SweepRecords) -> pl.DataFrame:
    """Return one row per run that has ended, in the order of the plan.

    Columns are those of `RunRecord.row`, and besides

    - `dataset`, what the sweep calls the text, and `language`;
    - `tokenization`, what the sweep calls it, or the family of the model where it has no name;
    - `family`, and `marks`, separated by semicolons;
    - `compute_flops`, the budget that the run was planned for, so that runs of one budget are told
      by it, and `spent_flops`, what its whole steps came to; both this where there was no budget,
      or the run ended far from it;
    - `bits_per_byte_low` and `_high`, the ends of the 95 % interval; `patching_flops`; `seconds`;
    - of runs that read several languages, `share:NAME` for each (the mixture's, or else that of the
      bytes read), and `bits_per_byte:NAME` of its held-out text with `bits_per_byte_low:NAME` and
      `_high:`, `compression_rate:NAME`, T on that text, `train_bytes:NAME` and `unique_bytes:NAME`.
    """
    rows, of_languages = [], []
    for job in records.jobs:
        record = records.found.get(job.run_id)
        if record is None or record.status == "interrupted":
            continue
        low, high = record.validation_interval or (None, None)
        spent = record.flops["full"]
        budget = record.spec.compute_flops
        near = budget is not None and abs(spent / budget - 1) < _NEAR
        row = record.row() | {
            "dataset": job.text,
            "language": job.language,
            "tokenization": job.label or record.spec.model.family,
            "family": record.spec.model.family,
            "marks": "; ".join(job.marks),
            "compute_flops": budget if near else spent,
            "spent_flops": spent,
            "bits_per_byte_low": low,
            "bits_per_byte_high": high,
            "patching_flops": record.patching_flops,
            "seconds": record.seconds,
        }
        rows.append(row)
        of_languages.append(_of_languages(record))
    schema = {**_TYPES, **{name: _TYPES.get(name) for row in rows for name in row}}
    columns = dict.fromkeys(name for part in of_languages for name in part)
    schema |= dict.fromkeys(sorted(columns, key=_kind), pl.Float64)
    rows = [row | part for row, part in zip(rows, of_languages, strict=True)]
    return pl.DataFrame(rows, schema=schema, infer_schema_length=None)


_PER_LANGUAGE = ("share", *_BITS, "compression_rate", "train_bytes", "unique_bytes")


def _kind(column: str) -> int:
    return _PER_LANGUAGE.index(column.partition(":")[0])


def _of_languages(record: RunRecord) -> dict[str, float | None]:
    """Return the columns of each language; none where there is but one."""
    found: dict[str, float | None] = {}
    for part in record.languages if len(record.languages) > 1 else ():
        read = part.train_bytes / record.train_bytes if record.train_bytes else None
        low, high = part.validation_interval or (None, None)
        share = record.spec.shares.get(part.language, 0.0) if record.spec.shares else read
        sizes = (part.train_bytes, part.unique_bytes or None)
        values = (share, part.bits_per_byte, low, high, part.compression_rate, *sizes)
        for name, value in zip(_PER_LANGUAGE, values, strict=True):
            found[f"{name}:{part.language}"] = None if value is None else float(value)
    return found


STEP_TAGS = {
    "train/bits_per_byte": "bits_per_byte",
    "train/nats_per_target": "nats_per_target",
    "train/learning_rate": "learning_rate",
    "train/gradient_norm": "gradient_norm",
    "train/bytes": "train_bytes",
}
HELD_OUT = "held_out/bits_per_byte"
_EVENTS = "events.out.tfevents."
_MOST = 3.4e38  # TensorBoard holds 32-bit numbers
_PART_BYTES = 60
_UNSAFE = re.compile(r"[^\w.,=+-]+")


def write_events(folder: SweepFolder, records: SweepRecords, out: Path) -> int:
    """Write TensorBoard's events of every run that has metrics, ended or not; return how many.

    Each run is a folder named after its text, arm, rate, size and budget, with one file. Wall times
    count from the beginning of the run, so that the same metrics give the same bytes: the
    `relative` axis is the one that means something.

    Args:
        records: of the folder.
        out: folder for `tensorboard --logdir`; files of the same runs in it are replaced, also
            where an earlier plan called their folders otherwise.

    Raises:
        InputError: TensorBoard is not installed, metrics or, where there is no record, a
            specification cannot be read, or the folder cannot be written.
    """
    events = _Events()
    written: dict[str, Path] = {}
    for job in records.jobs:
        run, record = folder.run(job.run_id), records.found.get(job.run_id)
        try:
            # To open a pipe is to wait for its writer.
            if not (run / METRICS).is_file():
                continue
            content = events.of(run / METRICS, record)
        except OSError as error:
            raise unreadable(run / METRICS, error) from error
        spec = read_spec(run / SPEC) if record is None else record.spec
        target = out / run_name(job, spec) / f"{_EVENTS}{job.run_id}"
        with written_whole(target, argument="tensorboard") as temporary:
            temporary.write_bytes(content)
        written[target.name] = target
    _remove_stale(out, written)
    return len(written)


def run_name(job: Job, spec: RunSpec) -> str:
    """Return a folder's name: text, arm, rate, size and budget, and the run's own id at the end.

    Each part but the last is cut to 60 bytes of UTF-8: the whole has to be a file's name.
    """
    parts = [job.text, job.label or spec.model.family, f"T={spec.compression_rate:.3g}"]
    parts.append(f"{spec.model.layers}x{spec.model.dim}")
    if spec.compute_flops is not None:
        parts.append(f"C={spec.compute_flops:.2g}")
    # Names come from a sweep's file: nothing in them leads out of the folder.
    safe = [_UNSAFE.sub("-", part).encode()[:_PART_BYTES].decode(errors="ignore") for part in parts]
    return "_".join(part.strip(".") for part in [*safe, job.run_id])


def _remove_stale(out: Path, written: Mapping[str, Path]) -> None:
    """Remove events of the same runs from folders that bear the names of an earlier plan."""
    try:
        for path in out.glob(f"*/{_EVENTS}*"):
            # Some file systems call one folder by several names.
            if path.name in written and not path.samefile(written[path.name]):
                path.unlink()
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
    except OSError as error:
        raise InputError(
            f"{error.filename or out}: cannot be read or removed ({error.strerror}); `tensorboard`"
            " may name another folder"
        ) from error


class _Events:
    """TensorBoard's own writing of records."""

    def __init__(self) -> None:
        try:
            proto = importlib.import_module("tensorboard.compat.proto.event_pb2")
            summary = importlib.import_module("tensorboard.compat.proto.summary_pb2")
            records = importlib.import_module("tensorboard.summary.writer.record_writer")
        except ImportError as error:
            hint = install_hint("tensorboard")
            raise InputError(f"`tensorboard` needs TensorBoard; {hint}") from error
        self._event: Any = proto.Event
        self._summary: Any = summary.Summary
        self._records: Any = records.RecordWriter

    def of(self, metrics: Path, record: RunRecord | None) -> bytes:
        """Return a run's metrics and, where it has ended, what its held-out text came to."""
        file = io.BytesIO()
        records = self._records(file)
        records.write(self._event(file_version="brain.Event:2").SerializeToString())
        step, seconds = 0, 0.0
        for line in filter(None, map(values_of, lines_of(metrics))):
            if is_number(line.get("seconds")):  # else of another kind, or torn
                step, seconds = line["step"], line["seconds"]
                values = {tag: line.get(name) for tag, name in STEP_TAGS.items()}
                records.write(self._event_of(step, seconds, values))
        if record is not None and record.bits_per_byte is not None:
            held_out = {HELD_OUT: record.bits_per_byte}
            records.write(self._event_of(step, seconds, held_out))
        return file.getvalue()

    def _event_of(self, step: int, seconds: float, values: dict[str, Any]) -> bytes:
        known = [
            self._summary.Value(tag=tag, simple_value=value)
            for tag, value in values.items()
            if is_number(value) and abs(value) <= _MOST
        ]
        event = self._event(wall_time=seconds, step=step, summary=self._summary(value=known))
        content: bytes = event.SerializeToString(deterministic=True)
        return content
