"""Vocabulary and repeated data: planted truths, published coefficients, the named unit slip."""

import math
from functools import partial

import numpy as np
import polars as pl
import pytest

from corpora.errors import InputError
from scaling.engine.bootstrap import NO_BOOTSTRAP
from scaling.fits.other_laws import fit_repeated, fit_vocabulary, repeated_problem
from scaling.laws import chinchilla
from scaling.laws.registry import LAWS, Options
from scaling.published.coefficients import MUENNIGHOFF_REPEATED, TAO_VOCABULARY
from scaling.read_runs import read_runs
from scaling.runs import Runs


def vocabulary_runs(form: str, noise: float) -> Runs:
    rng = np.random.default_rng(0)
    formula = partial(chinchilla.vocabulary_loss, form)
    rows = []
    sizes = ((33e6, 512), (85e6, 768), (302e6, 1024), (631e6, 1536), (1130e6, 2048))
    for params, width in sizes:
        for size in (4096, 8192, 16384, 32768, 65536, 98304):
            for characters in (2e9, 8e9, 3e10, 1e11):
                inputs = (np.array(one) for one in (params, size, width, characters))
                loss = formula(TAO_VOCABULARY.estimates, *inputs)
                rows.append((params, size, width, characters, float(loss) + noise * rng.normal()))
    schema = [
        "nonembedding_params",
        "vocabulary_size",
        "embedding_dim",
        "train_characters",
        "unigram_normalized_loss",
    ]
    return read_runs(pl.DataFrame(rows, schema=schema, orient="row"), form)


@pytest.mark.parametrize("form", LAWS["vocabulary"].forms)
def test_planted_vocabulary_law_is_recovered(form: str) -> None:
    exact = fit_vocabulary(vocabulary_runs(form, 0.0), Options(form), NO_BOOTSTRAP)
    for name, value in TAO_VOCABULARY.estimates.items():
        assert exact.estimates[name] == pytest.approx(value, rel=1e-5), name
    noisy = fit_vocabulary(vocabulary_runs(form, 0.003), Options(form))
    for name, value in TAO_VOCABULARY.estimates.items():
        interval = noisy.intervals[name]
        assert interval is not None
        assert abs(noisy.estimates[name] - value) < interval.high - interval.low, name


def test_the_unit_slip_is_named_and_matters() -> None:
    """f was calibrated for V; with V in thousands it sees a vocabulary a thousand times smaller."""
    size = np.array([32_000.0])
    published = chinchilla.tokens_in_billions("published", np.array([1e9]), size)
    corrected = chinchilla.tokens_in_billions("corrected", np.array([1e9]), size)
    assert published[0] / corrected[0] > 2
    # A tokenizer of 32,000 ids makes about one token of four characters.
    assert corrected[0] == pytest.approx(0.25, abs=0.03)
    fit = fit_vocabulary(vocabulary_runs("published", 0.0), Options("corrected"), NO_BOOTSTRAP)
    assert fit.law == "vocabulary" and (fit.rmse or 0) > 1e-3  # the wrong form does not fit


def test_published_vocabulary_predictions() -> None:
    """The paper's table 2 gives V* of 35,000 to 39,000 for N_nv of 3e9 and d of 3200."""
    best = TAO_VOCABULARY.predict(
        "vocabulary_size_opt",
        params=3e9,
        embedding_dim=3200.0,
        compute_flops=(3e9 / math.exp(-2.4846510161625193)) ** 2,
    )
    assert best.value == pytest.approx(37_000, rel=0.1)
    larger = TAO_VOCABULARY.predict(
        "vocabulary_size_opt", params=7e10, embedding_dim=8192.0, compute_flops=7e23
    )
    assert larger.value > best.value
    assert larger.outside == {"params": pytest.approx(7e10 / 1.13e9)}


def test_best_vocabulary_is_a_minimum() -> None:
    p, width = TAO_VOCABULARY.estimates, np.array(2048.0)
    params, compute = np.array(1e9), np.array(1e21)
    best = float(chinchilla.best_vocabulary(p, params, width, compute))

    def loss(size: float) -> float:
        billions = np.asarray(compute / (6 * (params + size * width)) / 1e9)
        return float(
            chinchilla.VOCABULARY.value(p, N=params / 1e6, V=size * width / 1e6, D=billions)
        )

    assert loss(best) < loss(best * 1.05) and loss(best) < loss(best / 1.05)


def repeated_runs(noise: float) -> Runs:
    rng = np.random.default_rng(1)
    p, rows = MUENNIGHOFF_REPEATED.estimates, []
    for unique in (1e8, 4e8, 1.5e9):
        for params in (7e6, 6e7, 4e8, 2.8e9):
            for epochs in (1, 2, 4, 8, 16, 40, 100):
                tokens = unique * epochs
                loss = float(
                    chinchilla.repeated_loss(
                        p, *(np.array(one) for one in (params, tokens, unique))
                    )
                )
                rows.append((params, tokens, unique, loss * math.exp(noise * rng.normal())))
    schema = ["params", "train_tokens", "unique_tokens", "nats_per_token"]
    return read_runs(pl.DataFrame(rows, schema=schema, orient="row"), "repeated")


def test_planted_decays_are_recovered() -> None:
    base = MUENNIGHOFF_REPEATED.estimates
    exact = fit_repeated(repeated_runs(0.0), Options(base=base), NO_BOOTSTRAP)
    assert exact.estimates["R_D"] == pytest.approx(15.387756, rel=1e-5)
    assert exact.estimates["R_N"] == pytest.approx(5.309743, rel=1e-5)
    noisy = fit_repeated(repeated_runs(0.01), Options(base=base))
    for name in ("R_D", "R_N"):
        interval = noisy.intervals[name]
        assert interval is not None and base[name] in interval
    assert noisy.intervals["A"] is None and "given, not fitted" in noisy.interval_reason
    four = noisy.predict("loss", params=4e8, tokens=4e9, unique_tokens=1e9)
    assert four.low is not None and four.high is not None and four.low < four.value < four.high


def test_one_epoch_is_chinchilla() -> None:
    p = MUENNIGHOFF_REPEATED.estimates
    tokens = np.array([1e9, 1e10, 1e11])
    params = chinchilla.unique_params(p, np.full(3, 1e13), tokens)
    plain = chinchilla.loss(p, params, tokens)
    np.testing.assert_allclose(
        chinchilla.repeated_loss(p, params, tokens, tokens), plain, rtol=1e-12
    )
    # Up to four epochs are nearly as good as fresh data (the paper's headline), forty are not.
    for epochs, worth in ((4, 0.9), (40, 0.4)):
        lives = np.array(p["R_D"])
        data = float(chinchilla.worth(np.array(1e9), np.array(epochs - 1.0), lives))
        assert (data / (epochs * 1e9) > worth) == (epochs == 4)


def test_repeated_gradient() -> None:
    runs = repeated_runs(0.0)
    problem = repeated_problem(
        runs.column("params", "test"),
        runs.column("train_tokens", "test"),
        runs.column("unique_tokens", "test"),
        runs.column("nats_per_token", "test"),
        MUENNIGHOFF_REPEATED.estimates,
    )
    theta = np.log(np.array([[9.0, 3.0]]))
    jacobian = problem.model.jacobian(theta)
    for index in range(2):
        step = np.zeros((1, 2))
        step[0, index] = 1e-6
        numeric = (problem.model.value(theta + step) - problem.model.value(theta - step)) / 2e-6
        np.testing.assert_allclose(jacobian[..., index], numeric, atol=1e-9)


def test_what_they_need() -> None:
    runs = vocabulary_runs("corrected", 0.0)
    size = runs.column("vocabulary_size", "test")
    with pytest.raises(InputError, match="at least 3 vocabulary sizes, and there are 2"):
        fit_vocabulary(runs.only(size < 10_000))
    with pytest.raises(InputError, match="no form 'publishd'; did you mean 'published'"):
        fit_vocabulary(runs, Options("publishd"))
    once = repeated_runs(0.0)
    first = once.column("train_tokens", "test") == once.column("unique_tokens", "test")
    with pytest.raises(InputError, match="at least 3 numbers of epochs, and there is 1"):
        fit_repeated(once.only(first), Options(base=MUENNIGHOFF_REPEATED.estimates))
    once = read_runs(once.only(first).rows.drop("unique_tokens", "row"), "once")
    with pytest.raises(InputError, match="repeated needs unique_tokens"):
        fit_repeated(once, Options(base={}))
