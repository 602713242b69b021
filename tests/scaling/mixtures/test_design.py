"""Designs of mixtures: on the simplex, under their caps, different, and far apart."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.errors import InputError
from scaling.mixtures.design import LEAST_SHARE, _drawn, epoch_caps, mixture_design

PRIOR = {"eng": 8e9, "rus": 4e9, "hin": 1e9, "vie": 1e9}


@given(
    st.lists(st.floats(1, 1e4), min_size=2, max_size=6),
    st.integers(1, 12),
    st.integers(0, 1 << 32),
)
@settings(max_examples=40, deadline=None)
def test_every_mixture_is_one(weights: list[float], count: int, seed: int) -> None:
    prior = {f"text{i}": weight for i, weight in enumerate(weights)}
    design = mixture_design(prior, count, seed)
    assert design.shape == (count, len(weights))
    np.testing.assert_allclose(design.sum(axis=1), 1, atol=1e-12)
    units = design / LEAST_SHARE
    np.testing.assert_allclose(units, np.round(units), atol=1e-6)
    assert len(np.unique(np.round(units), axis=0)) == count


def test_the_same_seed_gives_the_same_design_and_caps_hold() -> None:
    caps = {"eng": 0.3, "hin": 0.5}
    design = mixture_design(PRIOR, 64, 7, caps)
    np.testing.assert_array_equal(design, mixture_design(PRIOR, 64, 7, caps))
    assert not np.array_equal(design, mixture_design(PRIOR, 64, 8, caps))
    assert design[:, 0].max() <= 0.3 and design[:, 2].max() <= 0.5
    assert design[:, 1].max() > 0.9  # no cap of its own


def test_draws_centre_on_the_tempered_prior() -> None:
    """Over many draws the mean share is p^.5, normalised: the Dirichlet's, whatever its strength.

    As many are asked for as are drawn in all, so that none is chosen: a design's own mean is not
    that of its draws."""
    weights = np.array([9.0, 4.0, 1.0, 1.0])
    base = np.sqrt(weights / weights.sum())
    pool = _drawn(base / base.sum(), np.ones(4), 2000, np.random.default_rng(0))
    # Different mixtures alone are kept, which thins out the corners, where large texts lie.
    np.testing.assert_allclose(pool.mean(axis=0), base / base.sum(), atol=0.03)


def test_the_chosen_lie_farther_apart_than_those_drawn() -> None:
    def apart(points: np.ndarray) -> float:
        roots = np.sqrt(points)
        gaps = np.linalg.norm(roots[:, None] - roots[None], axis=-1)
        return float(np.min(gaps + 9 * np.eye(len(points))))

    chosen = mixture_design(PRIOR, 32, 3)
    gaps = [apart(chosen[:n]) for n in (4, 8, 16, 32)]
    assert all(wide >= narrow for wide, narrow in pairwise(gaps))
    base = np.full(4, 0.25)
    assert apart(chosen) > 5 * apart(_drawn(base, np.ones(4), 8, np.random.default_rng(3)))


def test_caps_of_epochs() -> None:
    caps = epoch_caps({"eng": 100, "hin": 10, "vie": 1000}, 400, {"eng": 2})
    assert caps == {"eng": 0.5, "hin": 0.1, "vie": 1.0}


@pytest.mark.parametrize(
    ("prior", "count", "caps", "says"),
    [
        ({"a": 1, "b": -1}, 4, {}, r"text 'b' has weight -1; give 0 or more"),
        ({"a": 1, "b": float("nan")}, 4, {}, r"text 'b' has weight nan"),
        ({"a": 0, "b": 0}, 4, {}, r"every weight is 0"),
        ({"a": 1, "b": 0}, 4, {}, r"text 'b' has weight 0"),
        ({"a": 1}, 4, {}, r"1 text; a mixture needs two"),
        ({"a": 1, "b": 1}, 0, {}, r"`count` 0"),
        ({"a": 1, "b": 1}, 4, {"a": 0.4, "b": 0.4}, r"together they allow 0.8 of the bytes"),
        ({"a": 1, "b": 1}, 4, {"c": 0.4}, r"no text is called 'c' \(a, b\)"),
        ({"a": 1, "b": 1}, 4, {"a": 1.5}, r"text 'a' has 1.5; a share lies between 0 and 1"),
        ({"a": 1, "b": 1}, 64, {"a": 0.5, "b": 0.501}, r"only \d different mixtures"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    prior: dict[str, float], count: int, caps: dict[str, float], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        mixture_design(prior, count, 0, caps)
