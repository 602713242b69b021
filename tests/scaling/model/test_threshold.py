"""The threshold search: rates hit on any entropies, and an honest no where none does."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.model.patching import patch_count, split_entropy_starts
from scaling.model.threshold import Threshold, find_threshold
from tests.scaling.trigram import fitted


def end_to_end(
    documents: list[NDArray[np.floating]],
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Return documents' numbers as one array [n], and their offsets [documents + 1]."""
    offsets = np.zeros(len(documents) + 1, dtype=np.int64)
    np.cumsum([len(document) for document in documents], out=offsets[1:])
    return np.concatenate([np.zeros(0, dtype=np.float32), *documents]), offsets


class Split(NamedTuple):
    entropies: NDArray[np.floating]
    offsets: NDArray[np.int64]


def split(size: int, mean_length: float, seed: int = 0, levels: int | None = None) -> Split:
    """Entropies with runs, as text has: high after a word's end, falling within the word.

    Args:
        levels: distinct values; None for as many as there are bytes.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / mean_length, size=int(2 * size / mean_length) + 10)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    offsets = np.concatenate([offsets[offsets < size], [size]])
    places = rng.geometric(0.2, size=size) % 7
    entropies = 4.0 * 0.6**places * rng.gamma(4.0, 0.25, size)
    if levels is not None:
        entropies = np.round(entropies / 8 * levels) / levels * 8
    return Split(entropies.astype(np.float32), offsets)


def realised(text: Split, threshold: Threshold, most: int, monotonic: bool = False) -> float:
    starts = split_entropy_starts(*text, threshold.value, most, monotonic)
    return len(starts) / float(starts.sum())


@pytest.mark.parametrize("monotonic", [False, True])
@pytest.mark.parametrize("rate", [1.0, 2.0, 4.0, 8.0, 12.0])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(split(300_000, 5000), id="smooth"),
        pytest.param(split(300_000, 5000, levels=5), id="ties"),
        pytest.param(split(300_000, 30), id="short documents"),
        pytest.param(split(300_000, 30, levels=2), id="short documents, ties"),
        pytest.param(Split(np.ones(200_000), np.array([0, 200_000])), id="all equal"),
    ],
)
def test_rates_are_hit_to_a_thousandth(text: Split, rate: float, monotonic: bool) -> None:
    for most in (16, 64):
        found = find_threshold(*text, rate, most, monotonic)
        assert found.realised_rate == pytest.approx(rate, rel=1e-3)
        assert found.realised_rate == realised(text, found, most, monotonic)


def test_caps_are_counted_inside_the_search() -> None:
    # With patches of 9 at most, a rate of 8 needs nearly all of them to be capped.
    text = split(200_000, 5000)
    found = find_threshold(*text, 8.0, 9)
    starts = split_entropy_starts(*text, found.value, 9)
    assert np.diff(np.flatnonzero(starts)).max() == 9
    assert found.realised_rate == pytest.approx(8.0, rel=1e-3)
    assert found.value > find_threshold(*text, 8.0, 64).value


@pytest.mark.parametrize("rate", [2.0, 4.0, 8.0, 12.0])
def test_a_threshold_holds_on_other_text_of_the_same_source(rate: float) -> None:
    found = find_threshold(*split(300_000, 400), rate, 64)
    assert realised(split(300_000, 400, seed=1), found, 64) == pytest.approx(rate, rel=0.03)


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=9), min_size=1, max_size=6).filter(any),
    st.floats(1.0, 9.0),
    st.integers(1, 6),
)
def test_on_a_tiny_text_it_is_the_nearest_whole_number_of_patches(
    documents: list[list[int]], rate: float, most: int
) -> None:
    text = Split(*end_to_end([np.array(document, dtype=float) for document in documents]))
    size = len(text.entropies)
    firsts = np.zeros(size, dtype=bool)
    firsts[text.offsets[:-1][np.diff(text.offsets) > 0]] = True
    fewest = patch_count(firsts, most)
    if size / rate < fewest - 0.5:
        with pytest.raises(InputError, match="out of reach"):
            find_threshold(*text, rate, most)
        return
    patches = size / find_threshold(*text, rate, most).realised_rate
    assert abs(patches - size / rate) <= 0.5 + 1e-9


def test_rates_are_hit_on_lines_of_real_text(shared: Path) -> None:
    # 65,536 contexts at most, and documents of a line: ties by the thousand.
    lines = (shared / "data/parallel/eng_Latn.txt").read_bytes().splitlines()
    model = fitted(b"\n".join(lines[::2]))
    one, other = (
        Split(*end_to_end([model.entropies(line) for line in some]))
        for some in (lines[::2], lines[1::2])
    )
    for rate in (2.0, 4.0, 8.0):
        found = find_threshold(*one, rate, 64)
        assert found.realised_rate == pytest.approx(rate, rel=1e-3)
        assert realised(one, found, 64) == found.realised_rate
        assert realised(other, found, 64) == pytest.approx(rate, rel=0.03)


def test_a_rate_above_what_short_documents_allow_is_refused_with_the_range() -> None:
    text = Split(np.ones(1000), np.arange(0, 1001, 10))
    with pytest.raises(
        InputError,
        match=r"12 is out of reach.*1 to 10 bytes per patch \(100 of 1,000 .* first of their doc",
    ):
        find_threshold(*text, 12.0, 64)
    assert find_threshold(*text, 10.0, 64).realised_rate == 10.0


def test_a_rate_above_the_longest_patch_is_refused_with_the_cap() -> None:
    text = Split(np.ones(1000), np.array([0, 1000]))
    with pytest.raises(InputError, match=r"1 to 7\.99 bytes.*one after every 8 bytes"):
        find_threshold(Split(np.ones(999), np.array([0, 999])).entropies, np.array([0, 999]), 9, 8)
    assert find_threshold(*text, 8.0, 8).realised_rate == 8.0


def test_a_rate_below_one_is_refused() -> None:
    with pytest.raises(InputError, match=r"0\.5 is out of reach.*at least one byte"):
        find_threshold(*split(1000, 100), 0.5, 64)


def test_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="no text"):
        find_threshold(np.zeros(0), np.array([0, 0]), 4.0, 64)


def test_documents_of_one_byte_have_one_rate() -> None:
    text = Split(np.ones(5), np.arange(6))
    assert find_threshold(*text, 1.0, 64).realised_rate == 1.0
    with pytest.raises(InputError, match="allows 1 to 1 bytes"):
        find_threshold(*text, 2.0, 64)


def test_the_same_entropies_give_the_same_threshold() -> None:
    text = split(50_000, 300, levels=7)
    assert find_threshold(*text, 4.0, 64) == find_threshold(*text, 4.0, 64)


@pytest.mark.slow
def test_fifty_million_bytes_take_seconds() -> None:
    text = split(50_000_000, 2000)
    assert find_threshold(*text, 4.0, 64).realised_rate == pytest.approx(4.0, rel=1e-3)
