"""Known laws in bytes, on the published grid of budgets, rates and sizes."""

import numpy as np
import polars as pl

from scaling.engine.bootstrap import Bootstrap
from scaling.engine.newton import Array
from scaling.fits.isoflop import fit_parabolas, fit_surfaces
from scaling.fits.joint import fit_joint, fit_joint_terms
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.minima import make_cells
from scaling.laws import joint, optimum
from scaling.published import tables
from scaling.result import FitResult
from scaling.runs import Runs
from tests.scaling.planted_runs import Planted, Truth, runs_of

JOINT = {
    "E": 0.718,
    "L0": 2800.0,
    "gamma": -0.2035,
    "rho0": 55.7,
    "F": 0.115,
    "T0": 3.51,
    "g": -0.33,
    "kappa": 0.2755,
}
LAW2 = {"gamma": -0.19, "L0": 1750.0, "F": 0.0312, "delta": 0.036, "T0": 19.5, "E": 0.683}
SURFACE = dict(zip(optimum.SURFACE_NAMES, (3.71, 62.1, 0.96, 0.0322, 0.005, 0.0015), strict=True))


def _budget_noise(compute: Array) -> Array:
    """Small budgets are noisier, as in the published runs."""
    return np.asarray(0.0015 * (compute / 1e20) ** -0.2)


def surface() -> Planted:
    runs = tables.isoflop_runs()
    runs = runs.only(runs.column("compute_flops", "test") == 1e20)
    rate, data = runs.column("compression_rate", "test"), runs.column("train_bytes", "test")
    ratio = data / runs.column("params", "test")
    loss = optimum.surface(SURFACE, rate, ratio)
    frame = runs.rows.with_columns(pl.Series("bits_per_byte", loss))

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_surfaces(noisy, bootstrap=bootstrap)[0]

    planted = Runs(frame, "planted", "", runs.params_column)
    return Planted(SURFACE, planted, "bits_per_byte", np.array(0.0015), fit)


def parabola() -> Planted:
    runs = tables.isoflop_runs()
    compute, rate = runs.column("compute_flops", "test"), runs.column("compression_rate", "test")
    runs = runs.only((compute == 1e20) & (rate >= 4))
    data = runs.column("train_bytes", "test")
    truth = {"train_bytes_opt": 6e10, "bits_per_byte_opt": 0.96, "curvature": 0.02}
    frame = runs.rows.with_columns(pl.Series("bits_per_byte", optimum.parabola(truth, data)))

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_parabolas(noisy, bootstrap=bootstrap)[0]

    planted = Runs(frame, "planted", "", runs.params_column)
    return Planted(truth, planted, "bits_per_byte", np.array(0.001), fit, ("train_bytes_opt",))


def parabola_of_five() -> Planted:
    """One curve with no other of its budget beside it: two degrees of freedom."""
    truth = {"train_bytes_opt": 6e10, "bits_per_byte_opt": 0.96, "curvature": 0.02}
    data = 6e10 * np.exp(np.linspace(-1.5, 1.5, 5))
    rate = np.full(5, 4.0)
    columns = _isoflop_columns(data, rate, optimum.parabola(truth, data))

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_parabolas(noisy, bootstrap=bootstrap)[0]

    noise = np.array(0.001)
    return Planted(truth, runs_of(columns), "bits_per_byte", noise, fit, ("train_bytes_opt",))


def surface_of_four_by_four() -> Planted:
    """The grid of `scaling/experiments/micro.toml`: four rates by four sizes."""
    rate, size = np.repeat([1.0, 2.0, 4.0, 8.0], 4), np.tile([-1.5, -0.5, 0.5, 1.5], 4)
    ratio = 62.1 * np.exp(2 * size)
    data = np.sqrt(1e20 / 6 * ratio * rate)  # C = 6 N B / T
    whole = {**SURFACE, "compression_rate_opt": 3.0}
    columns = _isoflop_columns(data, rate, optimum.surface(whole, rate, ratio))
    # What is asked of a bowl is where its floor lies; its curvatures are covered to 96 to 99.5 %.
    truth = {name: whole[name] for name in optimum.SURFACE_NAMES[:3]}

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_surfaces(noisy, bootstrap=bootstrap)[0]

    return Planted(truth, runs_of(columns), "bits_per_byte", np.array(0.0015), fit)


def _isoflop_columns(data: Array, rate: Array, loss: Array) -> dict[str, Array]:
    compute = np.full(len(data), 1e20)
    return {
        "compute_flops": compute,
        "compression_rate": rate,
        "train_bytes": data,
        "params": compute * rate / (6 * data),
        "bits_per_byte": loss,
    }


def law_1() -> Planted:
    """Parabolas whose minima lie where Law I says, on the published grid of sizes."""
    runs = tables.isoflop_runs(exact_params=True)
    truth = {"B0": 7.0, "alpha": 0.4844, "beta": 0.495, "N0": 1 / 42}
    compute = runs.column("compute_flops", "test")
    loss = np.empty(len(runs))
    for cell in make_cells(runs, "test")[0]:
        if cell.compute == 2e21:
            continue
        place = _meeting(truth, cell.path[0] + cell.centre, cell.path[1], cell.rate)
        base = optimum.law2_loss(LAW2, np.array(cell.compute), np.array(cell.rate))
        loss[cell.rows] = base + 0.03 * (cell.x + cell.centre - place) ** 2
    kept = compute < 2e21  # there the law's minimum lies outside the grid of sizes
    frame = runs.rows.with_columns(pl.Series("bits_per_byte", loss)).filter(pl.Series(kept))
    planted = Runs(frame, "planted", "", runs.params_column)
    noise = _budget_noise(compute[kept])

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_law1(noisy, bootstrap=bootstrap)

    return Planted(truth, planted, "bits_per_byte", noise, fit, ("B0", "N0"))


def _meeting(p: Truth, ln_bytes: Array, ln_params: Array, rate: float) -> float:
    """Return ln B where the piecewise linear curve of sizes meets Law I."""
    fine = np.linspace(ln_bytes[0], ln_bytes[-1], 20_001)
    ln_latent = np.log(6) + np.interp(fine, ln_bytes, ln_params) + fine - np.log(rate)
    away = fine - np.log(p["B0"]) - p["alpha"] * ln_latent - p["beta"] * np.log(rate)
    return float(fine[np.argmin(np.abs(away))])


def law_2() -> Planted:
    runs = tables.optima()
    compute, rate = runs.column("compute_flops", "test"), runs.column("compression_rate", "test")
    frame = runs.rows.with_columns(
        pl.Series("bits_per_byte", optimum.law2_loss(LAW2, compute, rate))
    )
    planted = Runs(frame, "planted", "")

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_law2(noisy, bootstrap=bootstrap)

    return Planted(LAW2, planted, "bits_per_byte", np.array(0.003), fit, ("L0", "T0"))


def law_2_of_nine() -> Planted:
    """Three budgets by three rates, as a small study has them."""
    compute = np.repeat([1e19, 1e20, 1e21], 3)
    rate = np.tile([1.0, 4.0, 12.0], 3)
    columns = {
        "compute_flops": compute,
        "compression_rate": rate,
        "bits_per_byte": optimum.law2_loss(LAW2, compute, rate),
    }

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_law2(noisy, bootstrap=bootstrap)

    return Planted(LAW2, runs_of(columns), "bits_per_byte", np.array(0.003), fit, ("L0", "T0"))


def law_2_from_runs() -> Planted:
    """Both stages: parabolas around the optima of a known Law II."""
    runs = tables.isoflop_runs()
    compute = runs.column("compute_flops", "test")
    loss = np.empty(len(runs))
    for cell in make_cells(runs, "test")[0]:
        middle = float(np.mean(cell.path[0]))
        base = optimum.law2_loss(LAW2, np.array(cell.compute), np.array(cell.rate))
        loss[cell.rows] = base + 0.03 * (cell.x - middle) ** 2
    frame = runs.rows.with_columns(pl.Series("bits_per_byte", loss))
    planted = Runs(frame, "planted", "", runs.params_column)

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_law2(noisy, bootstrap=bootstrap)

    return Planted(LAW2, planted, "bits_per_byte", _budget_noise(compute), fit, ("L0", "T0"))


def joint_law() -> Planted:
    runs = tables.isoflop_runs()
    compute, rate, data = (
        runs.column(name, "test") for name in ("compute_flops", "compression_rate", "train_bytes")
    )
    loss = joint.loss(JOINT, compute, rate, data)
    frame = runs.rows.with_columns(pl.Series("bits_per_byte", loss))
    planted = Runs(frame, "planted", "", runs.params_column)

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_joint(noisy, bootstrap=bootstrap)

    return Planted(JOINT, planted, "bits_per_byte", np.array(0.004), fit, ("L0", "rho0", "T0"))


def joint_rival() -> Planted:
    runs = tables.isoflop_runs()
    truth = {
        "E": 0.64,
        "A": 18.0,
        "B0": 4600.0,
        "q": -0.06,
        "s": 0.026,
        "alpha": 0.22,
        "u": 0.07,
        "beta": 0.43,
        "v": 0.14,
    }
    params, data, rate = (
        runs.column(name, "test") for name in ("params", "train_bytes", "compression_rate")
    )
    loss = joint.terms_loss(truth, params, data, rate)
    frame = runs.rows.with_columns(pl.Series("bits_per_byte", loss))
    planted = Runs(frame, "planted", "", runs.params_column)

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_joint_terms(noisy, bootstrap=bootstrap)

    return Planted(truth, planted, "bits_per_byte", np.array(0.004), fit, ("A", "B0"))
