"""Mixture fits as the commands and the library show fits: as results, text, JSON and files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from corpora.errors import sanitize
from corpora.files import write_text
from scaling.engine.newton import Array
from scaling.fits.assemble import goodness, held_out
from scaling.fits.results import Fits
from scaling.load_table import LoadedTable
from scaling.mixtures.arms import apart_lines
from scaling.mixtures.result import FIT_FILE, MixtureArm, MixtureLaw, shown
from scaling.mixtures.table import SHARE
from scaling.result import FitResult
from scaling.runs import Runs

LOSS = "loss_opt"


class MixtureFits(Fits):
    """A mixture law: a result for each arm, whose estimates are the best mixture and its loss.

    Attributes:
        mixture: all of it.
    """

    def __init__(self, mixture: MixtureLaw, runs: Runs, left_out: Sequence[Array]) -> None:
        self.mixture = mixture
        super().__init__(
            "mixture",
            [
                _result(mixture, arm, runs, predicted)
                for arm, predicted in zip(mixture.arms, left_out, strict=True)
            ],
        )

    def summary(self) -> str:
        """Return the best mixtures, what the forms miss, and how arms differ."""
        parts = []
        for fit, arm in zip(self.results, self.mixture.arms, strict=True):
            parts.append("\n".join([fit.summary(), *map(sanitize, _lines(self.mixture, arm))]))
        parts += [
            "\n".join(map(sanitize, apart_lines(self.mixture, a))) for a in self.mixture.apart
        ]
        return "\n\n".join(parts)

    def json(self) -> dict[str, Any]:
        """Return what `scaling fit --json` prints: that of other laws, and the whole mixture's."""
        law = self.mixture.model_dump(mode="json")
        for arm in law["arms"]:
            for name in ("rows", "shares", "losses"):
                del arm[name]
            del arm["best"]["draws"]
            for regressions in arm["regressions"].values():
                del regressions["draws"], regressions["pull"]
        return {
            **super().json(),
            "form": self.mixture.form,
            **{name: law[name] for name in ("texts", "target", "unit", "arms", "apart")},
        }

    def write(self, out: Path, table: LoadedTable | None = None) -> Path:
        """Write the law, its summary and its table; the law also as `FIT.json` in the folder."""
        folder = super().write(out, table)
        write_text(out / FIT_FILE, self.mixture.model_dump_json() + "\n")
        return folder

    def _files(self) -> dict[str, str]:
        return {f"{self.law}.json": self.mixture.model_dump_json()}


def _result(law: MixtureLaw, arm: MixtureArm, runs: Runs, left_out: Array) -> FitResult:
    total = sum(law.target.values())
    weights = np.array([law.target.get(name, 0.0) / total for name in law.languages])
    observed = arm.losses @ weights
    residuals = observed - arm.value(law.form, law.target, arm.shares)
    names = [f"{SHARE}{text}" for text in law.texts]
    drawn = arm.best.draws
    return FitResult(
        law="mixture",
        form=law.form,
        estimates={**dict(zip(names, arm.best.shares, strict=True)), LOSS: arm.best.loss},
        intervals={
            **dict(zip(names, arm.best.intervals, strict=True)), LOSS: arm.best.loss_interval,
        },
        level=law.level,
        method="least squares; optimum of the exponential laws by projected Newton",
        interval_method=f"bootstrap, whole mixtures resampled, {len(drawn)} draws, percentiles"
        if len(drawn)
        else "none",
        interval_reason="" if len(drawn) else "no bootstrap was run",
        seed=law.seed,
        status="converged",
        **goodness(observed, residuals, len(law.texts) + 1),
        excluded=runs.excluded,
        holdout=held_out("each run left out in turn", observed, left_out),
        units={LOSS: law.unit},
        conventions={"loss": law.unit},
        context={"target": law.name, **({"tokenization": arm.name} if arm.name else {})},
        data=law.data,
        data_sha256=law.data_sha256,
        findings=(*arm.findings, *runs.notes),
    )  # fmt: skip


def _lines(law: MixtureLaw, arm: MixtureArm) -> list[str]:
    chosen = "chosen by it" if law.chosen else "as asked"
    lines = [f"leave-one-out error of {law.name} ({law.form} {chosen}):"]
    lines += [
        f"  {row.form:<12}RMSE {row.rmse:.4g}, Spearman {shown(row.rank_correlation, row.interval)}"
        for row in arm.errors
        if row.of == "target"
    ]
    lines.append("loss of each language at the best mixture:")
    width = max(map(len, arm.best.losses))
    for name, value in arm.best.losses.items():
        lines.append(f"  {name:<{width}}  {shown(value, arm.best.loss_intervals[name])}")
    if arm.capped:
        cost = shown(arm.best.cost, arm.best.cost_interval)
        lines.append(f"caps (four epochs of a text at the runs' budget) cost {cost}")
    parts = [
        f"{text} {share:.3g}"
        for text, share in sorted(
            zip(law.texts, arm.sampled, strict=True), key=lambda pair: -pair[1]
        )
        if share >= 5e-4
    ]
    lines.append(f"mean of the best 128 of 100,000 draws, by {law.form}: {', '.join(parts)}")
    return lines
