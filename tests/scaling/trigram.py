"""A smoothed byte trigram model: what counting alone can do, for trained models to beat.

Interpolated Kneser-Ney (Kneser and Ney 1995, doi:10.1109/ICASSP.1995.479394; as in Chen and
Goodman 1999, doi:10.1006/csla.1999.0128, section 2.7): a discount D is taken from every count, and
what that frees goes to the next shorter context, where not occurrences count but how many
different bytes come before. The last resort is the uniform distribution over 256 bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_BYTES = 256
_BEFORE = b"\n\n"  # stands before a text
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Trigram:
    """A fitted model.

    Attributes:
        bits: float32 [256 * 256 * 256], -log2 of the probability of byte c after bytes a and b,
            at a * 65536 + b * 256 + c.
    """

    bits: NDArray[np.float32]

    def bits_per_byte(self, text: bytes) -> float:
        """Return the mean bits per byte of a text, every byte of it scored."""
        assert text
        parts = [self.bits[places].sum(dtype=np.float64) for places in _trigrams(text)]
        return float(np.sum(parts) / len(text))

    def entropies(self, text: bytes) -> NDArray[np.float64]:
        """Return [n] bits, the entropy of the distribution of each byte given the two before."""
        data = np.frombuffer(_BEFORE + text, dtype=np.uint8).astype(np.int64)
        return np.asarray(self._entropy_of_context[data[:-2] * _BYTES + data[1:-1]])

    @cached_property
    def _entropy_of_context(self) -> NDArray[np.float64]:
        bits = self.bits.reshape(-1, _BYTES)
        return np.asarray(np.einsum("ab,ab->a", np.exp2(-bits), bits, dtype=np.float64))


def fitted(text: bytes) -> Trigram:
    """Return the model of `text`; 48 MB take seconds and some 400 MB of memory."""
    counts = np.zeros(_BYTES**3, dtype=np.int64)
    for places in _trigrams(text):
        counts += np.bincount(places, minlength=_BYTES**3)
    seen = counts.reshape(_BYTES, _BYTES, _BYTES)
    before_two = (seen > 0).sum(axis=0)  # [b, c] different bytes a
    before_one = (before_two > 0).sum(axis=0)  # [c] different bytes b
    uniform = np.full(_BYTES, 1 / _BYTES)
    one = _smoothed(before_one[None], _discount(before_one), uniform)[0]
    two = _smoothed(before_two, _discount(before_two), one)
    discount = _discount(counts)
    bits = np.empty(seen.shape, dtype=np.float32)
    for first in range(_BYTES):  # 256 small tables need less memory than a large one
        bits[first] = -np.log2(_smoothed(seen[first], discount, two))
    return Trigram(bits.reshape(-1))


def _smoothed(
    counts: NDArray[np.int64], discount: float, shorter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return probabilities [contexts, 256]; `shorter` is [256], or one row for each context."""
    totals = counts.sum(axis=1, keepdims=True)
    freed = discount * (counts > 0).sum(axis=1, keepdims=True)
    mixed = np.maximum(counts - discount, 0) + freed * shorter
    # A context never seen tells nothing: the shorter one speaks for it.
    return np.asarray(np.where(totals > 0, mixed / np.maximum(totals, 1), shorter))


def _discount(counts: NDArray[np.int64]) -> float:
    # Ney's estimate n1 / (n1 + 2 n2), from how many were counted once and twice; the additions
    # keep it inside (0, 1) where there are none.
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return (once + 0.5) / (once + 2 * twice + 1)


def _trigrams(text: bytes) -> Iterator[NDArray[np.int32]]:
    data = np.frombuffer(_BEFORE + text, dtype=np.uint8)
    for low in range(0, len(text), _AT_ONCE):
        part = data[low : low + _AT_ONCE + 2].astype(np.int32)
        yield part[:-2] * _BYTES**2 + part[1:-1] * _BYTES + part[2:]
