"""Fitting one law to several tokenizers or patchers, with a factor for each."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from corpora.bootstrap import Interval
from scaling.engine.bootstrap import CASES, Bootstrap, percentiles
from scaling.engine.newton import SQUARES, Array
from scaling.fits.assemble import columns, need
from scaling.fits.chinchilla import LIMITS
from scaling.fits.single_stage import SEARCH, OneStage, fit_stage
from scaling.laws import arms as law_of_arms
from scaling.laws.chinchilla import CHINCHILLA
from scaling.laws.registry import BITS, DEFAULTS, LAWS, Options
from scaling.result import FitResult
from scaling.runs import Runs

STARTS = 12
FEWEST_RUNS = 3  # of an arm: with less, its factor is one run's luck
SAME_BUDGET = math.log(1.05)  # what is spent differs a little from what was planned
APART = math.log(1.05)  # compression rates further apart than that are two arms of one tokenization


def fit_arms(runs: Runs, options: Options = DEFAULTS, bootstrap: Bootstrap = CASES) -> FitResult:
    """Fit the law by least squares of ln L; rows are resampled within their arm.

    The reference is the arm of most runs. Beside the coefficients stand the factor of each other
    arm and how many times its compute the reference needs to reach the same.

    Raises:
        InputError: a column missing, fewer than two arms or budgets, three sizes or three runs of
            an arm.
    """
    law = "arms"
    compute, params, observed = columns(runs, law)
    labels = arms_of(runs)
    names, counts = np.unique(labels, return_counts=True)
    need(
        runs,
        law,
        (len(names), 2, "arms (tokenizations, or compression rates of one)"),
        (np.round(np.log(compute) / SAME_BUDGET), 2, "compute budgets"),
        (params, 3, "model sizes"),
        *((int(n), FEWEST_RUNS, f"runs of {name}") for name, n in zip(names, counts, strict=True)),
        (len(observed), len(CHINCHILLA.names) + len(names), "runs"),
    )
    reference = str(names[np.argmax(counts)])
    others = [str(name) for name in names if name != reference]
    law_ = law_of_arms.law_of(others)
    tokens = law_of_arms.tokens_afforded(params, compute)
    marks = {arm: np.where(labels == arm, math.e, 1.0) for arm in others}
    seen = {"N": params, "D": tokens, **marks}
    problem, starts = law_.log_problem(seen, observed, SQUARES, STARTS, relative=True)
    stage = OneStage(
        law=law,
        form=f"{reference} and {len(others)} others" if len(others) > 1 else " and ".join(names),
        method=f"least squares of ln L; {SEARCH}",
        problem=problem,
        starts=starts,
        formula=lambda p: law_.value(p, **seen),
        observed=observed,
        inputs={"params": params, "compute_flops": compute},
        units=LAWS[law].units,
        conventions={"loss": BITS, "reference": reference},
        cells=np.unique(labels, return_inverse=True)[1].astype(np.int64),
        limits={"E": LIMITS["E"]},
    )
    return _with_factors(fit_stage(stage, runs, bootstrap), others)


def arms_of(runs: Runs) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Return [n] the arm of each run: its tokenization, and its compression rate where that of one
    tokenization was set to several."""
    texts = ["runs"] * len(runs)
    if "tokenization" in runs.rows.columns:
        texts = [str(name) for name in runs.rows["tokenization"]]
    labels = np.array(texts, dtype=object)
    if runs.has("compression_rate"):
        rates = np.log(runs.column("compression_rate", "arms"))
        for name in np.unique(labels.astype(str)):
            rows = np.flatnonzero(labels == name)
            order = rows[np.argsort(rates[rows], kind="stable")]
            group = np.cumsum(np.diff(rates[order], prepend=rates[order[0]]) > APART)
            for one in range(group[-1] + 1 if group[-1] else 0):
                among = order[group == one]
                labels[among] = f"{name}, T = {np.exp(np.median(rates[among])):.3g}"
    return labels.astype(str)


def _with_factors(fit: FitResult, arms: Sequence[str]) -> FitResult:
    """Return the fit with each ln s as a factor, and the compute ratio that follows from it."""
    whole = {name: np.array([value]) for name, value in fit.estimates.items()}
    if not all(arm in whole for arm in arms):
        return fit
    names = [name for name in fit.estimates if name not in arms]
    point = _factors(whole, arms)
    draws = dict(zip(fit.estimates, fit.draws.T, strict=True)) if fit.draws.size else {}
    cloud = _factors(draws, arms) if draws else {}
    intervals = {name: fit.intervals.get(name) for name in names}
    for name in point:
        intervals[name] = None
    for arm in arms:
        ends = fit.intervals.get(arm)
        if ends is not None:
            intervals[law_of_arms.FACTOR.format(arm)] = Interval(*map(math.exp, ends))
    for name in cloud:
        low, high = percentiles(cloud[name][:, None], fit.level)
        intervals[name] = Interval(float(low[0]), float(high[0]))
    kept = np.stack([*(draws[name] for name in names), *cloud.values()], axis=1) if draws else None
    return fit.model_copy(
        update={
            "estimates": {name: fit.estimates[name] for name in names}
            | {name: float(values[0]) for name, values in point.items()},
            "intervals": intervals,
            "draws": fit.draws if kept is None else kept,
        }
    )


def _factors(p: Mapping[str, Array], arms: Sequence[str]) -> dict[str, Array]:
    out = {}
    for arm in arms:
        factor = np.exp(p[arm])
        out[law_of_arms.FACTOR.format(arm)] = factor
        out[law_of_arms.COMPUTE_RATIO.format(arm)] = law_of_arms.compute_ratio(p, factor)
    return out
