"""Every law planted: synthetic runs of known truth, on realistic designs with realistic noise."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl

from scaling.engine.bootstrap import Bootstrap
from scaling.engine.newton import Array
from scaling.fits.minima import make_cells
from scaling.laws import arms, chinchilla, coupled, joint, optimum, overfitting
from scaling.laws.registry import DEFAULTS, LAWS, Options, load
from scaling.published import tables
from scaling.published.tables import (
    BESIROGLU_REFIT,
    GADRE_REDPAJAMA,
    MUENNIGHOFF_REPEATED,
    TAO_VOCABULARY,
)
from scaling.read_runs import read_runs
from scaling.result import FitResult
from scaling.runs import Runs

Truth = Mapping[str, float]


class Planted(NamedTuple):
    """A known law and what its fit is asked.

    Attributes:
        law: its name.
        truth: coefficients, by name, that the fit must recover.
        runs: the design, with the law's exact losses in `column`.
        column: of the losses.
        noise: standard deviation added to the losses, [n] or one number.
        logs: coefficients judged in their logarithm (amplitudes, whose error is a factor).
        options: of the fit.
    """

    law: str
    truth: Truth
    runs: Runs
    column: str
    noise: Array
    logs: tuple[str, ...] = ()
    options: Options = DEFAULTS

    def noisy(self, generator: np.random.Generator) -> Runs:
        """Return the runs with fresh noise on their losses."""
        exact = self.runs.rows[self.column].to_numpy()
        losses = exact + self.noise * generator.standard_normal(len(exact))
        return _with(self.runs, self.column, losses)

    def fit(self, runs: Runs, bootstrap: Bootstrap) -> FitResult:
        """Return the law's fit to the runs, the first where there are several."""
        found = load(LAWS[self.law].fit)(runs, self.options, bootstrap)
        return found if isinstance(found, FitResult) else found[0]


def _with(runs: Runs, column: str, losses: Array) -> Runs:
    rows = runs.rows.with_columns(pl.Series(column, losses))
    return Runs(rows, "planted", "", runs.params_column)


def runs_of(columns: Mapping[str, Array]) -> Runs:
    frame = pl.DataFrame({name: list(values) for name, values in columns.items()})
    return read_runs(frame, "planted")


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
    planted = _with(runs, "bits_per_byte", loss)
    return Planted("isoflop-surface", SURFACE, planted, "bits_per_byte", np.array(0.0015))


def parabola() -> Planted:
    runs = tables.isoflop_runs()
    compute, rate = runs.column("compute_flops", "test"), runs.column("compression_rate", "test")
    runs = runs.only((compute == 1e20) & (rate >= 4))
    data = runs.column("train_bytes", "test")
    truth = {"train_bytes_opt": 6e10, "bits_per_byte_opt": 0.96, "curvature": 0.02}
    planted = _with(runs, "bits_per_byte", optimum.parabola(truth, data))
    return Planted(
        "isoflop", truth, planted, "bits_per_byte", np.array(0.001), ("train_bytes_opt",)
    )


def parabola_of_five() -> Planted:
    """One curve with no other of its budget beside it: two degrees of freedom."""
    truth = {"train_bytes_opt": 6e10, "bits_per_byte_opt": 0.96, "curvature": 0.02}
    data = 6e10 * np.exp(np.linspace(-1.5, 1.5, 5))
    rate = np.full(5, 4.0)
    columns = _isoflop_columns(data, rate, optimum.parabola(truth, data))

    noise = np.array(0.001)
    return Planted("isoflop", truth, runs_of(columns), "bits_per_byte", noise, ("train_bytes_opt",))


def surface_of_four_by_four() -> Planted:
    """The grid of `scaling/experiments/micro.toml`: four rates by four sizes."""
    rate, size = np.repeat([1.0, 2.0, 4.0, 8.0], 4), np.tile([-1.5, -0.5, 0.5, 1.5], 4)
    ratio = 62.1 * np.exp(2 * size)
    data = np.sqrt(1e20 / 6 * ratio * rate)  # C = 6 N B / T
    whole = {**SURFACE, "compression_rate_opt": 3.0}
    columns = _isoflop_columns(data, rate, optimum.surface(whole, rate, ratio))
    # What is asked of a bowl is where its floor lies; its curvatures are covered to 96 to 99.5 %.
    truth = {name: whole[name] for name in optimum.SURFACE_NAMES[:3]}
    return Planted("isoflop-surface", truth, runs_of(columns), "bits_per_byte", np.array(0.0015))


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
    return Planted("law1", truth, planted, "bits_per_byte", noise, ("B0", "N0"))


def _meeting(p: Truth, ln_bytes: Array, ln_params: Array, rate: float) -> float:
    """Return ln B where the piecewise linear curve of sizes meets Law I."""
    fine = np.linspace(ln_bytes[0], ln_bytes[-1], 20_001)
    ln_latent = np.log(6) + np.interp(fine, ln_bytes, ln_params) + fine - np.log(rate)
    away = fine - np.log(p["B0"]) - p["alpha"] * ln_latent - p["beta"] * np.log(rate)
    return float(fine[np.argmin(np.abs(away))])


def law_2() -> Planted:
    runs = tables.optima()
    compute, rate = runs.column("compute_flops", "test"), runs.column("compression_rate", "test")
    planted = _with(runs, "bits_per_byte", optimum.law2_loss(LAW2, compute, rate))
    return _of_law_2(LAW2, planted)


def _of_law_2(truth: Truth, runs: Runs, noise: Array | float = 0.003) -> Planted:
    form = next(name for name, names in LAWS["law2"].forms.items() if set(names) == set(truth))
    logs = ("L0", "T0", "F", "K") if form in ("shrinking", "proportional") else ("L0", "T0")
    noise = np.asarray(noise)
    return Planted("law2", truth, runs, "bits_per_byte", noise, logs, options=Options(form))


def law_2_that_shrinks(**bowl: float) -> Planted:
    """Law II whose bowl follows compute, by a power of its own or in proportion."""
    truth = {name: value for name, value in LAW2.items() if name != "F"} | bowl
    runs = tables.optima()
    compute, rate = runs.column("compute_flops", "test"), runs.column("compression_rate", "test")
    planted = _with(runs, "bits_per_byte", optimum.law2_loss(truth, compute, rate))
    return _of_law_2(truth, planted)


def law_2_of_nine() -> Planted:
    """Three budgets by three rates, as a small study has them."""
    compute = np.repeat([1e19, 1e20, 1e21], 3)
    rate = np.tile([1.0, 4.0, 12.0], 3)
    columns = {
        "compute_flops": compute,
        "compression_rate": rate,
        "bits_per_byte": optimum.law2_loss(LAW2, compute, rate),
    }
    return _of_law_2(LAW2, runs_of(columns))


def law_2_from_runs() -> Planted:
    """Both stages: parabolas around the optima of a known Law II."""
    runs = tables.isoflop_runs()
    compute = runs.column("compute_flops", "test")
    loss = np.empty(len(runs))
    for cell in make_cells(runs, "test")[0]:
        middle = float(np.mean(cell.path[0]))
        base = optimum.law2_loss(LAW2, np.array(cell.compute), np.array(cell.rate))
        loss[cell.rows] = base + 0.03 * (cell.x - middle) ** 2
    planted = _with(runs, "bits_per_byte", loss)
    return _of_law_2(LAW2, planted, _budget_noise(compute))


def joint_law() -> Planted:
    runs = tables.isoflop_runs()
    compute, rate, data = (
        runs.column(name, "test") for name in ("compute_flops", "compression_rate", "train_bytes")
    )
    loss = joint.loss(JOINT, compute, rate, data)
    planted = _with(runs, "bits_per_byte", loss)
    return Planted("joint", JOINT, planted, "bits_per_byte", np.array(0.004), ("L0", "rho0", "T0"))


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
    planted = _with(runs, "bits_per_byte", loss)
    return Planted("joint-terms", truth, planted, "bits_per_byte", np.array(0.004), ("A", "B0"))


def chinchilla_law() -> Planted:
    """As many points as the published refit has, spread over Chinchilla's sizes and budgets."""
    generator = np.random.default_rng(20240415)
    n = 234
    compute = 10 ** generator.uniform(18, 21.5, n)
    params = np.sqrt(compute / 120) * 10 ** generator.uniform(-0.6, 0.6, n)
    tokens = compute / 6 / params
    truth = dict(BESIROGLU_REFIT.estimates)
    loss = chinchilla.loss(truth, params, tokens)
    runs = runs_of(
        {"compute_flops": compute, "params": params, "train_tokens": tokens, "nats_per_token": loss}
    )
    return Planted("chinchilla", truth, runs, "nats_per_token", 0.005 * loss, ("A", "B"))


def coupled_law() -> Planted:
    """A grid of sizes by ratios of data to size, as k needs both corners; k as Videau et al."""
    params, ratio = (
        one.ravel()
        for one in np.meshgrid(np.geomspace(2e7, 2e9, 9), np.geomspace(2, 1000, 9), indexing="ij")
    )
    k = 0.4
    truth = {
        "E": 1.7,
        "A": 400 ** (1 / k),
        "B": 3000 ** (1 / k),
        "alpha": 0.36,
        "beta": 0.38,
        "k": k,
    }
    loss = coupled.loss(truth, params, params * ratio)
    runs = runs_of({"params": params, "train_tokens": params * ratio, "nats_per_token": loss})
    return Planted("coupled", truth, runs, "nats_per_token", 0.004 * loss, ("A", "B", "k"))


def three_arms() -> Planted:
    """Three tokenizers of few runs each: neither could be fitted on its own."""
    law = {"E": 0.7, "A": 20.0, "B": 400.0, "alpha": 0.25, "beta": 0.3}
    factors = {"bpe": 1.0, "byte": 1.2, "static": 0.93}
    rows: list[tuple[str, float, float, float]] = []
    for arm, factor in factors.items():
        for budget in (1e12, 1e13, 1e14):
            sizes = np.geomspace(0.1, 10, 6 if arm == "bpe" else 4) * math.sqrt(budget) / 60
            losses = arms.loss(law, sizes, np.array(budget), np.array(factor))
            rows += [
                (arm, budget, size, loss)
                for size, loss in zip(sizes.tolist(), losses.tolist(), strict=True)
            ]
    names = ("tokenization", "compute_flops", "params", "bits_per_byte")
    runs = read_runs(pl.DataFrame(rows, schema=names, orient="row"), "planted")
    truth = dict(law)
    for arm in ("byte", "static"):
        truth[f"factor:{arm}"] = factors[arm]
        truth[f"compute_ratio:{arm}"] = float(arms.compute_ratio(law, np.array(factors[arm])))
    noise = 0.004 * runs.column("bits_per_byte", "test")
    return Planted("arms", truth, runs, "bits_per_byte", noise, ("A", "B"))


def approach_2() -> Planted:
    """isoFLOP parabolas in ln D whose minima are exact powers of compute."""
    truth = {"n0": 0.09, "a": 0.49, "d0": 1 / 0.54, "b": 0.51}
    rows: list[tuple[float, float, float, float]] = []
    for budget in np.logspace(18, 21.5, 8).tolist():
        best = float(optimum.power_tokens(truth, np.array(budget)))
        for factor in np.geomspace(0.25, 4, 9).tolist():
            tokens = best * factor
            loss = 3.0 * (budget / 1e19) ** -0.05 + 0.04 * math.log(factor) ** 2
            rows.append((budget, budget / 6 / tokens, tokens, loss))
    columns = np.array(rows).T
    names = ("compute_flops", "params", "train_tokens", "nats_per_token")
    runs = runs_of(dict(zip(names, columns, strict=True)))
    truth = {**truth, "n0": 1 / (6 * truth["d0"])}
    return Planted("approach2", truth, runs, "nats_per_token", np.array(0.004), ("n0", "d0"))


def envelope() -> Planted:
    truth = {"A": 95.25, "alpha": 0.0941}
    compute: Array = np.logspace(18, 22, 17)
    loss = optimum.envelope({"E": 1.6, **truth}, compute)
    runs = runs_of({"compute_flops": compute, "nats_per_token": loss})

    # Noise even in ln (L - E), where the law is fitted.
    return Planted(
        "envelope",
        truth,
        runs,
        "nats_per_token",
        0.004 * (loss - 1.6),
        ("A",),
        options=Options(irreducible=1.6),
    )


def over_training() -> Planted:
    truth = dict(GADRE_REDPAJAMA.estimates)
    params, ratio = (
        one.ravel()
        for one in np.meshgrid(
            [1e7, 8e7, 1.5e8, 4e8, 1.4e9], [5.0, 10, 20, 40, 80, 160, 320, 640], indexing="ij"
        )
    )
    loss = chinchilla.overtraining_loss(truth, params, ratio)
    runs = runs_of({"params": params, "train_tokens": params * ratio, "nats_per_token": loss})
    return Planted("overtraining", truth, runs, "nats_per_token", np.array(0.01), ("a", "b"))


def vocabulary_law() -> Planted:
    truth = dict(TAO_VOCABULARY.estimates)
    rows = []
    sizes = ((33e6, 512), (85e6, 768), (151e6, 768), (302e6, 1024), (631e6, 1536), (1130e6, 2048))
    for params, width in sizes:
        for size in (4096, 8192, 16384, 32768, 65536, 98304):
            rows += [(params, size, width, characters) for characters in (2e9, 8e9, 3e10, 1e11)]
    params, size, width, characters = np.array(rows, np.float64).T
    loss = chinchilla.vocabulary_loss("corrected", truth, params, size, width, characters)
    runs = runs_of(
        {
            "nonembedding_params": params,
            "vocabulary_size": size,
            "embedding_dim": width,
            "train_characters": characters,
            "unigram_normalized_loss": loss,
        }
    )

    logs = ("A1", "A2", "B")
    return Planted("vocabulary", truth, runs, "unigram_normalized_loss", np.array(0.004), logs)


def repeated_data() -> Planted:
    base = MUENNIGHOFF_REPEATED.estimates
    rows = []
    for unique in (1e8, 4e8, 1.5e9):
        for params in (7e6, 6e7, 4e8, 2.8e9):
            rows += [(params, unique * epochs, unique) for epochs in (1, 2, 4, 8, 16, 40, 100)]
    params, tokens, unique = np.array(rows).T
    loss = chinchilla.repeated_loss(base, params, tokens, unique)
    runs = runs_of(
        {"params": params, "train_tokens": tokens, "unique_tokens": unique, "nats_per_token": loss}
    )

    truth = {"R_D": base["R_D"], "R_N": base["R_N"]}
    return Planted(
        "repeated",
        truth,
        runs,
        "nats_per_token",
        0.01 * loss,
        ("R_D", "R_N"),
        options=Options(base=base),
    )


def overfitted(form: str) -> Planted:
    """Every size and text of the repeated data, whose long runs overfit."""
    base, truth = MUENNIGHOFF_REPEATED.estimates, {"P": 1e-3}
    if form == "powers":
        truth |= {"delta": 1.2, "kappa": 0.8}
    runs = repeated_data().runs
    columns = [runs.column(name, "test") for name in ("params", "train_tokens", "unique_tokens")]
    loss = overfitting.overfitting_loss({**base, **truth}, *columns)
    return Planted(
        "overfitting",
        truth,
        _with(runs, "nats_per_token", loss),
        "nats_per_token",
        0.01 * loss,
        ("P",) if form == "powers" else (),
        options=Options(form, base=base),
    )


PLANTED: Mapping[str, Callable[[], Planted]] = {
    "isoflop": parabola,
    "isoflop-few": parabola_of_five,
    "isoflop-surface": surface,
    "isoflop-surface-few": surface_of_four_by_four,
    "law1": law_1,
    "law2": law_2,
    "law2-few": law_2_of_nine,
    "law2-shrinking": partial(law_2_that_shrinks, F=14.5, phi=0.133),
    "law2-proportional": partial(law_2_that_shrinks, K=0.117),
    "law2-runs": law_2_from_runs,
    "chinchilla": chinchilla_law,
    "coupled": coupled_law,
    "arms": three_arms,
    "approach2": approach_2,
    "envelope": envelope,
    "overtraining": over_training,
    "vocabulary": vocabulary_law,
    "repeated": repeated_data,
    "overfitting": lambda: overfitted(""),
    "overfitting-powers": lambda: overfitted("powers"),
    "joint": joint_law,
    "joint-terms": joint_rival,
}
