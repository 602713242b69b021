"""Laws of tokens; the numbers that others published are those of `scaling.published`."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from corpora.errors import InputError
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP, Bootstrap
from scaling.engine.intervals import from_hessian, from_profile
from scaling.fits.chinchilla import CHARGES, fit_chinchilla, make_problem
from scaling.fits.other_laws import fit_overtraining
from scaling.fits.powers import fit_approach1, fit_approach2, fit_envelope
from scaling.laws.chinchilla import loss as loss_of
from scaling.laws.registry import Options
from scaling.published import tables
from scaling.read_runs import read_runs
from scaling.runs import Runs
from tests.scaling.fits.planted import PLANTED


@pytest.fixture(scope="session")
def runs_folder(shared: Path) -> Path:
    folder = shared / "reference" / "runs"
    if not folder.is_dir():
        pytest.skip("the runs of other projects are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def chinchilla_runs(runs_folder: Path) -> Runs:
    return read_runs(runs_folder / "kyotakano_chinchilla.csv")


def test_the_lower_edge_meets_as_many_runs_as_it_has_coefficients(chinchilla_runs: Runs) -> None:
    """Within the box of numbers that round to Takano's five, the objective is at least that."""
    fit = fit_chinchilla(chinchilla_runs, Options("lower-edge"), NO_BOOTSTRAP)
    residuals = np.array(fit.residuals)
    assert np.mean(np.where(residuals > 0, residuals, -10 * residuals)) < 0.02278186923
    assert np.sum(np.abs(residuals) < 1e-9) == 5


def test_charges_differ_and_each_is_best_by_its_own(chinchilla_runs: Runs) -> None:
    params = chinchilla_runs.column("params", "test")
    tokens = chinchilla_runs.column("train_tokens", "test")
    loss = chinchilla_runs.column("nats_per_token", "test")
    fits = {name: fit_chinchilla(chinchilla_runs, Options(name), NO_BOOTSTRAP) for name in CHARGES}
    for name, charge in CHARGES.items():
        costs = {}
        for other, fit in fits.items():
            predicted = loss_of(fit.estimates, params, tokens)
            residuals = np.log(loss / predicted) if charge.logarithm else loss - predicted
            costs[other] = float(charge.loss.value(residuals, np.ones(len(loss))))
        assert min(costs, key=lambda other: costs[other]) == name
    assert len({round(fit.estimates["A"], 1) for fit in fits.values()}) == len(CHARGES)


def test_bootstrap_tells_where_the_hessian_misleads(chinchilla_runs: Runs) -> None:
    fit = fit_chinchilla(chinchilla_runs, bootstrap=CASES._replace(draws=400))
    names = {one.name for one in fit.findings}
    assert "intervals disagree" in names and "correlated coefficients" in names
    exponent = fit.predict("params_exponent")
    assert exponent.low is not None and exponent.high is not None
    assert exponent.low < exponent.value < exponent.high
    assert exponent.high - exponent.low < 0.12  # far surer than alpha or beta alone


def test_profile_and_hessian_agree_on_a_plain_problem() -> None:
    rng = np.random.default_rng(0)
    params, tokens = 10 ** rng.uniform(7, 10, 400), 10 ** rng.uniform(8.5, 11.5, 400)
    loss = 1.8 + 480 * params**-0.35 + 2100 * tokens**-0.37
    loss *= np.exp(0.001 * rng.standard_normal(400))
    problem, starts = make_problem(params, tokens, loss, CHARGES["log-l2"])
    best, agree = problem.fit(starts)
    assert agree > 0.5
    hessian = from_hessian(problem, best.theta)
    for index, name in enumerate(problem.names):
        half = (hessian.high[index] - hessian.low[index]) / 2
        low, high = from_profile(problem, best.theta, name, half / 2)
        assert low == pytest.approx(hessian.low[index], abs=0.2 * half)
        assert high == pytest.approx(hessian.high[index], abs=0.2 * half)


def test_intervals_without_resampling(chinchilla_runs: Runs) -> None:
    resampled = fit_chinchilla(chinchilla_runs, bootstrap=CASES._replace(draws=400))
    widths = {}
    for kind in ("hessian", "profile"):
        fit = fit_chinchilla(chinchilla_runs, bootstrap=Bootstrap(kind, 0))
        assert not len(fit.draws) and kind[1:6] in fit.interval_method
        interval, drawn = fit.intervals["alpha"], resampled.intervals["alpha"]
        assert interval is not None and drawn is not None
        assert fit.estimates["alpha"] in interval
        widths[kind] = (interval.high - interval.low) / (drawn.high - drawn.low)
    # On Chinchilla's points the Hessian's intervals are wrong by a factor of two.
    assert widths["hessian"] > 1.8 and 0.5 < widths["profile"] < 1.2


def test_few_runs_have_no_interval() -> None:
    planted = PLANTED["overtraining"]()
    rows = [0, 9, 18, 27, 36]  # five sizes, five ratios
    few = planted.runs.only(np.isin(np.arange(len(planted.runs)), rows))
    fit = fit_overtraining(few)
    assert fit.n == 5 and fit.estimates["eta"] == pytest.approx(planted.truth["eta"], rel=1e-4)
    assert all(interval is None for interval in fit.intervals.values())
    assert any(found.name == "too few runs to resample" for found in fit.findings)


def planted(noise: float = 0.0) -> Runs:
    """isoFLOP curves of a known law: L = 1.7 + 480 N^-.35 + 2100 D^-.37, five budgets."""
    rows = []
    rng = np.random.default_rng(1)
    for compute in 10.0 ** np.arange(18, 23):
        best = (0.35 * 480 / (0.37 * 2100)) ** (1 / 0.72) * (compute / 6) ** (0.37 / 0.72)
        for factor in np.geomspace(0.3, 3.3, 9):
            params = best * factor
            tokens = compute / 6 / params
            loss = 1.7 + 480 * params**-0.35 + 2100 * tokens**-0.37
            rows.append((compute, params, tokens, loss + noise * rng.standard_normal()))
    return read_runs(pl.DataFrame(rows, schema=["C", "N", "D", "loss"], orient="row"), "planted")


def test_three_approaches_agree_on_planted_runs() -> None:
    runs, truth = planted(), 0.37 / 0.72
    third = fit_chinchilla(runs, Options("l2"), NO_BOOTSTRAP)
    assert third.estimates["alpha"] == pytest.approx(0.35, rel=1e-6)
    assert third.predict("params_exponent").value == pytest.approx(truth, rel=1e-6)
    second = fit_approach2(runs, bootstrap=NO_BOOTSTRAP)
    assert second.estimates["a"] == pytest.approx(truth, abs=0.002)
    assert second.estimates["a"] + second.estimates["b"] == pytest.approx(1, abs=0.002)
    first = fit_approach1(runs, bootstrap=NO_BOOTSTRAP)
    assert first.estimates["a"] == pytest.approx(truth, abs=0.03)
    size = third.predict("params_opt", compute_flops=1e24).value
    assert second.predict("params_opt", compute_flops=1e24).value == pytest.approx(size, rel=0.02)


def test_intervals_of_the_powers_hold_the_truth() -> None:
    runs, truth = planted(noise=0.002), 0.37 / 0.72
    for fit in (fit_approach1(runs), fit_approach2(runs)):
        interval = fit.intervals["a"]
        assert interval is not None and truth in interval


def test_bytes_instead_of_tokens() -> None:
    fit = fit_chinchilla(tables.isoflop_runs(), bootstrap=NO_BOOTSTRAP)
    assert fit.law == "chinchilla-bytes" and fit.conventions["data"] == "bytes"
    assert fit.predict("loss", params=1e9, bytes=1e11).value == pytest.approx(0.9, abs=0.2)


def test_too_little_for_the_token_laws() -> None:
    runs = planted()
    few = np.zeros(len(runs), bool)
    few[:5] = True
    with pytest.raises(InputError, match="chinchilla needs at least 6 runs, and there are 5"):
        fit_chinchilla(runs.only(few))
    one = runs.column("compute_flops", "test") == 1e18
    with pytest.raises(InputError, match="approach2 needs at least 3 budgets with a minimum"):
        fit_approach2(runs.only(one))
    with pytest.raises(InputError, match="no form 'huber'; did you mean 'log-huber'"):
        fit_chinchilla(runs, Options("huber"))
    with pytest.raises(InputError, match="several compression rates"):
        fit_approach2(tables.isoflop_runs())
    with pytest.raises(InputError, match="give an E below it"):
        fit_envelope(runs, Options(irreducible=9.0))
    rows = [(1e8 * k, 2e9 * k, 3.0 - 0.1 * k) for k in range(1, 7)]
    same = read_runs(pl.DataFrame(rows, schema=["N", "D", "loss"], orient="row"), "same")
    with pytest.raises(InputError, match="needs at least 2 ratios of tokens"):
        fit_overtraining(same)
