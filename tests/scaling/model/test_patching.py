"""Patches: their definitions, spelt out slowly, and that no start depends on what it precedes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.errors import InputError
from scaling.model.patching import (
    JITTER,
    capped,
    entropy_keys,
    entropy_starts,
    patch_count,
    space_starts,
    split_entropy_starts,
    static_starts,
)

FLAGS = st.lists(st.booleans(), max_size=60)
MOST = st.integers(1, 9)
TEXT = st.binary(max_size=60) | st.text(alphabet="ab \n\t", max_size=60).map(str.encode)


def walked(flags: list[bool], most_bytes: int) -> list[bool]:
    """The definition of `capped`, byte by byte."""
    starts: list[bool] = []
    held = most_bytes
    for flag in flags:
        starts.append(flag or held == most_bytes)
        held = 1 if starts[-1] else held + 1
    return starts


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.uint8)


@given(FLAGS, MOST)
def test_the_cap_is_what_a_walk_from_left_to_right_gives(flags: list[bool], most: int) -> None:
    starts = capped(np.array(flags, dtype=bool), most)
    assert starts.tolist() == walked(flags, most)
    assert patch_count(np.array(flags, dtype=bool), most) == starts.sum()


def test_the_flags_given_are_left_alone() -> None:
    flags = np.zeros(10, dtype=bool)
    capped(flags, 3)
    assert not flags.any()


def test_counting_begins_anew_after_a_cap_and_after_a_flag() -> None:
    flags = np.zeros(12, dtype=bool)
    flags[5] = True
    assert np.flatnonzero(capped(flags, 3)).tolist() == [0, 3, 5, 8, 11]


@given(st.lists(st.integers(0, 40), max_size=6), st.floats(1, 20))
def test_static_patches_are_counted_from_each_piece(lengths: list[int], rate: float) -> None:
    expected = [
        i == 0 or np.floor(i / rate) != np.floor((i - 1) / rate)
        for length in lengths
        for i in range(length)
    ]
    assert static_starts(lengths, rate).tolist() == expected


@pytest.mark.parametrize("rate", [1, 2, 4, 8, 3.7, 64])
def test_static_patches_realise_their_rate(rate: float) -> None:
    size = 100_000
    assert size / static_starts([size], rate).sum() == pytest.approx(rate, rel=1e-3)


def test_a_fractional_rate_mixes_the_two_nearest_lengths() -> None:
    starts = np.flatnonzero(static_starts([1000], 2.5))
    assert set(np.diff(starts).tolist()) == {2, 3}


def test_space_patches_are_words_led_by_the_white_space_that_ends_the_one_before() -> None:
    text = b"The cat\n\n  sat. Yes"
    starts = np.flatnonzero(space_starts(array(text), 64)).tolist()
    pieces = [text[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert pieces == [b"The ", b"cat\n", b"\n  sat. ", b"Yes"]


@given(TEXT, MOST)
def test_space_patches_are_what_the_definition_says(data: bytes, most: int) -> None:
    white = [byte in b" \t\n\v\f\r" for byte in data]
    flags = [i > 0 and white[i - 1] and not (i > 1 and white[i - 2]) for i in range(len(data))]
    assert space_starts(array(data), most).tolist() == walked(flags, most)


@given(TEXT.filter(bool), st.data(), MOST)
def test_no_space_start_depends_on_its_own_byte_or_a_later_one(
    data: bytes, draw: st.DataObject, most: int
) -> None:
    j = draw.draw(st.integers(0, len(data) - 1))
    other = bytearray(data)
    other[j] = draw.draw(st.sampled_from([32, 97, 10, 200]))
    before, after = space_starts(array(data), most), space_starts(array(bytes(other)), most)
    assert (before[: j + 1] == after[: j + 1]).all()


@given(
    st.lists(st.floats(0, 8), min_size=1, max_size=40), st.data(), st.floats(0, 8), st.booleans()
)
def test_no_entropy_start_depends_on_a_later_entropy(
    entropies: list[float], draw: st.DataObject, threshold: float, monotonic: bool
) -> None:
    # Entropy j is known before byte j: what a start may depend on are entropies up to its own.
    j = draw.draw(st.integers(0, len(entropies) - 1))
    other = [*entropies[: j + 1], *[8 - value for value in entropies[j + 1 :]]]
    before = entropy_starts(np.array(entropies), threshold, 5, monotonic)
    after = entropy_starts(np.array(other), threshold, 5, monotonic)
    assert (before[: j + 1] == after[: j + 1]).all()


def test_entropy_patches_open_at_hard_bytes() -> None:
    entropies = np.array([0.1, 3.0, 2.9, 0.5, 2.0, 1.5, 2.6, 0.2])
    starts = entropy_starts(entropies, 2.5, 64)
    assert np.flatnonzero(starts).tolist() == [0, 1, 2, 6]
    rises = entropy_starts(entropies, 1.2, 64, monotonic=True)
    assert np.flatnonzero(rises).tolist() == [0, 1, 4]
    assert np.flatnonzero(entropy_starts(entropies, 2.5, 2)).tolist() == [0, 1, 2, 4, 6]


@given(st.lists(st.integers(0, 12), max_size=8), st.booleans(), st.integers(0, 5))
def test_a_split_is_patched_as_its_documents_one_by_one(
    lengths: list[int], monotonic: bool, seed: int
) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rng = np.random.default_rng(seed)
    entropies = rng.integers(0, 3, offsets[-1]).astype(np.float32)  # ties: the jitter decides
    threshold = 1.0 + 0.5 * JITTER
    whole = split_entropy_starts(entropies, offsets, threshold, 4, monotonic)
    one_by_one = [
        entropy_starts(entropies[a:b], threshold, 4, monotonic, document)
        for document, (a, b) in enumerate(pairwise(offsets.tolist()))
    ]
    assert whole.tolist() == [start for starts in one_by_one for start in starts]
    half = len(lengths) // 2
    cut = int(offsets[half])
    rest = split_entropy_starts(
        entropies[cut:], offsets[half:] - cut, threshold, 4, monotonic, first_document=half
    )
    assert rest.tolist() == whole[cut:].tolist()


def test_jitter_breaks_ties_evenly_and_moves_nothing_else() -> None:
    lengths = np.full(20_000, 5)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    keys = entropy_keys(np.full(100_000, 2.0), offsets)
    assert np.isinf(keys[offsets[:-1]]).all()
    bounded = keys[np.isfinite(keys)]
    # Near 2, a millionth of a bit holds 2.25e9 doubles: 80,000 draws meet 1.4 times in the mean.
    assert len(bounded) - len(np.unique(bounded)) < 10
    jitter = (bounded - 2.0) / JITTER
    assert jitter.min() >= 0
    assert jitter.max() <= 1
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is the bound at one in a thousand.
    distance = np.abs(np.sort(jitter) - np.arange(len(jitter)) / len(jitter)).max()
    assert distance < 1.95 / np.sqrt(len(jitter))


def test_jitter_is_the_same_across_the_edges_of_what_is_hashed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offsets = np.array([0, 3, 3, 50, 51, 200])
    entropies = np.linspace(0, 8, 200)
    whole = entropy_keys(entropies, offsets, monotonic=True)
    monkeypatch.setattr("scaling.model.patching._AT_ONCE", 7)
    assert (entropy_keys(entropies, offsets, monotonic=True) == whole).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_entropy_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"entropy 2 is not a finite number.*train it again"):
        entropy_starts(np.array([1.0, 2.0, value]), 1.0, 8)


def test_nothing_has_no_patches() -> None:
    nothing = np.zeros(0)
    assert len(static_starts([], 4.0)) == 0
    assert len(static_starts([0, 0], 4.0)) == 0
    assert len(space_starts(nothing.astype(np.uint8), 8)) == 0
    assert len(entropy_starts(nothing, 1.0, 8)) == 0
    assert patch_count(nothing.astype(bool), 8) == 0
