"""Windows cover the text as promised, and a batch is what a model may see."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.order import Windows
from scaling.data.shards import Stream
from scaling.data.windows import (
    Patches,
    SpacePatches,
    StaticPatches,
    StoredPatches,
    TokenBatch,
    evaluation_windows,
)
from scaling.model.patching import space_starts, static_starts

BOS = 256


def stream_of(documents: list[bytes], starts: NDArray[np.bool_] | None = None) -> Stream:
    offsets = np.concatenate([[0], np.cumsum([len(document) for document in documents])])
    units = np.frombuffer(b"".join(documents), np.uint8)
    languages = np.zeros(len(documents), np.uint16)
    return Stream("planted", units, offsets, offsets, languages, starts=starts)


def token_stream(documents: list[list[int]], unit_bytes: list[int], prefix_bytes: int) -> Stream:
    ends = np.cumsum([len(document) for document in documents])
    sizes = [sum(unit_bytes[i] for i in document) - prefix_bytes for document in documents]
    return Stream(
        "planted",
        np.array([i for document in documents for i in document], np.uint32),
        np.concatenate([[0], ends]),
        np.concatenate([[0], np.cumsum(sizes)]),
        np.zeros(len(documents), np.uint16),
        bos=len(unit_bytes),
        unit_bytes=np.array(unit_bytes, np.int32),
        prefix_bytes=prefix_bytes,
    )


# Text with words, so that patches after white space mean something.
DOCUMENTS = st.lists(st.text("ab \n", min_size=1, max_size=25).map(str.encode), min_size=1)
RULES = st.sampled_from(
    [StaticPatches(1), StaticPatches(2.5), StaticPatches(4), SpacePatches(3), SpacePatches()]
)


def segments_by_hand(batch: TokenBatch) -> Iterator[tuple[int, int, int]]:
    """Yield row, begin and end of each segment, and assert that the rows are well formed."""
    for row, numbers in enumerate(batch.segments.tolist()):
        text = [number for number in numbers if number >= 0]
        assert numbers == text + [-1] * (len(numbers) - len(text))
        assert sorted(set(text)) == list(range(max(text) + 1)) and text == sorted(text)
        for number in set(text):
            yield row, text.index(number), text.index(number) + text.count(number)


def assert_well_formed(batch: TokenBatch, bos: int, patches: Patches | None) -> None:
    """Assert what every batch promises, position by position."""
    assert batch.inputs.dtype == batch.targets.dtype == np.int64
    assert batch.segments.dtype == np.int32
    expected = np.zeros_like(batch.inputs)
    starts = np.zeros(batch.inputs.shape, np.bool_)
    segments = list(segments_by_hand(batch))
    for row, begin, end in segments:
        targets = batch.targets[row, begin:end]
        expected[row, begin] = bos
        expected[row, begin + 1 : end] = targets[:-1]
        if isinstance(patches, StaticPatches):
            starts[row, begin:end] = static_starts([end - begin], patches.rate)
        elif isinstance(patches, SpacePatches):
            starts[row, begin:end] = space_starts(targets.astype(np.uint8), patches.most_bytes)
    assert np.array_equal(batch.inputs, expected)
    assert not batch.targets[batch.segments < 0].any()
    assert batch.has_boundaries == (
        len(segments) > len(batch.segments) or bool((batch.segments < 0).any())
    )
    if patches is None:
        assert batch.starts is None
    elif not isinstance(patches, StoredPatches):
        assert batch.starts is not None and np.array_equal(batch.starts, starts)


@given(DOCUMENTS, st.integers(1, 12), st.integers(0, 5), RULES)
def test_an_epoch_reads_every_window_once_and_cuts_at_documents(
    documents: list[bytes], width: int, seed: int, patches: Patches
) -> None:
    stream = stream_of(documents)
    if stream.unit_count < 2 * width - 1:
        with pytest.raises(InputError, match="too few for a batch of 1 windows"):
            Windows(stream, width, seed, patches)
        return
    windows = Windows(stream, width, seed, patches)
    count = windows.per_epoch
    text = b"".join(documents)
    opens = set(stream.documents.tolist())
    for epoch in (0, 1):
        begins = windows.begins(epoch)
        phase = int(begins.min())
        assert 0 <= phase < width
        assert sorted(begins.tolist()) == [phase + i * width for i in range(count)]
        assert phase + count * width <= len(text)
        for row, begin in enumerate(begins.tolist()):
            batch = windows.batch(epoch * count + row, 1)
            assert_well_formed(batch, BOS, patches)
            assert bytes(batch.targets[0].tolist()) == text[begin : begin + width]
            # A new segment where, and only where, a document begins.
            new = np.flatnonzero(np.diff(batch.segments[0], prepend=-1)).tolist()
            within = [at for at in range(width) if begin + at in opens]
            assert new == sorted({0, *within})
            assert batch.scored_bytes == width
    assert windows.epochs(3 * count, 1) == 3


def test_a_batch_follows_from_seed_and_step_alone() -> None:
    rng = np.random.default_rng(0)
    stream = stream_of([rng.bytes(int(n)) for n in rng.integers(1, 400, 300)])
    windows = Windows(stream, 64, 3, StaticPatches(4))
    steps = list(range(200))  # several epochs of some 900 windows, 7 at a time
    forward = [windows.batch(step, 7) for step in steps]
    assert windows.epochs(200, 7) > 1.2
    for step in reversed(steps):  # and a fresh object, as after a restart
        again = Windows(stream, 64, 3, StaticPatches(4)).batch(step, 7)
        for mine, other in zip(vars(forward[step]).values(), vars(again).values(), strict=True):
            assert np.array_equal(mine, other)
    other_seed = Windows(stream, 64, 4).batch(0, 7)
    assert not np.array_equal(other_seed.targets, forward[0].targets)
    assert not np.array_equal(windows.begins(0), windows.begins(1))


def test_the_order_is_the_same_everywhere() -> None:
    # Pinned: a run that goes on with another NumPy must read what it would have read.
    windows = Windows(stream_of([bytes(range(256)) * 4]), 100, 7)
    assert windows.begins(0).tolist() == [543, 243, 343, 843, 143, 743, 643, 443, 43]
    assert windows.begins(1).tolist() == [57, 257, 157, 657, 757, 357, 457, 857, 557]


def test_ranks_share_a_batch_without_overlap() -> None:
    stream = stream_of([bytes(range(256)) * 10])
    windows = Windows(stream, 16, 0, SpacePatches())
    for step in range(30):  # across epochs of 159 windows
        whole = windows.batch(step, 12)
        parts = [windows.batch(step, 12, (low, low + 4)) for low in (0, 4, 8)]
        assert np.array_equal(whole.targets, np.concatenate([p.targets for p in parts]))
        assert np.array_equal(whole.inputs, np.concatenate([p.inputs for p in parts]))
        assert whole.scored_bytes == sum(part.scored_bytes for part in parts)


def test_stored_patches_are_those_of_the_documents_and_of_segments() -> None:
    rng = np.random.default_rng(1)
    documents = [rng.bytes(int(n)) for n in rng.integers(1, 90, 60)]
    stored = rng.random(sum(map(len, documents))) < 0.3
    stream = stream_of(documents, stored)
    windows = Windows(stream, 32, 0, StoredPatches())
    begins = windows.begins(0)
    for row, begin in enumerate(begins.tolist()):
        batch = windows.batch(row, 1)
        expected = stored[begin : begin + 32].copy()
        for _, opens, _ in segments_by_hand(batch):
            expected[opens] = True
        assert batch.starts is not None and np.array_equal(batch.starts[0], expected)
    for evaluated in evaluation_windows(stream, 32, 4, StoredPatches()):
        starts, segments = evaluated.batch.starts, evaluated.batch.segments
        assert starts is not None and not starts[segments < 0].any()
    with pytest.raises(InputError, match="planted: these shards hold no patches"):
        Windows(stream_of(documents), 32, 0, StoredPatches()).batch(0, 1)


@given(DOCUMENTS, st.integers(1, 12), st.integers(1, 4), RULES)
def test_evaluation_scores_every_byte_once_under_its_document(
    documents: list[bytes], width: int, rows: int, patches: Patches
) -> None:
    found: list[list[int]] = [[] for _ in documents]
    scored = parts = 0
    for evaluated in evaluation_windows(stream_of(documents), width, rows, patches):
        batch = evaluated.batch
        assert len(batch.targets) <= rows
        assert_well_formed(batch, BOS, patches)
        assert np.array_equal(evaluated.document < 0, batch.segments < 0)
        scored += batch.scored_bytes
        for row, begin, end in segments_by_hand(batch):
            (number,) = set(evaluated.document[row, begin:end].tolist())
            # Only a document longer than a window is cut, every `width` bytes from its start.
            assert len(found[number]) % width == 0
            found[number] += batch.targets[row, begin:end].tolist()
            parts += 1
    assert [bytes(text) for text in found] == documents
    assert scored == sum(map(len, documents))
    assert parts == sum(-(-len(document) // width) for document in documents)


def test_evaluation_fills_rows_with_the_documents_that_fit() -> None:
    documents = [b"abc", b"de", b"fghij", b"k" * 7, b"lmn", b"o"]
    (evaluated,) = evaluation_windows(stream_of(documents), 5, 9)
    assert evaluated.document.tolist() == [
        [0, 0, 0, 1, 1],  # exactly full
        [2, 2, 2, 2, 2],
        [3, 3, 3, 3, 3],
        [3, 3, 4, 4, 4],  # the rest of a long one, and the next
        [5, -1, -1, -1, -1],
    ]


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=9), min_size=1, max_size=20),
    st.integers(1, 7),
    st.integers(1, 3),
)
def test_bytes_of_tokens_are_raw_text_without_the_prefix(
    tails: list[list[int]], width: int, rows: int
) -> None:
    unit_bytes = [5, 1, 3, 0, 2]
    documents = [[1, *tail] for tail in tails]  # each begins with a byte of prefix: id 1
    stream = token_stream(documents, unit_bytes, 1)
    expected = sum(unit_bytes[i] for tail in tails for i in tail)
    assert stream.byte_count == expected
    batches = [evaluated.batch for evaluated in evaluation_windows(stream, width, rows)]
    assert sum(batch.scored_bytes for batch in batches) == expected
    for batch in batches:
        assert_well_formed(batch, 5, None)
    if stream.unit_count < 2 * width - 1:
        return
    windows = Windows(stream, width, 0)
    first = set(stream.documents.tolist())
    for step, begin in enumerate(windows.begins(0).tolist()):
        span = range(begin, begin + width)
        raw = sum(unit_bytes[stream.units[i]] - (i in first) for i in span)
        assert windows.batch(step, 1).scored_bytes == raw


def test_a_corpus_smaller_than_one_batch_is_refused_with_sizes() -> None:
    stream = stream_of([b"x" * 1000])
    windows = Windows(stream, 100, 0)
    assert windows.per_epoch == 9
    windows.batch(0, 9)
    message = r"planted: 1,000 units of text, too few for a batch of 10 windows of 100 \(1,099 at"
    with pytest.raises(InputError, match=message):
        windows.batch(0, 10)
    assert Windows(stream_of([b"x" * 1099]), 100, 0).per_epoch == 10
    with pytest.raises(InputError, match=r"too few .* \(3,999 at least.*give more text"):
        Windows(stream, 2000, 0)
    with pytest.raises(InputError, match="no text to evaluate on"):
        next(evaluation_windows(stream_of([]), 10, 1))


@pytest.mark.parametrize("rate", [0.5, 0.0, -1.0, float("nan"), float("inf")])
def test_a_patch_holds_at_least_a_byte(rate: float) -> None:
    with pytest.raises(ValueError, match="a patch holds 1 or more"):
        StaticPatches(rate)
    with pytest.raises(ValueError, match="must be 1 or more"):
        SpacePatches(0)
