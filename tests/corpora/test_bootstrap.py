"""Intervals that cover a planted truth, and pairs that share their resamples."""

import numpy as np
import pytest
from numpy.typing import NDArray

from corpora.bootstrap import DocumentBootstrap
from tokenize_lab.counts.fields import FIELD_INDEX, FIELDS
from tokenize_lab.counts.resampling import resampled_alone
from tokenize_lab.counts.schema import GroupCounts
from tokenize_lab.rates import RATES


def group_of(byte_counts: NDArray[np.int64], tokens: NDArray[np.int64]) -> GroupCounts:
    table = np.zeros((len(tokens), len(FIELDS)), np.int64)
    table[:, FIELD_INDEX["documents"]] = 1
    table[:, FIELD_INDEX["bytes"]] = byte_counts
    table[:, FIELD_INDEX["tokens"]] = tokens
    group = GroupCounts()
    group.add(0, table)
    return group


def test_a_95_percent_interval_covers_the_truth_that_often() -> None:
    rate = RATES["bytes_per_token"]
    covered = 0
    trials = 400
    bootstrap = DocumentBootstrap(replicates=400)
    for seed in range(trials):
        random = np.random.default_rng(seed)
        tokens = random.poisson(30, 200) + 1
        byte_counts = random.poisson(4 * tokens)
        group = group_of(byte_counts, tokens)
        replicates = resampled_alone(group, bootstrap)
        assert replicates is not None
        interval = bootstrap.interval(rate.of(replicates))
        assert interval is not None
        covered += interval[0] <= 4 <= interval[1]
    # 95 % of 400 is 380, and three standard deviations of a binomial are 13.
    assert 380 - 13 <= covered <= 380 + 13


def test_differences_are_paired() -> None:
    random = np.random.default_rng(0)
    tokens = random.poisson(30, 500) + 1
    one = group_of(4 * tokens, tokens)
    # Always one token fewer on the same text: the ratio differs, its noise is shared.
    other = group_of(4 * tokens, tokens - 1)
    bootstrap = DocumentBootstrap()
    rate = RATES["bytes_per_token"]
    a, b = resampled_alone(one, bootstrap), resampled_alone(other, bootstrap)
    assert a is not None
    assert b is not None
    difference = bootstrap.interval(rate.of(b) - rate.of(a))
    alone = bootstrap.interval(rate.of(b))
    assert difference is not None
    assert alone is not None
    assert difference[0] > 0
    # The first rate is 4 in every resample, so the difference is exactly as wide as the second.
    assert np.isclose(difference[1] - difference[0], alone[1] - alone[0])


def test_same_seed_same_interval_and_one_document_none() -> None:
    tokens = np.arange(1, 40)
    group = group_of(tokens * 3, tokens)
    first, again, other = (resampled_alone(group, DocumentBootstrap(seed=s)) for s in (0, 0, 1))
    assert np.array_equal(first, again)  # type: ignore[arg-type]  # none of them is None
    assert not np.array_equal(first, other)  # type: ignore[arg-type]  # none of them is None
    assert resampled_alone(group_of(np.array([3]), np.array([1])), DocumentBootstrap()) is None
    assert DocumentBootstrap().interval(None) is None
    assert DocumentBootstrap().interval(np.array([1.0, np.nan])) is None


def test_units_left_empty_by_other_domains_are_not_resampled() -> None:
    tokens = np.full(10, 5)
    whole = group_of(tokens * 3, tokens)
    late = GroupCounts()
    late.add(100, whole.units)
    one, other = (resampled_alone(group, DocumentBootstrap()) for group in (whole, late))
    assert np.array_equal(one, other)  # type: ignore[arg-type]  # none of them is None


def test_many_units_are_resampled_by_and_by_to_the_same_sums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    units = np.arange(60).reshape(30, 2)
    bootstrap = DocumentBootstrap(replicates=50, seed=3)
    at_once = bootstrap.sums(units)
    monkeypatch.setattr("corpora.bootstrap._MOST_WEIGHTS", 200)
    assert np.array_equal(bootstrap.sums(units), at_once)  # type: ignore[arg-type]  # none of them is None


def test_draws_are_those_of_a_multinomial() -> None:
    """Means, variances and covariances of the counts; n draws from n units in every replicate."""
    for units in (2, 7, 40):
        draws = DocumentBootstrap(replicates=20_000).draws(units)
        assert (draws.sum(1) == units).all() and (draws == np.floor(draws)).all()
        np.testing.assert_allclose(draws.mean(0), 1, atol=5 / 20_000**0.5)
        moments = np.cov(draws.T)
        expected = np.eye(units) - 1 / units  # n p (1 - p) and -n p^2 for p = 1/n
        # The largest of up to 1,600 standard errors: 5 of about sqrt(3 / 20,000).
        np.testing.assert_allclose(moments, expected, atol=5 * (3 / 20_000) ** 0.5)


def test_intervals_are_those_of_numpys_multinomial() -> None:
    random = np.random.default_rng(4)
    tokens = random.poisson(30, 300) + 1
    units = np.stack([random.poisson(4 * tokens), tokens], axis=1)
    bootstrap = DocumentBootstrap(replicates=8_000)
    sums = bootstrap.sums(units)
    weights = np.random.default_rng(5).multinomial(300, np.full(300, 1 / 300), size=8_000)
    reference = weights @ units
    assert sums is not None
    ours, numpys = (bootstrap.interval(of[:, 0] / of[:, 1]) for of in (sums, reference))
    assert ours is not None and numpys is not None
    # A 2.5 % quantile of 8,000 has a standard error of .03 standard deviations.
    spread = float((reference[:, 0] / reference[:, 1]).std())
    assert (
        max(abs(ours.low - numpys.low), abs(ours.high - numpys.high)) < 4 * 0.03 * 2**0.5 * spread
    )


@pytest.mark.parametrize("replicates", [1, 2, 39, 40, 1000])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_ends_are_numpys_quantiles_to_the_last_digit(replicates: int, level: float) -> None:
    rows = np.random.default_rng(replicates).standard_normal((3, replicates))
    bootstrap, tail = DocumentBootstrap(replicates, level=level), (1 - level) / 2
    ends = bootstrap.intervals(rows)
    assert ends == [tuple(np.quantile(row, [tail, 1 - tail]).tolist()) for row in rows]
    rows[1, 0] = np.inf
    assert [end is None for end in bootstrap.intervals(rows)] == [False, True, False]
