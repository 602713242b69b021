"""Claims are those that paired replicates support."""

import numpy as np
import pytest
from numpy.typing import NDArray

from corpora.bootstrap import DocumentBootstrap
from reports.measured import Measured, MeasuredValue, Resamples, extreme

RESAMPLES = Resamples(DocumentBootstrap())


def around(value: float, noise: NDArray[np.float64]) -> MeasuredValue:
    return MeasuredValue(value, value + noise)


def test_a_shared_noise_does_not_hide_a_difference() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 1000)
    top = extreme({"a": around(2.0, noise), "b": around(1.9, noise)}, RESAMPLES)
    assert top.best == "a" and top.tied == [] and top.next == "b"
    assert top.gap is not None and top.gap.value == pytest.approx(0.1)
    assert RESAMPLES.interval(top.gap) == pytest.approx((0.1, 0.1))


def test_what_cannot_be_told_apart_is_tied_and_the_next_is_not() -> None:
    random = np.random.default_rng(0)
    estimates = {
        "far": around(9.0, random.normal(0, 0.1, 1000)),
        "b": around(1.1, random.normal(0, 1, 1000)),
        "a": around(1.0, random.normal(0, 1, 1000)),
    }
    low = extreme(estimates, RESAMPLES, largest=False)
    assert (low.best, low.tied, low.next) == ("a", ["b"], "far")
    assert low.gap is not None and low.gap.value == 8.0
    assert extreme(estimates, RESAMPLES).best == "far"


def test_equal_values_are_tied() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 100)
    top = extreme({"a": around(1.0, noise), "b": around(1.0, noise)}, RESAMPLES)
    assert top.tied == ["b"] and top.next is None and top.gap is None


def test_without_replicates_nothing_is_said_of_ties() -> None:
    top = extreme(
        {"a": MeasuredValue(2.0), "b": MeasuredValue(1.0)}, Resamples(DocumentBootstrap(0))
    )
    assert top.best == "a" and top.tied is None and top.next == "b"


def test_replicates_are_those_behind_the_rows(measured: Measured) -> None:
    """The claims' intervals are, to the last digit, the intervals of the tables."""
    resamples, corpus = measured.resamples, measured.corpora[0]
    english = {g.tokenizer: p for g, p in corpus.counts.items() if g.language == "eng_Latn"}
    for group, part in corpus.counts.items():
        row = corpus.cells[str(group.language), group.tokenizer]
        rate = resamples.count("bytes", part).over(resamples.count("tokens", part))
        assert rate.value == row["bytes_per_token"]
        assert resamples.interval(rate) == row["intervals"]["bytes_per_token"]
        reference = english[group.tokenizer]
        premium = resamples.count("tokens", part).over(resamples.count("tokens", reference))
        assert premium.value == row["premium"]
        assert resamples.interval(premium) == row["intervals"]["premium"]
    for tokenizer, groups in corpus.aligned.items():
        estimate = resamples.gini([corpus.counts[group] for group in groups])
        row = corpus.cells["hin_Deva", tokenizer]
        assert estimate.value == row["gini"]
        assert resamples.interval(estimate) == row["intervals"]["gini"]
