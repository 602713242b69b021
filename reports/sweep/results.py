"""What a sweep's folder holds, run by run: plan, state, record and loss curve.

A sweep may still be running, and files of a run may be missing or damaged: the run is then there
with less said of it. Nothing is written.
"""

import contextlib
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from corpora.errors import InputError
from reports.numbers import power
from scaling.flops import forward_flops_per_byte, training_flops_per_byte
from scaling.record import SPEC, RunRecord, read_record, read_spec
from scaling.runs import FEWEST_STEPS
from scaling.spec import RunSpec
from scaling.sweep.folder import Job, SweepFolder, check_folder
from scaling.sweep.status import RunStatus, SweepStatus, sweep_status
from scaling.train.metrics import METRICS, lines_of, values_of

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
LearningCurve = Sequence[tuple[float, float]]

_FEW = 6  # mixtures that are looked at one by one, as texts are
PER_DECADE = 30  # stretches: each is 8 % longer than the one before


def read_curve(path: Path) -> LearningCurve:
    """Return the training loss of a run: bytes read and bits per byte, by rising bytes; nothing
    where there are no metrics.

    At most a few hundred points, whatever its length: the axis is logarithmic, so the steps are put
    into stretches of equal ratio of bytes read, and each stretch is one point, the mean of its
    steps. That smooths where steps are many and leaves the first ones as they are.

    Lines that are torn, or hold no finite loss, are passed over.
    """
    sums: dict[int, tuple[int, float, float]] = {}
    for data, loss in filter(None, map(_point, _lines(path))):
        stretch = math.floor(PER_DECADE * math.log10(data))
        n, all_data, losses = sums.get(stretch, (0, 0.0, 0.0))
        sums[stretch] = n + 1, all_data + data, losses + loss
    stretches = [stretch for _, stretch in sorted(sums.items())]
    if len(stretches) > 1 and stretches[-1][0] < stretches[-2][0]:
        # The run ended within its last stretch, whose few steps would be a hook on the line.
        (n, data, loss), (more, further, rest) = stretches.pop(-2), stretches.pop(-1)
        stretches.append((n + more, data + further, loss + rest))
    return [(data / n, loss / n) for n, data, loss in stretches]


def _lines(path: Path) -> Iterator[bytes]:
    """Yield a file's lines, longer ones in parts; none of what is no file or cannot be read."""
    with contextlib.suppress(InputError):
        yield from lines_of(path)


def _point(line: bytes) -> tuple[float, float] | None:
    value = values_of(line)
    if value is None:
        return None
    try:
        data, loss = float(value["train_bytes"]), float(value["bits_per_byte"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return (data, loss) if 0 < data < math.inf and math.isfinite(loss) else None


# The arm of all tokenizers: each has a rate of its own, as patches of one kind do.
TOKENS = "tokens"


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """One run, as far as its files tell.

    Attributes:
        status: how it stands. spec: what was asked for. record: what became of it, once it ended.
        curve: of its training loss; empty where there is none.
    """

    status: RunStatus
    spec: RunSpec
    record: RunRecord | None
    curve: LearningCurve

    @property
    def job(self) -> Job:
        """Its line of the plan."""
        return self.status.job

    @property
    def arm(self) -> str:
        """What is compared over compression rates: a kind of patches, or tokens."""
        if self.spec.model.family == "subword":
            return TOKENS
        return self.job.label or str(self.spec.patching.kind if self.spec.patching else "")

    @property
    def tokenization(self) -> str:
        """The arm, or the tokenizer."""
        return self.job.label or self.arm

    @property
    def rate(self) -> float:
        """T, bytes per patch or token, as realised on the training text."""
        return self.spec.compression_rate

    @property
    def asked_rate(self) -> float:
        """T as it was asked for; as realised where a tokenizer or words decide."""
        patching = self.spec.patching
        asked = None if patching is None else patching.compression_rate
        return self.rate if asked is None else asked

    @property
    def rate_text(self) -> str:
        """T for people: `4`, or `3.97` where the patches were found."""
        return f"{self.rate:.3g}"

    @property
    def budget(self) -> float:
        """Training FLOPs that it was planned for; where it had steps only, what they come to."""
        if self.spec.compute_flops is not None:
            return self.spec.compute_flops
        per_byte = training_flops_per_byte(self.spec.model.shape, self.spec.cost_context)
        return float(f"{per_byte * self.spec.train_bytes:.2g}")

    @property
    def size(self) -> str:
        """Layers and width of the global module."""
        return f"{self.spec.model.layers}×{self.spec.model.dim}"

    @property
    def params(self) -> int:
        """Parameters of the global module."""
        return self.spec.model.shape.global_params

    @property
    def forward_flops(self) -> float:
        """Per byte of text, by the full count; the byte model of entropy patches left out."""
        return forward_flops_per_byte(self.spec.model.shape, self.spec.cost_context)

    @property
    def bits_per_byte(self) -> float | None:
        """Of held-out text, once it finished."""
        return self.status.bits_per_byte

    @property
    def loss(self) -> float:
        """The same of a run that is known to have finished."""
        assert self.bits_per_byte is not None
        return self.bits_per_byte

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of bits per byte over held-out documents."""
        return None if self.record is None else self.record.validation_interval

    @property
    def short(self) -> bool:
        """Whether it has too few steps to be fitted."""
        return self.spec.training.steps < FEWEST_STEPS

    @property
    def usable(self) -> bool:
        """Whether it finished, long enough to be compared."""
        return self.bits_per_byte is not None and not self.short


@dataclass(frozen=True)
class SweepResults:
    """Everything the pages on a sweep show.

    Attributes:
        status: how the sweep stands, with every run of the plan.
        runs: those whose specification can be read, in the order of the plan.
        checks: runs of the check of its learning rates (`sweep --tune`), where there was one.
    """

    status: SweepStatus
    runs: Sequence[SweepRun]
    checks: Sequence[SweepRun] = ()

    @property
    def unread(self) -> list[RunStatus]:
        """Runs of the plan that nothing can be said of but their state."""
        known = {run.job.run_id for run in self.runs}
        return [run for run in self.status.runs if run.job.run_id not in known]

    @property
    def texts(self) -> list[str]:
        """Names of the texts, in the order of the plan."""
        return list(dict.fromkeys(run.job.text for run in self.runs))

    @property
    def of_mixtures(self) -> bool:
        """Whether it is a design of mixtures: what they share says more than each by itself."""
        return len(self.texts) > _FEW and all(run.spec.shares for run in self.runs)

    @property
    def several_texts(self) -> bool:
        """Whether there is more than one."""
        return len(self.texts) > 1

    @property
    def usable(self) -> list[SweepRun]:
        """Runs that can be compared."""
        return [run for run in self.runs if run.usable]

    def named(self, text: str, what: str = "") -> str:
        """Return a heading's words: the text where there are several, and `what`."""
        return ", ".join(part for part in (text if self.several_texts else "", what) if part)


def read_sweep_results(path: Path) -> SweepResults:
    """Read a sweep's folder.

    Raises:
        InputError: its list of jobs cannot be read.
    """
    folder = SweepFolder(path)
    status = sweep_status(folder)
    checked = check_folder(folder)
    checks = read_sweep_results(checked.path).runs if checked.file.exists() else ()
    found = (_run(folder.run(run.job.run_id), run) for run in status.runs)
    return SweepResults(status, [run for run in found if run is not None], checks)


def _run(folder: Path, status: RunStatus) -> SweepRun | None:
    status = replace(status, reason=status.reason.replace(f"{folder}/", ""))
    try:
        record = read_record(folder)
    except InputError:
        record = None
    try:
        spec = record.spec if record is not None else read_spec(folder / SPEC)
    except InputError:
        return None
    return SweepRun(status=status, spec=spec, record=record, curve=read_curve(folder / METRICS))


def arms(runs: Iterable[SweepRun]) -> list[tuple[str, str]]:
    """Return every text with every arm on it, in the order of the plan."""
    return list(dict.fromkeys((run.job.text, run.arm) for run in runs))


def views(runs: Sequence[SweepRun]) -> list[tuple[str, str, str, float]]:
    """Return every text, arm, tokenization and rate, by rising rate within an arm."""
    order = {arm: place for place, arm in enumerate(arms(runs))}
    found = {(run.job.text, run.arm, run.tokenization, run.rate) for run in runs}
    return sorted(found, key=lambda key: (order[key[:2]], key[3], key[2]))


def view(run: SweepRun) -> tuple[str, str, str, float]:
    """Return what `views` calls a run's own."""
    return run.job.text, run.arm, run.tokenization, run.rate


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return the items by key, both in the order in which they are met."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def sizes(runs: Iterable[SweepRun]) -> list[str]:
    """Return the sizes of runs, the smallest global module first."""
    return list(dict.fromkeys(run.size for run in sorted(runs, key=lambda run: run.params)))


def budgets(runs: Iterable[SweepRun]) -> list[float]:
    """Return the budgets of runs, the smallest first."""
    return sorted({run.budget for run in runs})


def lowest(runs: Iterable[SweepRun]) -> SweepRun:
    """Return the run of the fewest bits per byte."""
    return min(runs, key=lambda run: run.loss)


def byte_models(runs: Sequence[SweepRun]) -> str:
    """Return what was spent on the byte models of these runs; empty where there are none.

    No budget holds it, and without these words entropy patches would look as cheap as others.
    """
    placed = [run for run in runs if _flops(run)]
    if not placed:
        return ""
    # One model may place the patches of many runs, and is paid for once.
    models = {run.spec.patching and run.spec.patching.entropy_model: _flops(run) for run in placed}
    total, least = float(f"{sum(models.values()):.3g}"), min(budgets(placed))
    who = "The byte model that places" if len(models) == 1 else "The byte models that place"
    words = f"{who} the entropy patches took {power(total)} FLOPs more, which no budget here counts"
    return (
        f"{words}: {total / least:.2g} times the least of them." if total > least else f"{words}."
    )


def reading_flops(run: SweepRun) -> float | None:
    """Return the most FLOPs that reading a byte with the byte model of a run's patches can take."""
    record = run.record
    if record is None or not record.patching_flops or not record.unique_bytes:
        return None
    # What training it took is in the sum too; the record does not part the two.
    return record.patching_flops / record.unique_bytes


def _flops(run: SweepRun) -> float:
    return 0.0 if run.record is None else run.record.patching_flops
