"""Synthetic runs of a known law, on realistic designs and with realistic noise."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scaling.engine.bootstrap import Bootstrap
from scaling.fits.cells import make_cells
from scaling.fits.chinchilla import fit_chinchilla
from scaling.fits.envelope import fit_envelope
from scaling.fits.isoflop import fit_parabolas, fit_surfaces
from scaling.fits.joint import fit_joint
from scaling.fits.joint_terms import fit_joint_terms
from scaling.fits.law1 import fit_law1
from scaling.fits.law2 import fit_law2
from scaling.fits.overtraining import fit_overtraining
from scaling.fits.powers import fit_approach2
from scaling.fits.repeated import fit_repeated
from scaling.fits.vocabulary import fit_vocabulary
from scaling.laws import (
    chinchilla,
    isoflop,
    joint,
    joint_terms,
    law2,
    overtraining,
    power,
    repeated,
    vocabulary,
)
from scaling.published import tables
from scaling.published.coefficients import (
    BESIROGLU_REFIT,
    GADRE_REDPAJAMA,
    MUENNIGHOFF_REPEATED,
    TAO_VOCABULARY,
)
from scaling.read_runs import runs_from_frame
from scaling.result import FitResult
from scaling.runs import Runs

Array = NDArray[np.float64]
Truth = Mapping[str, float]

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
SURFACE = dict(zip(isoflop.SURFACE_NAMES, (3.71, 62.1, 0.96, 0.0322, 0.005, 0.0015), strict=True))


class Planted(NamedTuple):
    """A known law and what its fit is asked.

    Attributes:
        truth: coefficients, by name, that the fit must recover.
        runs: the design, with the law's exact losses in `column`.
        column: of the losses.
        noise: standard deviation added to the losses, [n] or one number.
        fit: (runs, bootstrap) -> the fit.
        logs: coefficients judged in their logarithm (amplitudes, whose error is a factor).
    """

    truth: Truth
    runs: Runs
    column: str
    noise: Array
    fit: Callable[[Runs, Bootstrap], FitResult]
    logs: tuple[str, ...] = ()

    def noisy(self, generator: np.random.Generator) -> Runs:
        """Return the runs with fresh noise on their losses."""
        exact = self.runs.frame[self.column].to_numpy()
        losses = exact + self.noise * generator.standard_normal(len(exact))
        return self.with_losses(losses)

    def with_losses(self, losses: Array) -> Runs:
        """Return the runs with other losses."""
        frame = self.runs.frame.with_columns(pl.Series(self.column, losses))
        return Runs(frame, "planted", "", self.runs.params_column)


def _runs(columns: Mapping[str, Array]) -> Runs:
    frame = pl.DataFrame({name: list(one) for name, one in columns.items()})
    return runs_from_frame(frame, "planted")


def _budget_noise(compute: Array) -> Array:
    """Small budgets are noisier, as in the published runs."""
    return np.asarray(0.0015 * (compute / 1e20) ** -0.2)


def surface() -> Planted:
    runs = tables.isoflop_runs()
    runs = runs.only(runs.column("compute_flops", "test") == 1e20)
    rate, data = runs.column("compression_rate", "test"), runs.column("train_bytes", "test")
    ratio = data / runs.column("params", "test")
    loss = isoflop.surface(SURFACE, rate, ratio)
    frame = runs.frame.with_columns(pl.Series("bits_per_byte", loss))

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_surfaces(noisy, bootstrap)[0]

    planted = Runs(frame, "planted", "", runs.params_column)
    return Planted(SURFACE, planted, "bits_per_byte", np.array(0.0015), fit)


def parabola() -> Planted:
    runs = tables.isoflop_runs()
    compute, rate = runs.column("compute_flops", "test"), runs.column("compression_rate", "test")
    runs = runs.only((compute == 1e20) & (rate >= 4))
    data = runs.column("train_bytes", "test")
    truth = {"train_bytes_opt": 6e10, "bits_per_byte_opt": 0.96, "curvature": 0.02}
    frame = runs.frame.with_columns(pl.Series("bits_per_byte", isoflop.parabola(truth, data)))

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_parabolas(noisy, bootstrap)[0]

    planted = Runs(frame, "planted", "", runs.params_column)
    return Planted(truth, planted, "bits_per_byte", np.array(0.001), fit, ("train_bytes_opt",))


def law_1() -> Planted:
    """Parabolas whose minima lie where Law I says, on the published grid of sizes."""
    runs = tables.isoflop_runs(exact_params=True)
    truth = {"B0": 7.0, "alpha": 0.4844, "beta": 0.495, "N0": 1 / 42}
    compute = runs.column("compute_flops", "test")
    loss = np.empty(len(runs))
    for cell in make_cells(runs, "test"):
        if cell.compute == 2e21:
            continue
        place = _meeting(truth, cell.path[0] + cell.centre, cell.path[1], cell.rate)
        base = law2.loss(LAW2, np.array(cell.compute), np.array(cell.rate))
        loss[cell.rows] = base + 0.03 * (cell.x + cell.centre - place) ** 2
    kept = compute < 2e21  # there the law's minimum lies outside the grid of sizes
    frame = runs.frame.with_columns(pl.Series("bits_per_byte", loss)).filter(pl.Series(kept))
    planted = Runs(frame, "planted", "", runs.params_column)
    noise = _budget_noise(compute[kept])

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_law1(noisy, bootstrap)

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
    frame = runs.frame.with_columns(pl.Series("bits_per_byte", law2.loss(LAW2, compute, rate)))
    planted = Runs(frame, "planted", "")

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_law2(noisy, bootstrap=bootstrap)

    return Planted(LAW2, planted, "bits_per_byte", np.array(0.003), fit, ("L0", "T0"))


def law_2_from_runs() -> Planted:
    """Both stages: parabolas around the optima of a known Law II."""
    runs = tables.isoflop_runs()
    compute = runs.column("compute_flops", "test")
    loss = np.empty(len(runs))
    for cell in make_cells(runs, "test"):
        middle = float(np.mean(cell.path[0]))
        base = law2.loss(LAW2, np.array(cell.compute), np.array(cell.rate))
        loss[cell.rows] = base + 0.03 * (cell.x - middle) ** 2
    frame = runs.frame.with_columns(pl.Series("bits_per_byte", loss))
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
    frame = runs.frame.with_columns(pl.Series("bits_per_byte", loss))
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
    loss = joint_terms.loss(truth, params, data, rate)
    frame = runs.frame.with_columns(pl.Series("bits_per_byte", loss))
    planted = Runs(frame, "planted", "", runs.params_column)

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_joint_terms(noisy, bootstrap)

    return Planted(truth, planted, "bits_per_byte", np.array(0.004), fit, ("A", "B0"))


def chinchilla_law() -> Planted:
    """As many points as the published refit has, spread over Chinchilla's sizes and budgets."""
    generator = np.random.default_rng(20240415)
    n = 234
    compute = 10 ** generator.uniform(18, 21.5, n)
    params = np.sqrt(compute / 120) * 10 ** generator.uniform(-0.6, 0.6, n)
    tokens = compute / 6 / params
    truth = dict(BESIROGLU_REFIT.estimates)
    loss = chinchilla.loss(truth, params, tokens)
    runs = _runs(
        {"compute_flops": compute, "params": params, "train_tokens": tokens, "nats_per_token": loss}
    )

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_chinchilla(noisy, bootstrap=bootstrap)

    return Planted(truth, runs, "nats_per_token", 0.005 * loss, fit, ("A", "B"))


def approach_2() -> Planted:
    """isoFLOP parabolas in ln D whose minima are exact powers of compute."""
    truth = {"n0": 0.09, "a": 0.49, "d0": 1 / 0.54, "b": 0.51}
    rows: list[tuple[float, float, float, float]] = []
    for budget in np.logspace(18, 21.5, 8).tolist():
        best = float(power.tokens(truth, np.array(budget)))
        for factor in np.geomspace(0.25, 4, 9).tolist():
            tokens = best * factor
            loss = 3.0 * (budget / 1e19) ** -0.05 + 0.04 * math.log(factor) ** 2
            rows.append((budget, budget / 6 / tokens, tokens, loss))
    columns = np.array(rows).T
    names = ("compute_flops", "params", "train_tokens", "nats_per_token")
    runs = _runs(dict(zip(names, columns, strict=True)))
    truth = {**truth, "n0": 1 / (6 * truth["d0"])}

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_approach2(noisy, bootstrap)

    return Planted(truth, runs, "nats_per_token", np.array(0.004), fit, ("n0", "d0"))


def envelope() -> Planted:
    truth = {"A": 95.25, "alpha": 0.0941}
    compute: Array = np.logspace(18, 22, 17)
    loss = power.envelope({"E": 1.6, **truth}, compute)
    runs = _runs({"compute_flops": compute, "nats_per_token": loss})

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_envelope(noisy, 1.6, bootstrap)

    # Noise even in ln (L - E), where the law is fitted.
    return Planted(truth, runs, "nats_per_token", 0.004 * (loss - 1.6), fit, ("A",))


def over_training() -> Planted:
    truth = dict(GADRE_REDPAJAMA.estimates)
    params, ratio = (
        one.ravel()
        for one in np.meshgrid(
            [1e7, 8e7, 1.5e8, 4e8, 1.4e9], [5.0, 10, 20, 40, 80, 160, 320, 640], indexing="ij"
        )
    )
    loss = overtraining.loss(truth, params, ratio)
    runs = _runs({"params": params, "train_tokens": params * ratio, "nats_per_token": loss})

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_overtraining(noisy, bootstrap)

    return Planted(truth, runs, "nats_per_token", np.array(0.01), fit, ("a", "b"))


def vocabulary_law() -> Planted:
    truth = dict(TAO_VOCABULARY.estimates)
    rows = []
    sizes = ((33e6, 512), (85e6, 768), (151e6, 768), (302e6, 1024), (631e6, 1536), (1130e6, 2048))
    for params, width in sizes:
        for size in (4096, 8192, 16384, 32768, 65536, 98304):
            rows += [(params, size, width, characters) for characters in (2e9, 8e9, 3e10, 1e11)]
    params, size, width, characters = np.array(rows, np.float64).T
    loss = vocabulary.loss_corrected(truth, params, size, width, characters)
    runs = _runs(
        {
            "nonembedding_params": params,
            "vocabulary_size": size,
            "embedding_dim": width,
            "train_characters": characters,
            "unigram_normalized_loss": loss,
        }
    )

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_vocabulary(noisy, bootstrap=bootstrap)

    logs = ("A1", "A2", "B")
    return Planted(truth, runs, "unigram_normalized_loss", np.array(0.004), fit, logs)


def repeated_data() -> Planted:
    base = MUENNIGHOFF_REPEATED.estimates
    rows = []
    for unique in (1e8, 4e8, 1.5e9):
        for params in (7e6, 6e7, 4e8, 2.8e9):
            rows += [(params, unique * epochs, unique) for epochs in (1, 2, 4, 8, 16, 40, 100)]
    params, tokens, unique = np.array(rows).T
    loss = repeated.loss(base, params, tokens, unique)
    runs = _runs(
        {"params": params, "train_tokens": tokens, "unique_tokens": unique, "nats_per_token": loss}
    )

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_repeated(noisy, base, bootstrap)

    truth = {"R_D": base["R_D"], "R_N": base["R_N"]}
    return Planted(truth, runs, "nats_per_token", 0.01 * loss, fit, ("R_D", "R_N"))


PLANTED: Mapping[str, Callable[[], Planted]] = {
    "isoflop": parabola,
    "isoflop-surface": surface,
    "law1": law_1,
    "law2": law_2,
    "law2-runs": law_2_from_runs,
    "chinchilla": chinchilla_law,
    "approach2": approach_2,
    "envelope": envelope,
    "overtraining": over_training,
    "vocabulary": vocabulary_law,
    "repeated": repeated_data,
    "joint": joint_law,
    "joint-terms": joint_rival,
}
