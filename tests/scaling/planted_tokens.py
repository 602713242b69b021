"""Known laws in tokens, on realistic designs."""

import math

import numpy as np

from scaling.engine.bootstrap import Bootstrap
from scaling.engine.newton import Array
from scaling.fits.chinchilla import fit_chinchilla
from scaling.fits.other_laws import fit_overtraining, fit_repeated, fit_vocabulary
from scaling.fits.powers import fit_approach2, fit_envelope
from scaling.laws import chinchilla, optimum
from scaling.laws.registry import Options
from scaling.published.coefficients import (
    BESIROGLU_REFIT,
    GADRE_REDPAJAMA,
    MUENNIGHOFF_REPEATED,
    TAO_VOCABULARY,
)
from scaling.result import FitResult
from scaling.runs import Runs
from tests.scaling.planted_runs import Planted, runs_of


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

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_chinchilla(noisy, bootstrap=bootstrap)

    return Planted(truth, runs, "nats_per_token", 0.005 * loss, fit, ("A", "B"))


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

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_approach2(noisy, bootstrap=bootstrap)

    return Planted(truth, runs, "nats_per_token", np.array(0.004), fit, ("n0", "d0"))


def envelope() -> Planted:
    truth = {"A": 95.25, "alpha": 0.0941}
    compute: Array = np.logspace(18, 22, 17)
    loss = optimum.envelope({"E": 1.6, **truth}, compute)
    runs = runs_of({"compute_flops": compute, "nats_per_token": loss})

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_envelope(noisy, Options(irreducible=1.6), bootstrap)

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
    loss = chinchilla.overtraining_loss(truth, params, ratio)
    runs = runs_of({"params": params, "train_tokens": params * ratio, "nats_per_token": loss})

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_overtraining(noisy, bootstrap=bootstrap)

    return Planted(truth, runs, "nats_per_token", np.array(0.01), fit, ("a", "b"))


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
    loss = chinchilla.repeated_loss(base, params, tokens, unique)
    runs = runs_of(
        {"params": params, "train_tokens": tokens, "unique_tokens": unique, "nats_per_token": loss}
    )

    def fit(noisy: Runs, bootstrap: Bootstrap) -> FitResult:
        return fit_repeated(noisy, Options(base=base), bootstrap)

    truth = {"R_D": base["R_D"], "R_N": base["R_N"]}
    return Planted(truth, runs, "nats_per_token", 0.01 * loss, fit, ("R_D", "R_N"))
