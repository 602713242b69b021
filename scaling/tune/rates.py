"""Whether the learning rates of a grid are tuned: its ends, trained at rates around their own.

A rate that suits small models and not large ones bends an isoFLOP curve, and so moves its minimum.
So the smallest and the largest size of each arm are trained at a quarter to four times their rate,
at the smallest budget and one compression rate or tokenizer of the arm, in a sweep of its own
beside the grid's runs: what it trains enters no fit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from corpora.errors import InputError
from scaling.config.sweep_file import ArmTable, SweepFile
from scaling.record import RunRecord
from scaling.spec import RunSpec
from scaling.sweep.collect import read_records
from scaling.sweep.folder import SweepFolder, check_folder

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
_SHARED = ("shards", "tokenizers", "byte_models")


def check_file(file: SweepFile) -> SweepFile:
    """Return the sweep that checks the rates of another one's grid.

    Raises:
        InputError: the grid has several rates already.
    """
    if len(file.training.rate_factors) > 1:
        raise InputError("`tune`: the file has several `rate_factors`, which are such a check")
    training = file.training.model_copy(
        update={"rate_factors": list(FACTORS), "shared_trunk": False}
    )
    changes = {
        "name": f"{file.name}, rates",
        "compute_flops": [min(file.compute_flops)],
        "seeds": file.seeds[:1],
        "arms": [_ends(arm) for arm in file.arms],
        "training": training,
    }
    return file.model_copy(update=changes)


def _ends(arm: ArmTable) -> ArmTable:
    sizes = sorted(arm.sizes, key=lambda size: size[0] * size[1] ** 2)
    changes: dict[str, Any] = {"sizes": list(dict.fromkeys((sizes[0], sizes[-1])))}
    for key in ("compression_rates", "tokenizers"):
        if values := getattr(arm, key):
            changes[key] = [values[len(values) // 2]]
    return arm.model_copy(update=changes)


def make_check_folder(folder: SweepFolder) -> SweepFolder:
    """Make the folder where the check of a sweep is kept, with the texts of that.

    Raises:
        InputError: it cannot be written.
    """
    checked = check_folder(folder)
    try:
        checked.path.mkdir(parents=True, exist_ok=True)
        for name in _SHARED:
            (folder.path / name).mkdir(exist_ok=True)
            if not (checked.path / name).is_symlink():
                (checked.path / name).symlink_to(f"../{name}", target_is_directory=True)
    except OSError as error:
        why = f"cannot be written ({error.strerror}); name another `out`"
        raise InputError(f"{checked.path}: {why}") from error
    return checked


@dataclass(frozen=True, kw_only=True)
class RateCheck:
    """One end of a grid at several learning rates.

    Attributes:
        label: what tables call the tokenization. spec: of the run at the grid's own rate.
        bits: bits per byte by the factor on that rate; None where a run did not finish.
    """

    label: str
    spec: RunSpec
    bits: dict[float, float | None]

    @property
    def best(self) -> float | None:
        """The factor with the fewest bits per byte; None where no run finished."""
        found = {factor: bits for factor, bits in self.bits.items() if bits is not None}
        return min(found, key=found.__getitem__, default=None)

    @property
    def above_best(self) -> float | None:
        """Bits per byte that the own rate is above the best one; None where it did not finish."""
        own = self.bits[1.0]
        return None if own is None or self.best is None else own - (self.bits[self.best] or 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "text": self.spec.shards,
            "label": self.label,
            "layers": self.spec.model.layers,
            "dim": self.spec.model.dim,
            "compression_rate": self.spec.compression_rate,
            "learning_rate": self.spec.training.learning_rate,
            "bits_per_byte": {f"{factor:g}": bits for factor, bits in self.bits.items()},
            "best_factor": self.best,
            "above_best": self.above_best,
        }


def rate_checks(folder: SweepFolder) -> list[RateCheck]:
    """Return what became of a check, an end at a time, in the order of the plan.

    Raises:
        InputError: there is no such sweep, or a record cannot be read.
    """
    found = read_records(folder)
    ends: dict[RunSpec, list[tuple[str, RunRecord]]] = {}
    for job in found.jobs:
        if record := found.found.get(job.run_id):
            training = replace(record.spec.training, learning_rate=0.0)
            ends.setdefault(replace(record.spec, training=training), []).append((job.label, record))
    checks = []
    for runs in ends.values():
        rates = [record.spec.training.learning_rate for _, record in runs]
        own = math.sqrt(min(rates) * max(rates))  # factors lie evenly around 1
        label, record = min(runs, key=lambda run: abs(run[1].spec.training.learning_rate - own))
        spec = record.spec
        bits = {factor: _bits(runs, factor * spec.training.learning_rate) for factor in FACTORS}
        checks.append(RateCheck(label=label, spec=spec, bits=bits))
    return checks


def _bits(runs: Sequence[tuple[str, RunRecord]], rate: float) -> float | None:
    for _, record in runs:
        if math.isclose(record.spec.training.learning_rate, rate):
            return record.bits_per_byte
    return None


def check_rows(checks: Sequence[RateCheck]) -> tuple[list[str], list[list[str]]]:
    """Return the headings and rows of a table: bits per byte at each rate, and how far the own one
    is above the best."""
    headings = ["patches", "T", "size", "rate", *(f"x {factor:g}" for factor in FACTORS)]
    rows = []
    for check in checks:
        spec, best = check.spec, check.best
        above = "" if check.above_best is None else f"{check.above_best:.3f}"
        if best in (FACTORS[0], FACTORS[-1]):
            above += " or more"
        rows.append(
            [
                check.label,
                f"{spec.compression_rate:.3g}",
                f"[{spec.model.layers}, {spec.model.dim}]",
                f"{spec.training.learning_rate:.3g}",
                *("" if bits is None else f"{bits:.3f}" for bits in check.bits.values()),
                above,
            ]
        )
    return [*headings, "above best"], rows
