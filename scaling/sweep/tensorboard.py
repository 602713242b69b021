"""The metrics of a sweep's runs as TensorBoard events, for those who watch their runs there.

Each run becomes a folder named after its text, arm, rate, size and budget, with one file of events
that is written anew from the run's metrics. Wall times count from the beginning of the run, so that
the same metrics give the same bytes, and the `relative` axis is the one that means something.
"""

import importlib
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpora.errors import InputError
from corpora.files import written_whole
from scaling.record import read_record
from scaling.spec import RunSpec
from scaling.spec_json import SPEC, read_spec
from scaling.sweep.folder import Job, SweepFolder, read_sweep
from scaling.sweep.leftovers import METRICS

STEP_TAGS = {
    "train/bits_per_byte": "bits_per_byte",
    "train/nats_per_target": "nats_per_target",
    "train/learning_rate": "learning_rate",
    "train/gradient_norm": "gradient_norm",
    "train/bytes": "train_bytes",
}
HELD_OUT = "held_out/bits_per_byte"
_UNSAFE = re.compile(r"[^\w.,=+-]+")


def write_events(folder: SweepFolder, out: Path) -> int:
    """Write the events of every run that has metrics, also of those under way; return how many.

    Args:
        out: folder for `tensorboard --logdir`; files of the same runs in it are replaced.

    Raises:
        InputError: TensorBoard is not installed, the sweep or a specification cannot be read, or
            the folder cannot be written.
    """
    events = _Events()
    written = 0
    for job in read_sweep(folder).jobs:
        run = folder.run(job.run_id)
        if not (run / METRICS).exists():
            continue
        target = out / run_name(job, read_spec(run / SPEC)) / f"events.out.tfevents.{job.run_id}"
        with written_whole(target) as temporary, temporary.open("wb") as file:
            events.write(file, run)
        written += 1
    return written


def run_name(job: Job, spec: RunSpec) -> str:
    """Return a folder's name: text, arm, rate, size and budget, and the run's own id at the end."""
    parts = [job.text, job.label or spec.model.family, f"T={spec.compression_rate:.3g}"]
    parts.append(f"{spec.model.layers}x{spec.model.dim}")
    if spec.compute_flops is not None:
        parts.append(f"C={spec.compute_flops:.2g}")
    # Names come from a sweep's file: nothing in them leads out of the folder.
    return "_".join(_UNSAFE.sub("-", part).strip(".") for part in [*parts, job.run_id])


class _Events:
    """TensorBoard's own writing of records."""

    def __init__(self) -> None:
        try:
            proto = importlib.import_module("tensorboard.compat.proto.event_pb2")
            summary = importlib.import_module("tensorboard.compat.proto.summary_pb2")
            records = importlib.import_module("tensorboard.summary.writer.record_writer")
        except ImportError as error:
            raise InputError(
                '--tensorboard needs TensorBoard; install it with: pip install "tokenize-lab'
                '[tensorboard]"'
            ) from error
        self._event: Any = proto.Event
        self._summary: Any = summary.Summary
        self._records: Any = records.RecordWriter

    def write(self, file: Any, run: Path) -> None:
        """Write a run's metrics and, where it has ended, what its held-out text came to."""
        records = self._records(file)
        records.write(self._event(file_version="brain.Event:2").SerializeToString())
        step, seconds = 0, 0.0
        for line in _lines(run / METRICS):
            step, seconds = line["step"], line["seconds"]
            values = {tag: line.get(name) for tag, name in STEP_TAGS.items()}
            records.write(self._of(step, seconds, values))
        record = read_record(run)
        if record is not None and record.bits_per_byte is not None:
            records.write(self._of(step, seconds, {HELD_OUT: record.bits_per_byte}))

    def _of(self, step: int, seconds: float, values: dict[str, Any]) -> bytes:
        known = [
            self._summary.Value(tag=tag, simple_value=value)
            for tag, value in values.items()
            if isinstance(value, int | float) and math.isfinite(value)
        ]
        event = self._event(wall_time=seconds, step=step, summary=self._summary(value=known))
        content: bytes = event.SerializeToString(deterministic=True)
        return content


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of metrics; one that is torn or of another kind is passed over."""
    with path.open("rb") as file:
        for raw in file:
            try:
                line = json.loads(raw)
                step, seconds = int(line["step"]), float(line["seconds"])
            except (ValueError, KeyError, TypeError, OverflowError):
                continue
            if step >= 0 and math.isfinite(seconds):
                yield {**line, "step": step, "seconds": seconds}
