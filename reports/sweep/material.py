"""What a sweep's folder holds, run by run: plan, state, record and loss curve.

A sweep may still be running, and files of a run may be missing or damaged: the run is then there
with less said of it. Nothing is written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from corpora.errors import InputError
from reports.sweep.curve import Curve, read_curve
from scaling.flops import forward_flops_per_byte, training_flops_per_byte
from scaling.record import RunRecord, read_record
from scaling.schema import FEWEST_STEPS
from scaling.spec import RunSpec
from scaling.spec_json import SPEC, read_spec
from scaling.sweep.folder import Job, SweepFolder
from scaling.sweep.status import RunStatus, SweepStatus, sweep_status
from scaling.train.metrics import METRICS

TOKENS = (
    "tokens"  # the arm of all tokenizers: each has a rate of its own, as patches of one kind do
)


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
    curve: Curve

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
        training = self.spec.training
        per_byte = training_flops_per_byte(self.spec.model.shape, self.spec.setting)
        return float(f"{per_byte * training.steps * training.batch_bytes:.2g}")

    @property
    def size(self) -> str:
        """Layers and width of the global module."""
        return f"{self.spec.model.layers}×{self.spec.model.dim}"

    @property
    def params(self) -> int:
        """Parameters of the global module."""
        return self.spec.model.shape.global_params

    @property
    def train_bytes(self) -> int:
        """Text that it reads in all."""
        return self.spec.training.steps * self.spec.training.batch_bytes

    @property
    def bytes_per_param(self) -> float:
        """Training bytes over parameters of the global module."""
        return self.train_bytes / self.params

    @property
    def forward_flops(self) -> float:
        """Per byte of text, by the full count; the byte model of entropy patches left out."""
        return forward_flops_per_byte(self.spec.model.shape, self.spec.setting)

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
    def ends(self) -> tuple[float | None, float | None]:
        """The ends of that interval, for text."""
        return self.interval or (None, None)

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
    """

    status: SweepStatus
    runs: Sequence[SweepRun]

    @property
    def unread(self) -> list[RunStatus]:
        """Runs of the plan that nothing can be said of but their state."""
        known = {run.job.run_id for run in self.runs}
        return [one for one in self.status.runs if one.job.run_id not in known]

    @property
    def texts(self) -> list[str]:
        """Names of the texts, in the order of the plan."""
        return list(dict.fromkeys(run.job.text for run in self.runs))

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
    found = (_run(folder.run(one.job.run_id), one) for one in status.runs)
    return SweepResults(status, [run for run in found if run is not None])


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
    order = {one: place for place, one in enumerate(arms(runs))}
    found = {(run.job.text, run.arm, run.tokenization, run.rate) for run in runs}
    return sorted(found, key=lambda one: (order[one[:2]], one[3], one[2]))


def view(run: SweepRun) -> tuple[str, str, str, float]:
    """Return what `views` calls a run's own."""
    return run.job.text, run.arm, run.tokenization, run.rate


def sizes(runs: Iterable[SweepRun]) -> list[str]:
    """Return the sizes of runs, the smallest global module first."""
    return list(dict.fromkeys(run.size for run in sorted(runs, key=lambda run: run.params)))


def budgets(runs: Iterable[SweepRun]) -> list[float]:
    """Return the budgets of runs, the smallest first."""
    return sorted({run.budget for run in runs})


def lowest(runs: Iterable[SweepRun]) -> SweepRun:
    """Return the run of the fewest bits per byte."""
    return min(runs, key=lambda run: run.loss)
