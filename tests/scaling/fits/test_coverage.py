"""What 95 % intervals cover, of coefficients and of what is decided by them, under five noises.

Noise of one size for every run; larger at small budgets; of heavy tails; shared by a budget and
rate; shared by a budget. The last two have an intraclass correlation of .15, as the shipped runs,
and are resampled by cells (the joint law's default) and by budgets. Of the runs of one size that
are checkpoints, the noise of a run is shared. LOG.md has the table.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from scaling.engine.bootstrap import Bootstrap
from scaling.engine.newton import Array
from scaling.laws import chinchilla, joint, optimum
from scaling.laws.registry import LAWS
from scaling.published.tables import BESIROGLU_REFIT
from scaling.runs import Runs
from tests.scaling.fits.planted import PLANTED, Planted, runs_of

REPLICATIONS, DRAWS, SEED = 200, 200, 11
SHARED = 0.15  # intraclass correlation
Coefficients = Mapping[str, Array]
Decided = Mapping[str, Callable[[Coefficients], Array]]
# Two budgets, and a rate that is kept.
AT, BEYOND, KEPT = np.asarray(1e21), np.asarray(1e22), np.asarray(2.0)


def _joint_price(p: Coefficients) -> Array:
    best = joint.best_loss(p, AT, optimum.best_rate(p, AT))
    return np.asarray(joint.best_loss(p, AT, KEPT) - best)


def _joint_bytes(p: Coefficients) -> Array:
    return joint.best_bytes(p, AT, optimum.best_rate(p, AT))


def _joint_params(p: Coefficients) -> Array:
    return np.asarray(AT * optimum.best_rate(p, AT) / (6 * _joint_bytes(p)))


def _chinchilla_loss(p: Coefficients) -> Array:
    params = chinchilla.best_params(p, BEYOND)
    return chinchilla.loss(p, params, BEYOND / 6 / params)


# What a law decides, of its coefficients by name.
DECIDES: Mapping[str, Decided] = {
    "law2": {
        "T*": lambda p: optimum.best_rate(p, AT),
        "L*": lambda p: optimum.law2_best_loss(p, AT),
        "price": lambda p: optimum.law2_price(p, AT, KEPT),
    },
    "joint": {
        "T*": lambda p: optimum.best_rate(p, AT),
        "B*": _joint_bytes,
        "N*": _joint_params,
        "L*": lambda p: joint.best_loss(p, AT, optimum.best_rate(p, AT)),
        "price": _joint_price,
    },
    "isoflop-surface": {},  # its coefficients are the optimum
    "chinchilla": {
        "N*": lambda p: chinchilla.best_params(p, BEYOND),
        "D*": lambda p: BEYOND / 6 / chinchilla.best_params(p, BEYOND),
        "L*": _chinchilla_loss,
    },
}


def _chinchilla_of(params: Array, tokens: Array, **columns: Array) -> Planted:
    truth = dict(BESIROGLU_REFIT.estimates)
    loss = chinchilla.loss(truth, params, tokens)
    table = {"params": params, "train_tokens": tokens, "nats_per_token": loss, **columns}
    return Planted("chinchilla", truth, runs_of(table), "nats_per_token", 0.005 * loss)


def curves() -> Planted:
    """Twelve budgets of twelve sizes each."""
    compute = np.repeat(np.geomspace(3e18, 3e21, 12), 12)
    params = np.sqrt(compute / 120) * np.tile(np.geomspace(0.2, 5, 12), 12)
    return _chinchilla_of(params, compute / 6 / params, compute_flops=compute)


def checkpoints() -> Planted:
    """Sixteen runs of twelve checkpoints each."""
    params = np.repeat(np.geomspace(2e7, 1e10, 16), 12)
    return _chinchilla_of(params, np.tile(np.arange(1, 13) * 1.5e10, 16))


DESIGNS: Mapping[str, Callable[[], Planted]] = {
    **{name: PLANTED[name] for name in ("law2", "law2-runs", "isoflop-surface", "joint")},
    "chinchilla": PLANTED["chinchilla"],
    "chinchilla-curves": curves,
    "chinchilla-checkpoints": checkpoints,
}


class Case(NamedTuple):
    """A design under a noise: what the noise is shared by, and the block of the bootstrap."""

    design: str
    noise: str
    block: str = ""


NOISES = ("independent", "heteroscedastic", "t5")
CASES = (
    *(
        Case(design, noise)
        for design in ("law2", "law2-runs", "isoflop-surface", "joint", "chinchilla")
        for noise in NOISES
    ),
    Case("law2-runs", "cell"),
    Case("isoflop-surface", "cell", "cell"),
    Case("joint", "cell"),
    Case("chinchilla-checkpoints", "run"),
    Case("law2", "budget", "budget"),
    Case("law2-runs", "budget", "budget"),
    Case("joint", "budget", "budget"),
    Case("chinchilla-curves", "budget", "budget"),
)


def noise_of(case: Case, planted: Planted, generator: np.random.Generator) -> Array:
    """Return [n] noise of the case."""
    runs, rows = planted.runs, len(planted.runs)
    own = generator.standard_normal(rows)
    scale = np.broadcast_to(planted.noise, rows)
    if case.noise == "independent":
        return np.asarray(scale * own)
    if case.noise == "heteroscedastic":
        return np.asarray(scale * own * _uneven(runs))
    if case.noise == "t5":
        return np.asarray(scale * generator.standard_t(5, rows) * np.sqrt(3 / 5))
    names = {
        "cell": ["compute_flops", "compression_rate"],
        "budget": ["compute_flops"],
        "run": ["params"],
    }[case.noise]
    blocks = runs.rows.select(pl.struct(names).rank("dense") - 1).to_series().to_numpy()
    shared = generator.standard_normal(int(blocks.max()) + 1)[blocks]
    return np.asarray(scale * (np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own))


def _uneven(runs: Runs) -> Array:
    """Return factors of the noise: at a tenth of the compute, 1.8 times; of a bowl, by the rate."""
    compute = runs.column("compute_flops", "test")
    if np.ptp(compute) == 0:
        rate = np.log(runs.column("compression_rate", "test"))
        return np.asarray(np.exp(0.5 * (rate - rate.mean()) / rate.std()))
    place = np.log(compute / np.exp(np.log(compute).mean()))
    return np.asarray(np.exp(-0.25 * place))


def coverage(case: Case, replications: int = REPLICATIONS, draws: int = DRAWS) -> dict[str, float]:
    """Return the share of intervals that hold the truth, by coefficient and by what is decided."""
    planted = DESIGNS[case.design]()
    bootstrap = Bootstrap(LAWS[planted.law].resampling, draws, block=case.block)
    generator = np.random.default_rng(SEED)
    decided = DECIDES[planted.law]
    truth: Coefficients = {name: np.asarray(value) for name, value in planted.truth.items()}
    covered = dict.fromkeys((*truth, *decided), 0)
    exact = planted.runs.rows[planted.column].to_numpy()
    for _ in range(replications):
        losses = pl.Series(planted.column, exact + noise_of(case, planted, generator))
        rows = planted.runs.rows.with_columns(losses)
        fit = planted.fit(Runs(rows, "planted", "", planted.runs.params_column), bootstrap)
        for name, value in truth.items():
            ends = fit.intervals.get(name)
            covered[name] += ends is not None and float(value) in ends
        if not decided or not len(fit.draws):
            continue
        cloud = {name: np.asarray(fit.draws[:, i]) for i, name in enumerate(fit.estimates)}
        for name, formula in decided.items():
            low, high = np.percentile(formula(cloud), [2.5, 97.5])
            covered[name] += bool(low <= formula(truth) <= high)
    return {name: count / replications for name, count in covered.items()}


def outside(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: share for name, share in shares.items() if not 0.90 <= share <= 0.99}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=["-".join(filter(None, case)) for case in CASES])
def test_intervals_cover(case: Case) -> None:
    """90 to 99 % of them, a fit without an interval counting as a miss.

    Of 200 shares with a standard error of 1.5 to 2 points a few fall short by chance: a case where
    one does is judged by four times as many replications.
    """
    if outside(coverage(case)):
        assert not outside(coverage(case, 4 * REPLICATIONS))
