"""Which latent a byte reads and which bytes it pools, against the shift rule spelt out in loops.

Regular patches go without look-ups, and come to the same as with them, gradients too.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scaling.data.windows import StaticPatches, TokenBatch
from scaling.model.cross_attention import (
    PAD_LATENTS_TO,
    few_counts,
    patch_layout,
    patched_bytes,
    tokens,
)
from scaling.model.patching import static_starts
from tests.scaling.evaluate.streams import CPU
from tests.scaling.model.support import Cut, latent_model, patched_by


class RowPatches(NamedTuple):
    """One row, position by position and latent by latent.

    Attributes:
        reads: the latent of each position. pools: the positions of each latent.
        segments: the segment of each latent.
    """

    reads: list[int]
    pools: list[list[int]]
    segments: list[int]


def by_hand(starts: list[bool], segments: list[int]) -> RowPatches:
    """Walk along a row. Latent j pools the bytes of the patch before; a segment's first, its BOS.

    The byte at place i of a segment is the input of position i + 1 of the segment.
    """
    row = RowPatches([], [], [])
    patch_before: list[int] = []  # the places, in the row, of the targets of the patch so far
    for position, segment in enumerate(segments):
        if segment < 0:
            continue
        if position == 0 or segments[position - 1] != segment:
            row.pools.append([position])  # where BOS is read
            row.segments.append(segment)
            patch_before = []
        elif starts[position]:
            row.pools.append([target + 1 for target in patch_before])
            row.segments.append(segment)
            patch_before = []
        patch_before.append(position)
        row.reads.append(len(row.pools) - 1)
    return row


@st.composite
def rows_of_segments(draw: st.DrawFn) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Draw starts and segments [rows, W]; each row holds text, and padding at most at its end."""
    width = draw(st.integers(1, 24))
    starts, segments = [], []
    for _ in range(draw(st.integers(1, 4))):
        length = draw(st.integers(1, width))
        opens = [False, *draw(st.lists(st.booleans(), min_size=length - 1, max_size=length - 1))]
        flags = draw(st.lists(st.booleans(), min_size=length, max_size=length))
        padding = width - length
        first = [place == 0 or opened for place, opened in enumerate(opens)]
        starts.append([a or b for a, b in zip(first, flags, strict=True)] + [False] * padding)
        segments.append(np.cumsum(opens).tolist() + [-1] * padding)
    return np.array(starts, dtype=np.bool_), np.array(segments, dtype=np.int32)


@given(rows_of_segments())
def test_patches_lie_where_the_shift_rule_says(
    drawn: tuple[NDArray[np.bool_], NDArray[np.int32]],
) -> None:
    starts, segments = drawn
    layout = patch_layout(starts, segments)
    rows, latents, most = layout.members.shape
    assert layout.is_member.shape == (rows, latents, most)
    longest = 1
    for r in range(rows):
        expected = by_hand(starts[r].tolist(), segments[r].tolist())
        real = len(expected.pools)
        assert layout.latent_of_byte[r, : len(expected.reads)].tolist() == expected.reads
        assert layout.latent_segments[r].tolist() == expected.segments + [-1] * (latents - real)
        for j in range(latents):
            pooled = layout.members[r, j][layout.is_member[r, j]].tolist()
            if j < real:
                assert pooled == expected.pools[j]
                # Padding repeats a byte of the patch: its maximum stays what it is.
                assert set(layout.members[r, j].tolist()) == set(pooled)
            assert len(pooled) >= 1  # an empty softmax would be no number
        longest = max(longest, *map(len, expected.pools))
    assert most == longest
    # Nothing points outside the row, on padding either.
    assert 0 <= layout.members.min() <= layout.members.max() < starts.shape[1]
    assert 0 <= layout.latent_of_byte.min() <= layout.latent_of_byte.max() < latents


@given(rows_of_segments())
def test_no_position_reads_a_latent_that_pools_what_it_is_to_predict(
    drawn: tuple[NDArray[np.bool_], NDArray[np.int32]],
) -> None:
    starts, segments = drawn
    layout = patch_layout(starts, segments)
    row, position = np.nonzero(segments >= 0)
    latent = layout.latent_of_byte[row, position]
    seen = layout.members[row, latent]
    # The input at position p is target p - 1, so pooling up to p is pooling what is before it.
    assert (seen <= position[:, None]).all()
    assert (segments[row[:, None], seen] == segments[row, position][:, None]).all()
    assert (layout.latent_segments[row, latent] == segments[row, position]).all()


@given(rows_of_segments())
def test_every_byte_but_those_of_last_patches_is_pooled_once(
    drawn: tuple[NDArray[np.bool_], NDArray[np.int32]],
) -> None:
    starts, segments = drawn
    layout = patch_layout(starts, segments)
    for r in range(len(starts)):
        real = layout.latent_segments[r] >= 0
        pooled = sorted(layout.members[r, real][layout.is_member[r, real]].tolist())
        expected = []
        for segment in range(segments[r].max() + 1):
            places = np.flatnonzero(segments[r] == segment)
            last_opened = places[starts[r, places]].max()
            expected += list(range(places[0], last_opened + 1))
        assert pooled == expected


@given(rows_of_segments())
def test_flat_indices_stay_in_their_row(drawn: tuple[NDArray[np.bool_], NDArray[np.int32]]) -> None:
    starts, segments = drawn
    inputs = np.zeros(starts.shape, np.int64)
    batch = TokenBatch(inputs, inputs, segments, starts, scored_bytes=0)
    given_to_model = patched_bytes(batch, CPU, always_indexed=True)
    assert given_to_model.latent_of_byte is not None
    layout = patch_layout(starts, segments)
    rows, latents, most = given_to_model.members_shape
    width = starts.shape[1]
    members = given_to_model.members.view(rows, latents, most).numpy()
    reads = given_to_model.latent_of_byte.view(rows, width).numpy()
    assert (members // width == np.arange(rows)[:, None, None]).all()
    assert (members % width == layout.members).all()
    assert (reads // latents == np.arange(rows)[:, None]).all()
    assert (reads % latents == layout.latent_of_byte).all()
    assert (given_to_model.segments is None) == bool((segments == 0).all())
    # Masks may be left out only where that changes nothing.
    if given_to_model.is_member is None:
        distinct = [len(set(places)) for places in members.reshape(-1, most).tolist()]
        assert all(count in (1, most) for count in distinct)
    if given_to_model.latent_segments is None:
        assert (layout.latent_segments == 0).all()


def test_rows_of_as_many_patches_are_not_padded_and_others_are_to_a_few_sizes() -> None:
    text = [b"x" * 200]
    equal = Cut((0, 40), (40, 40), 40).batch(*patched_by(StaticPatches(4))(text))
    assert patched_bytes(equal, CPU).members_shape == (2, 10, 4)
    assert patched_bytes(equal, CPU).latent_segments is None
    other = Cut((0, 40), (40, 30), 40).batch(*patched_by(StaticPatches(4))(text))
    padded = patched_bytes(other, CPU)
    assert padded.members_shape == (2, 2 * PAD_LATENTS_TO, 4)
    assert padded.latent_segments is not None


def test_a_batch_without_starts_is_no_batch_for_patches() -> None:
    batch = Cut((0,), (4,), 4).batch(*patched_by(None)([b"text"]))
    with pytest.raises(AssertionError, match="where patches open"):
        patched_bytes(batch, CPU)
    assert torch.equal(tokens(batch, CPU).inputs, torch.tensor([[256, *b"tex"]]))


def regular_batch(rows: int, width: int, rate: float) -> TokenBatch:
    targets = np.random.default_rng(0).integers(0, 256, (rows, width))
    inputs = np.concatenate([np.full((rows, 1), 256), targets[:, :-1]], axis=1)
    starts = np.repeat(static_starts([width], rate)[None], rows, axis=0)
    return TokenBatch(inputs, targets, np.zeros((rows, width), np.int32), starts, rows * width)


@pytest.mark.parametrize("rate", [1, 2, 4])
@pytest.mark.parametrize(("layers", "slots"), [(1, 1), (2, 2)])
def test_with_and_without_look_ups(rate: float, layers: int, slots: int) -> None:
    model, rows = latent_model(layers, slots), regular_batch(3, 24, rate)
    found = []
    for indexed in (True, False):
        inputs = patched_bytes(rows, CPU, always_indexed=indexed)
        assert (inputs.latent_of_byte is None) == (not indexed)
        logits = model(inputs)
        found.append(
            (logits, torch.autograd.grad(logits.square().sum(), tuple(model.parameters())))
        )
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=1e-12)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rate", [3.5, 5])
def test_patches_that_do_not_fill_the_row_are_looked_up(rate: float) -> None:
    assert patched_bytes(regular_batch(2, 24, rate), CPU).latent_of_byte is not None


@given(st.integers(1, 1 << 20), st.sampled_from([(1, 2), (8, 8)]))
def test_few_counts_are_few_and_waste_little(count: int, steps: tuple[int, int]) -> None:
    found = few_counts(count, *steps)
    assert count <= found <= max(count + steps[0] - 1, count * (1 + 1 / steps[1]))
    assert few_counts(found, *steps) == found
    assert found <= max(steps[0], 1 << (count - 1).bit_length())  # a table of rotary positions
    octave = {few_counts(n, *steps) for n in range(1025, 2049)}
    assert len(octave) == steps[1]


@settings(max_examples=30)
@given(rows_of_segments())
def test_few_shapes_have_the_same_logits(
    drawn: tuple[NDArray[np.bool_], NDArray[np.int32]],
) -> None:
    starts, segments = drawn
    rng = np.random.default_rng(0)
    inputs = np.where(segments < 0, 0, rng.integers(0, 256, starts.shape))
    batch = TokenBatch(inputs, inputs, segments, starts, scored_bytes=0)
    model = latent_model()
    with torch.no_grad():
        exact, few = (model(patched_bytes(batch, CPU, few_shapes=few)) for few in (False, True))
    real = torch.from_numpy(segments >= 0)
    torch.testing.assert_close(few[real], exact[real], rtol=0, atol=1e-12)


def test_patches_of_one_length_are_regular_in_few_shapes_too() -> None:
    few = patched_bytes(regular_batch(3, 24, 4), CPU, few_shapes=True)
    assert few.latent_of_byte is None and few.is_member is None and few.latent_segments is None
    assert few.members_shape == (3, 6, 4)
