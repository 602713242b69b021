"""The lowest place on the capped simplex: no exchange of shares lowers it, and it is known where
it can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.engine.newton import Array
from scaling.mixtures.simplex import capped_start, lowest_place


def problem(seed: int, size: float, capped: bool) -> tuple[Array, Array, Array]:
    random = np.random.default_rng(seed)
    texts, languages = int(random.integers(2, 12)), int(random.integers(1, 10))
    caps = np.ones(texts)
    if capped:
        caps = np.minimum(1, random.random(texts) + 1 / texts)
    weights = random.random(languages) + 0.01
    return size * random.standard_normal((languages, texts)), weights, caps


@given(st.integers(0, 1 << 32), st.sampled_from([0.1, 1.0, 4.0]), st.booleans())
def test_no_exchange_of_shares_lowers_it(seed: int, size: float, capped: bool) -> None:
    exponents, weights, caps = problem(seed, size, capped)
    found = lowest_place(exponents, weights, caps)
    shares = found.shares
    assert np.all(shares >= 0) and np.all(shares <= caps)
    assert shares.sum() == pytest.approx(1, abs=1e-10)
    terms = weights * np.exp(exponents @ shares)
    slopes = terms @ exponents / terms.sum()
    # Karush, Kuhn, Tucker: slopes are one where a share is free, higher where it is 0, and lower
    # where it is at its cap.
    may_fall, may_rise = shares > 1e-9, shares < caps - 1e-9
    if may_fall.any() and may_rise.any():
        assert slopes[may_fall].max() <= slopes[may_rise].min() + 1e-6
    assert found.gap < 1e-9


@given(st.integers(0, 1 << 32))
def test_nothing_drawn_lies_lower(seed: int) -> None:
    exponents, weights, _ = problem(seed, 2.0, False)
    texts = exponents.shape[1]
    lowest = lowest_place(exponents, weights, np.ones(texts)).shares
    drawn = np.random.default_rng(seed).dirichlet(np.ones(texts), 300)
    values = weights @ np.exp(exponents @ drawn.T)
    assert weights @ np.exp(exponents @ lowest) <= values.min() * (1 + 1e-9)


def test_two_texts_by_hand() -> None:
    """f = exp(-a w) + exp(-b (1 - w)) is lowest at w = (b + ln(a / b)) / (a + b)."""
    a, b = 3.0, 2.0
    shares = lowest_place(np.array([[-a, 0.0], [0.0, -b]]), np.ones(2), np.ones(2)).shares
    assert shares[0] == pytest.approx((b + np.log(a / b)) / (a + b), abs=1e-9)


def test_one_language_takes_its_best_texts_up_to_their_caps() -> None:
    worth = np.array([[-3.0, -1.0, -2.0, 0.0]])
    free = lowest_place(worth, np.ones(1), np.ones(4)).shares
    np.testing.assert_allclose(free, [1, 0, 0, 0], atol=1e-12)
    capped = lowest_place(worth, np.ones(1), np.array([0.5, 1.0, 0.3, 1.0])).shares
    np.testing.assert_allclose(capped, [0.5, 0.2, 0.3, 0], atol=1e-12)


def test_texts_of_the_same_worth_share_evenly() -> None:
    np.testing.assert_allclose(
        lowest_place(np.full((2, 3), -1.0), np.ones(2), np.ones(3)).shares, 1 / 3, atol=1e-12
    )


def test_the_most_even_start_keeps_its_caps() -> None:
    np.testing.assert_allclose(capped_start(np.array([0.1, 1.0, 1.0])), [0.1, 0.45, 0.45])
    np.testing.assert_allclose(capped_start(np.array([0.2, 0.3, 0.5])), [0.2, 0.3, 0.5])
    np.testing.assert_allclose(capped_start(np.array([0.0, 1.0])), [0.0, 1.0])
