"""The isoFLOP minima of a sweep: parabolas by `scaling.fits.isoflop`, and where they may be read.

A curve has a minimum only where the parabola opens upwards and turns between the smallest and the
largest model trained. Where it has none, and the best model is one end of the grid and the worst
the other, the minimum lies at the best or beyond: a bound, no estimate. Other curves say nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from reports.laws.material import inside
from reports.numbers import plural
from reports.sweep.material import SweepRun, lowest, views
from scaling.engine.bootstrap import RESIDUALS
from scaling.fits.cells import FEWEST_SIZES
from scaling.fits.isoflop import fit_parabolas
from scaling.read_runs import runs_from_frame
from scaling.result import FitResult

_DRAWS = 200

Key = tuple[str, str, str, float, float]


@dataclass(frozen=True)
class IsoFlop:
    """The sizes of one view at one budget.

    Attributes:
        runs: that finished, by rising bytes per parameter; one for each size and seed.
        short: that are too short to be fitted.
        fit: of `runs`; None with fewer than three sizes.
    """

    runs: Sequence[SweepRun]
    short: Sequence[SweepRun]
    fit: FitResult | None

    @property
    def first(self) -> SweepRun:
        """Any of its runs."""
        return next(iter((*self.runs, *self.short)))

    @property
    def interior(self) -> bool:
        """Whether there is a minimum between the sizes trained."""
        fit = self.fit
        return fit is not None and bool(fit.estimates) and inside(fit)

    @property
    def bound(self) -> tuple[SweepRun, bool] | None:
        """The best run and whether the minimum lies at more bytes per parameter, if the best run
        is one end of the grid, the worst the other, and there is no minimum inside. A curve that
        falls towards both ends does not tell beyond which of them it would turn."""
        if self.interior or len({run.params for run in self.runs}) < FEWEST_SIZES:
            return None
        best, worst = lowest(self.runs), max(self.runs, key=lambda run: run.loss)
        ratios = [run.bytes_per_param for run in self.runs]
        ends = min(ratios), max(ratios)
        if {best.bytes_per_param, worst.bytes_per_param} != set(ends):
            return None
        return best, best.bytes_per_param == ends[1]

    @property
    def verdict(self) -> str:
        """What there is to say of the minimum, in a few words."""
        if self.interior:
            return "minimum inside"
        sizes = len({run.params for run in self.runs})
        if sizes < FEWEST_SIZES:
            return f"{plural(sizes, 'size')} long enough, and a parabola needs {FEWEST_SIZES}"
        if self.bound is None:
            return "the parabola has no minimum among these sizes"
        best, above = self.bound
        return f"lowest at the {'smallest' if above else 'largest'} model, {best.size}: no optimum"


def isoflops_of(runs: Sequence[SweepRun]) -> list[IsoFlop]:
    """Return every view and budget of runs that finished, in the order of views and budgets.

    Of runs that differ in learning rate or the like the best one counts, as for each size it would
    be chosen.
    """
    ended = [run for run in runs if run.bits_per_byte is not None]
    groups: dict[Key, list[SweepRun]] = {}
    for run in ended:
        groups.setdefault(_key(run), []).append(run)
    chosen = {key: _best(group) for key, group in groups.items()}
    order = {one: place for place, one in enumerate(views(ended))}
    fits = _fits({key: [run for run in part if not run.short] for key, part in chosen.items()})
    return [
        IsoFlop(
            [run for run in chosen[key] if not run.short],
            [run for run in chosen[key] if run.short],
            fits.get(key),
        )
        for key in sorted(chosen, key=lambda key: (order[key[:4]], key[4]))
    ]


def _key(run: SweepRun) -> Key:
    return run.job.text, run.arm, run.tokenization, run.rate, run.budget


def _best(runs: Sequence[SweepRun]) -> list[SweepRun]:
    kept: dict[tuple[str, int, int], list[SweepRun]] = {}
    for run in runs:
        kept.setdefault((run.size, run.params, run.spec.seed), []).append(run)
    best = [lowest(group) for group in kept.values()]
    return sorted(best, key=lambda run: run.bytes_per_param)


def _fits(groups: dict[Key, list[SweepRun]]) -> dict[Key, FitResult]:
    """Fit the curves of one tokenization together: in the bootstrap they lend one another
    residuals."""
    enough = {
        key: runs
        for key, runs in groups.items()
        if len({run.params for run in runs}) >= FEWEST_SIZES
    }
    if not enough:
        return {}
    places = {key[:3]: f"{number:06}" for number, key in enumerate(enough)}
    frame = pl.DataFrame(
        [
            {
                "tokenization": places[key[:3]],
                "run_id": run.job.run_id,
                "compute_flops": run.budget,
                "compression_rate": run.rate,
                "global_params": float(run.params),
                "train_bytes": float(run.train_bytes),
                "bits_per_byte": run.loss,
            }
            for key, runs in enough.items()
            for run in runs
        ]
    )
    fits = fit_parabolas(runs_from_frame(frame, "sweep"), RESIDUALS._replace(draws=_DRAWS))
    by_context = {
        (
            fit.context["tokenization"],
            fit.context["compression_rate"],
            fit.context["compute_flops"],
        ): fit
        for fit in fits
    }
    return {key: by_context[places[key[:3]], key[3], key[4]] for key in enough}
