"""Vocabulary and repeated data: planted truths, published coefficients, the named unit slip."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from corpora.errors import InputError
from scaling.compare import compare_with
from scaling.engine.bootstrap import CASES, NO_BOOTSTRAP
from scaling.fits.fit import fit
from scaling.fits.other_laws import fit_repeated, fit_vocabulary
from scaling.fits.overfitting import fit_overfitting
from scaling.laws import chinchilla, overfitting
from scaling.laws.registry import Options
from scaling.published.tables import MUENNIGHOFF_REPEATED, TAO_VOCABULARY
from scaling.read_runs import read_runs
from scaling.runs import Runs
from tests.scaling.fits.planted import PLANTED


def exact(law: str) -> Runs:
    return PLANTED[law]().runs


def as_published(runs: Runs) -> Runs:
    """Return the vocabulary law's runs with the losses of its form `published`."""
    names = ("nonembedding_params", "vocabulary_size", "embedding_dim", "train_characters")
    columns = (runs.column(name, "test") for name in names)
    losses = chinchilla.vocabulary_loss("published", TAO_VOCABULARY.estimates, *columns)
    return replace(runs, rows=runs.rows.with_columns(unigram_normalized_loss=losses))


def test_the_published_form_of_the_vocabulary_law_is_recovered() -> None:
    runs = as_published(exact("vocabulary"))
    fit = fit_vocabulary(runs, Options("published"), NO_BOOTSTRAP)
    for name, value in TAO_VOCABULARY.estimates.items():
        assert fit.estimates[name] == pytest.approx(value, rel=1e-5), name


def test_the_unit_slip_is_named_and_matters() -> None:
    """f was calibrated for V; with V in thousands it sees a vocabulary a thousand times smaller."""
    size = np.array([32_000.0])
    published = chinchilla.tokens_in_billions("published", np.array([1e9]), size)
    corrected = chinchilla.tokens_in_billions("corrected", np.array([1e9]), size)
    assert published[0] / corrected[0] > 2
    # A tokenizer of 32,000 ids makes about one token of four characters.
    assert corrected[0] == pytest.approx(0.25, abs=0.03)
    fit = fit_vocabulary(as_published(exact("vocabulary")), bootstrap=NO_BOOTSTRAP)
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


def test_decays_stand_on_the_base_law() -> None:
    planted, base = PLANTED["repeated"](), MUENNIGHOFF_REPEATED.estimates
    fit = planted.fit(planted.noisy(np.random.default_rng(1)), CASES)
    for name in ("R_D", "R_N"):
        interval = fit.intervals[name]
        assert interval is not None and base[name] in interval
    assert fit.intervals["A"] is None and "given, not fitted" in fit.interval_reason
    four = fit.predict("loss", params=4e8, tokens=4e9, unique_tokens=1e9)
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


def test_repeating_costs_from_the_second_pass_on() -> None:
    p = {**MUENNIGHOFF_REPEATED.estimates, "P": 1e-3, "delta": 1.2, "kappa": 0.8}
    params, tokens = np.array([4e8]), np.array([1e9])
    fresh = chinchilla.loss(p, params, tokens)
    np.testing.assert_array_equal(overfitting.overfitting_loss(p, params, tokens, tokens), fresh)
    best = float(overfitting.best_epochs(p, np.array(4e8), np.array(1e8)))

    def at(epochs: float) -> float:
        return float(
            overfitting.overfitting_loss(p, params[0], np.array(1e8 * epochs), np.array(1e8))
        )

    assert 1 < best < 100
    assert at(best) < at(best * 1.01) and at(best) < at(best / 1.01)
    # A larger model is hurt sooner by another pass; where repeating is free, it never is.
    assert overfitting.best_epochs(p, np.array(4e9), np.array(1e8)) < best
    free = overfitting.best_epochs({**p, "P": 0.0}, np.array(4e8), np.array(1e8))
    assert free == pytest.approx(overfitting.MOST_EPOCHS)


def test_of_the_two_laws_of_repeating_the_true_one_wins() -> None:
    """Each fitted to runs of the other, side by side as `--compare` shows them."""
    for law, rival in (("repeated", "overfitting"), ("overfitting", "repeated")):
        planted = PLANTED[law]()
        runs = planted.noisy(np.random.default_rng(2))
        told: dict[str, Any] = {"base": MUENNIGHOFF_REPEATED, "draws": 0}
        (comparison,) = compare_with(fit(runs, law, **told), runs, [rival], **told)
        assert comparison.laws[0].law == law


def test_what_they_need() -> None:
    runs = exact("vocabulary")
    size = runs.column("vocabulary_size", "test")
    with pytest.raises(InputError, match="at least 3 vocabulary sizes, and there are 2"):
        fit_vocabulary(runs.only(size < 10_000))
    with pytest.raises(InputError, match="no form 'publishd'; did you mean 'published'"):
        fit_vocabulary(runs, Options("publishd"))
    with pytest.raises(InputError, match="overfitting needs a Chinchilla law of one epoch"):
        fit_overfitting(exact("overfitting"))
    once = exact("repeated")
    first = once.column("train_tokens", "test") == once.column("unique_tokens", "test")
    with pytest.raises(InputError, match="at least 3 numbers of epochs, and there is 1"):
        fit_repeated(once.only(first), Options(base=MUENNIGHOFF_REPEATED.estimates))
    once = read_runs(once.only(first).rows.drop("unique_tokens", "row"), "once")
    with pytest.raises(InputError, match="repeated needs unique_tokens"):
        fit_repeated(once, Options(base={}))


@pytest.mark.parametrize("law", ["repeated", "overfitting"])
@pytest.mark.parametrize("name", ["E", "A", "B", "alpha", "beta"])
def test_a_base_that_cannot_be_is_named(law: str, name: str) -> None:
    """Tracebacks of dividing by zero and of complex numbers, and NumPy's warnings, were seen."""
    for value in (-1.0, -1e-320, 1e99, 1e308) if name == "E" else (-1.0, 0, 1e-320, 1e99, 1e308):
        base = {**MUENNIGHOFF_REPEATED.estimates, name: value}
        with pytest.raises(InputError, match=f"`base=given: {name}`: .*; must be at (least|most)"):
            fit(exact(law), law, base=base, draws=0)


def test_a_base_is_a_law_in_tokens() -> None:
    """Of several tokenizers in bits per byte, or of coupled sums, it has the same letters."""
    for name in ("arms", "coupled"):
        planted = PLANTED[name]()
        base = planted.fit(planted.runs, NO_BOOTSTRAP)
        with pytest.raises(InputError, match=f"a fit of {name}; give one of chinchilla, repeated"):
            fit(exact("repeated"), "repeated", base=base, draws=0)


def test_a_base_that_failed_is_not_stood_on() -> None:
    failed = MUENNIGHOFF_REPEATED.model_copy(update={"status": "not converged"})
    with pytest.raises(InputError, match="`base=given`: not to be used: not converged"):
        fit(exact("repeated"), "repeated", base=failed, draws=0)
