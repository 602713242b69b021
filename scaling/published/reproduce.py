"""Published figures, reproduced: what the shipped tables of arXiv 2605.01188 give."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, Bootstrap
from scaling.fits.joint_rivals import score_forms
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.surface import fit_surfaces
from scaling.flops import Setting, latent_share, paper_blt, train_bytes
from scaling.laws.joint import DEFAULT_FORM
from scaling.published import tables
from scaling.published.coefficients import COT_LAW1_LATENT, COT_LAW2_LATENT
from scaling.published.figure import Printed, PublishedFigure, figures, for_context
from scaling.published.reproduce_runs import figures_of_runs
from scaling.result import Interval, Prediction

_SHARES, _MODELS = "table 6", "figure 19"
_LAW1, _LAW2 = "Law I, 36 minima", "Law II, 48 optima"
PRINTED: Printed = {
    _SHARES: {"shares of the global module, exact": "168"},
    _MODELS: {
        "models": "311",
        "train_bytes within 1 %": "311",
        "median error of train_bytes, %": "0.0",
    },
    "isoFLOP surface, C = 1e+20": {
        "compression_rate_opt": "3.71",
        "bytes_per_param_opt": "62.1",
        "bits_per_byte_opt": ".960",
        "R2": ".9884",
        "RMSE": ".0028",
    },
    "isoFLOP surface, C = 2e+20": {
        "compression_rate_opt": "3.62",
        "bytes_per_param_opt": "58.8",
        "R2": ".9847",
    },
    "isoFLOP surface, C = 1e+21": {
        "compression_rate_opt": "3.37",
        "bytes_per_param_opt": "65.5",
        "R2": ".9942",
    },
    "isoFLOP surface, C = 2e+21": {
        "compression_rate_opt": "3.17",
        "bytes_per_param_opt": "63.8",
        "R2": ".9944",
    },
    _LAW1: {"B0": "7.06", "alpha": ".484", "beta": ".495", "N0": ".0236"},
    _LAW2: {
        "gamma": "-.190",
        "F": ".0312",
        "delta": ".0361",
        "E": ".683",
        "T*(1e+20)": "3.70",
        "T*(2e+21)": "3.32",
        "R2": ".9971",
    },
    "Law II (mean), 42 optima up to 1e21": {"R2": ".9411", "hold-out RMSE at 2e21": ".0133"},
    "Law II (constant), 42 optima up to 1e21": {"R2": ".9963", "hold-out RMSE at 2e21": ".0102"},
    "Law II (compute-dependent), 42 optima up to 1e21": {
        "R2": ".9971",
        "hold-out RMSE at 2e21": ".0074",
    },
    # Not published: the project's law beside the bar it had to stay under.
    "joint law": {"hold-out RMSE at 2e21": ".0061", "hold-out RMSE of its six lowest": ".0064"},
}
_BUDGETS = (1e20, 2e20, 1e21, 2e21)


def reproduce(
    runs_folder: str | Path | None = None, bootstrap: Bootstrap = CASES
) -> tuple[PublishedFigure, ...]:
    """Return every published figure whose data is present, reproduced.

    Args:
        runs_folder: where the published runs of other projects lie; figures whose file is absent
            are left out. The project ships only the tables of arXiv 2605.01188.
        bootstrap: draws and seed of the intervals.

    Raises:
        InputError: the folder holds none of the files.
    """
    found = [*_costs(), *_surfaces(bootstrap), *_law1(bootstrap), *_law2(bootstrap), *_joint_law()]
    if runs_folder is not None:
        found += figures_of_runs(Path(runs_folder), bootstrap)
    return tuple(found)


def summary(found: Iterable[PublishedFigure]) -> tuple[int, int]:
    """Return how many figures agree, and how many could."""
    judged = [figure for figure in found if figure.agrees is not None]
    return sum(bool(figure.agrees) for figure in judged), len(judged)


def _costs() -> Iterator[PublishedFigure]:
    shares = [
        round(100 * latent_share(paper_blt(row["scale"]), Setting(float(name[5:])))) == share
        for row in tables.table(tables.BLT_SHARES).iter_rows(named=True)
        for name, share in row.items()
        if name.startswith("blt_T")
    ]
    yield from figures(PRINTED, _SHARES, {"shares of the global module, exact": float(sum(shares))})
    rows = tables.isoflop_runs(exact_params=True).rows.iter_rows(named=True)
    errors = [
        abs(
            train_bytes(row["compute_flops"], shape, Setting(row["compression_rate"]))
            / row["train_bytes"]
            - 1
        )
        for row, shape in zip(rows, tables.isoflop_shapes(), strict=True)
    ]
    counted = {
        "models": float(len(errors)),
        "train_bytes within 1 %": float(sum(error < 0.01 for error in errors)),
        "median error of train_bytes, %": 100 * float(np.median(errors)),
    }
    yield from figures(PRINTED, _MODELS, counted)


def _surfaces(bootstrap: Bootstrap) -> Iterator[PublishedFigure]:
    for fit in fit_surfaces(tables.isoflop_runs(), bootstrap):
        compute = float(fit.context["compute_flops"])
        if compute in _BUDGETS:
            found = {**fit.estimates, "R2": fit.r2, "RMSE": fit.rmse}
            group = f"isoFLOP surface, C = {compute:g}"
            yield from figures(PRINTED, group, found, fit.intervals)


def _law1(bootstrap: Bootstrap) -> Iterator[PublishedFigure]:
    fit = fit_law1(tables.isoflop_runs(exact_params=True), bootstrap._replace(kind="residuals"))
    note = "from the exact parameter counts of the shapes; printed counts (1.3B) give 7.04, .0237"
    for figure in figures(PRINTED, _LAW1, fit.estimates, fit.intervals):
        yield figure._replace(note=note) if figure.name in ("B0", "N0") else figure
    # What the paper prints is from nine budgets, of which two are not among the shipped 311 runs.
    note = "the paper fits nine budgets; six of them can be read off its figure 19"
    yield from for_context("Law I, as the paper prints it", COT_LAW1_LATENT, fit, note)


def _law2(bootstrap: Bootstrap) -> Iterator[PublishedFigure]:
    optima = tables.optima()
    fit = fit_law2(optima, bootstrap=bootstrap)
    best = {
        f"T*({compute:g})": fit.predict("compression_rate_opt", compute_flops=compute)
        for compute in (1e20, 2e21)
    }
    values = {name: float(prediction.value) for name, prediction in best.items()}
    ends = {name: _interval(prediction) for name, prediction in best.items()}
    found = {**fit.estimates, **values, "R2": fit.r2}
    yield from figures(PRINTED, _LAW2, found, {**fit.intervals, **ends})
    compute_flops = optima.column("compute_flops", "law2")
    rest = optima.only(compute_flops < compute_flops.max())
    for form in ("mean", "constant", "compute-dependent"):
        holdout = fit_law2(optima, form, NO_BOOTSTRAP).holdout
        assert holdout is not None
        found = {"R2": fit_law2(rest, form, NO_BOOTSTRAP).r2, "hold-out RMSE at 2e21": holdout.rmse}
        yield from figures(PRINTED, f"Law II ({form}), 42 optima up to 1e21", found)
    note = "the paper's own fit, of the same optima by its own method"
    yield from for_context("Law II, as the paper prints it", COT_LAW2_LATENT, fit, note)


def _joint_law() -> Iterator[PublishedFigure]:
    score = {score.form: score for score in score_forms(tables.isoflop_runs())}[DEFAULT_FORM]
    found = {
        "hold-out RMSE at 2e21": score.holdout_rmse,
        "hold-out RMSE of its six lowest": score.holdout_lowest_rmse,
    }
    note = "not published: the bar the law had to stay under"
    group = f"joint law ({DEFAULT_FORM}, {score.coefficients} coefficients)"
    for figure in figures(PRINTED, "joint law", found, judged="bar", note=note):
        yield figure._replace(group=group)


def _interval(prediction: Prediction) -> Interval | None:
    if prediction.low is None or prediction.high is None:
        return None
    return Interval(low=float(prediction.low), high=float(prediction.high))
