"""Where patches open in rows of text."""

from collections.abc import Callable
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
