"""Rows of text as a model reads them: inputs, targets, segments, and where patches open."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from corpora.errors import InputError
from scaling.data.shards import Stream
from scaling.model.patching import capped, space_starts, static_starts
from scaling.spec import RunSpec

D = TypeVar("D", bound=np.generic)


class TextRows(NamedTuple):
    """Stretches of one stream, one a row.

    Attributes:
        stream: what they are cut from.
        begins: int64 [rows], first unit of each.
        lengths: int64 [rows], units of each, at most W; the rest of its row is padding.
        targets: int64 [rows, W], the units; 0 on padding.
        opens: bool [rows, W], where segments begin.
    """

    stream: Stream
    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    targets: NDArray[np.int64]
    opens: NDArray[np.bool_]

    @property
    def text(self) -> NDArray[np.bool_]:
        """Bool [rows, W]: what is not padding."""
        return np.arange(self.targets.shape[1]) < self.lengths[:, None]


# A rule that opens patches: starts [rows, W], True where a segment begins, anything on padding.
Patches = Callable[[TextRows], NDArray[np.bool_]]


@dataclass(frozen=True)
class StaticPatches:
    """A patch every `rate` bytes, counted from the beginning of each segment.

    Raises:
        ValueError: the rate is below one byte, or no number.
    """

    rate: float

    def __post_init__(self) -> None:
        if not 1 <= self.rate < np.inf:
            raise ValueError(f"{self.rate} bytes per patch; a patch holds 1 or more")

    def __call__(self, rows: TextRows) -> NDArray[np.bool_]:
        """Return starts [rows, W]."""
        count, width = rows.targets.shape
        pattern = static_starts([width], self.rate)
        starts = np.repeat(pattern[None], count, axis=0)
        # Where a row holds more than one segment, by each unit's place in its segment.
        mixed = np.flatnonzero(rows.opens[:, 1:].any(axis=1))
        places = np.arange(width)
        began = np.maximum.accumulate(np.where(rows.opens[mixed], places, 0), axis=1)
        starts[mixed] = pattern[places - began]
        return starts


@dataclass(frozen=True)
class SpacePatches:
    """A patch per word with the white space after it, none longer than `most_bytes`.

    Raises:
        ValueError: `most_bytes` is below 1.
    """

    most_bytes: int = 64

    def __post_init__(self) -> None:
        if self.most_bytes < 1:
            raise ValueError(f"patches of at most {self.most_bytes} bytes; must be 1 or more")

    def __call__(self, rows: TextRows) -> NDArray[np.bool_]:
        """Return starts [rows, W]."""
        opens = rows.opens.reshape(-1)
        # All segments in one go: a byte 0 before each, which is no white space, keeps what lies
        # before it out of its words.
        places = np.arange(opens.size) + np.cumsum(opens)
        spaced = np.zeros(opens.size + int(opens.sum()), np.uint8)
        spaced[places] = rows.targets.reshape(-1)
        flagged = space_starts(spaced, spaced.size)[places] | opens
        return capped(flagged, self.most_bytes).reshape(rows.opens.shape)


@dataclass(frozen=True)
class StoredPatches:
    """Patches as the shards hold them, found over whole documents; a segment opens one more."""

    def __call__(self, rows: TextRows) -> NDArray[np.bool_]:
        """Return starts [rows, W].

        Raises:
            InputError: the shards hold none.
        """
        stored = rows.stream.starts
        if stored is None:
            raise InputError(
                f"{rows.stream.name}: these shards hold no patches; name those built from"
                " entropies, or use static or space patches"
            )
        width = rows.targets.shape[1]
        return stretches(stored, rows.begins, rows.lengths, width) | rows.opens


def stretches(
    values: NDArray[D], begins: NDArray[np.int64], lengths: NDArray[np.int64], width: int
) -> NDArray[D]:
    """Return stretches of `values` as rows: [rows, width], zeros beyond each one's length."""
    if len(values) >= width and (lengths == width).all():
        return np.lib.stride_tricks.sliding_window_view(values, width)[begins]
    rows = np.zeros((len(begins), width), values.dtype)
    for row, begin, length in zip(rows, begins.tolist(), lengths.tolist(), strict=True):
        row[:length] = values[begin : begin + length]
    return rows


def patches_of(spec: RunSpec) -> Patches | None:
    """Return where the model's patches open; None for a subword model."""
    patching = spec.patching
    if patching is None:
        return None
    if patching.kind == "static":
        assert patching.compression_rate is not None
        return StaticPatches(patching.compression_rate)
    return SpacePatches(patching.most_bytes) if patching.kind == "space" else StoredPatches()


@dataclass(frozen=True)
class TokenBatch:
    """Rows of text, each one window of the stream.

    A row holds one or more segments, each the part of one document that fell into the window.
    Every segment begins with BOS as its input, so each of its units is predicted once, and nothing
    attends from one segment to another.

    Attributes:
        inputs: int64 [rows, W], what the model reads; BOS at the first position of a segment, 0 on
            padding.
        targets: int64 [rows, W], what it is to predict there; 0 on padding.
        segments: int32 [rows, W], 0, 1, 2 .. within a row; -1 on padding.
        starts: bool [rows, W], whether the target opens a patch: each segment's first does; False
            on padding. None for a model without patches.
        scored_bytes: bytes of raw text that the targets stand for.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    segments: NDArray[np.int32]
    starts: NDArray[np.bool_] | None
    scored_bytes: int

    @property
    def has_boundaries(self) -> bool:
        """Whether any row holds more than one segment, or padding."""
        return bool(self.segments.any())


@dataclass(frozen=True)
class EvaluationBatch:
    """Rows of text to be scored, and whose they are.

    Attributes:
        batch: the rows.
        document: int64 [rows, W], number of the target's document in its stream; -1 on padding.
    """

    batch: TokenBatch
    document: NDArray[np.int64]


def cut_rows(
    stream: Stream, begins: NDArray[np.int64], lengths: NDArray[np.int64], width: int
) -> TextRows:
    """Return stretches of the stream as rows.

    Args:
        begins: [rows] first unit of each; lengths: [rows] units of each, 1 to `width`.
    """
    targets = stretches(stream.units, begins, lengths, width).astype(np.int64)
    # The documents that begin after a row's first unit and before its end.
    first = np.searchsorted(stream.documents, begins, side="right")
    last = np.searchsorted(stream.documents, begins + lengths, side="left")
    opens = np.zeros(targets.shape, np.bool_)
    opens[:, 0] = True
    counts = last - first
    if counts.any():
        row = np.repeat(np.arange(len(begins)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        opens[row, stream.documents[first[row] + within] - begins[row]] = True
    return TextRows(stream, begins, lengths, targets, opens)


def batch_of(rows: TextRows, patches: Patches | None) -> TokenBatch:
    """Return the rows as a model reads them."""
    stream, targets, opens = rows.stream, rows.targets, rows.opens
    inputs = np.empty_like(targets)
    inputs[:, 1:] = targets[:, :-1]
    inputs[opens] = stream.bos
    segments = np.zeros(targets.shape, np.int32)
    if opens[:, 1:].any():
        np.cumsum(opens[:, 1:], axis=1, dtype=np.int32, out=segments[:, 1:])
    starts = patches(rows) if patches is not None else None
    if (rows.lengths < targets.shape[1]).any():
        padding = ~rows.text
        inputs[padding] = 0
        segments[padding] = -1
        if starts is not None:
            starts[padding] = False
    return TokenBatch(inputs, targets, segments, starts, scored_bytes(rows))


def scored_bytes(rows: TextRows) -> int:
    """Return the bytes of raw text in the rows."""
    units = int(rows.lengths.sum())
    stream = rows.stream
    if stream.unit_bytes is None:
        return units
    scored = int(stream.unit_bytes[rows.targets].sum(dtype=np.int64))
    # On padding stand zeros, which were taken for tokens.
    scored -= int(stream.unit_bytes[0]) * (rows.targets.size - units)
    first = np.searchsorted(stream.documents, rows.begins, side="left")
    last = np.searchsorted(stream.documents, rows.begins + rows.lengths, side="left")
    return scored - stream.prefix_bytes * int((last - first).sum())


def documents_of(rows: TextRows, segments: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the number of each unit's document: int64 [rows, W], -1 on padding."""
    first = np.searchsorted(rows.stream.documents, rows.begins, side="right") - 1
    return np.where(segments >= 0, first[:, None] + segments, -1)


def evaluation_windows(
    stream: Stream, window_units: int, rows: int, patches: Patches | None = None
) -> Iterator[EvaluationBatch]:
    """Yield the whole stream in order, every unit once, with the document each belongs to.

    A document longer than a window is cut every `window_units` units, counted from its start, and
    each part begins as a document does; one that would fit into a window is never cut. What is left
    of a row takes the documents that follow, if they fit whole.

    Args:
        window_units: W. rows: of a batch; the last batch has fewer.

    Raises:
        InputError: the stream is empty.
    """
    if not stream.unit_count:
        raise InputError(f"{stream.name}: there is no text to evaluate on; hold some out")
    begins: list[int] = []
    lengths: list[int] = []
    for begin, end in _whole_documents(stream.documents, window_units):
        begins.append(begin)
        lengths.append(end - begin)
        if len(begins) == rows or end == stream.unit_count:
            cut = cut_rows(stream, np.array(begins), np.array(lengths), window_units)
            batch = batch_of(cut, patches)
            yield EvaluationBatch(batch, documents_of(cut, batch.segments))
            begins, lengths = [], []


def _whole_documents(documents: NDArray[np.int64], width: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of stretches of at most `width` units that cut only long documents."""
    begin, total = 0, int(documents[-1])
    while begin < total:
        # The last document end within reach; none is, where this document is longer.
        end = int(documents[np.searchsorted(documents, begin + width, side="right") - 1])
        if end <= begin:
            end = begin + width
        yield begin, end
        begin = end
