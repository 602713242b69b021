"""What the adapters share: flat arrays of ids, and state small enough to send to a worker."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from tokenize_lab.tokenizer import Encoding


def encoding_of(encode: Callable[[str], list[int]], texts: Iterable[str]) -> Encoding:
    """Encode each text with `encode` and lay the ids end to end.

    `array.extend` copies a list of small integers faster than any of numpy's ways in.
    """
    ids = array("I")
    ends = array("q")
    for text in texts:
        ids.extend(encode(text))
        ends.append(len(ids))
    return flat_encoding(ids, ends)


def flat_encoding(ids: "array[int]", ends: "array[int]") -> Encoding:
    """Return the encoding whose ids are `ids`, text `i` ending before `ends[i]`."""
    assert ids.itemsize == 4 and ends.itemsize == 8
    if not ids:
        return Encoding(np.zeros(0, np.uint32), np.zeros(len(ends), np.int64))
    return Encoding(
        np.frombuffer(ids, np.uint32), np.diff(np.frombuffer(ends, np.int64), prepend=np.int64(0))
    )


def interleaved(first: Sequence[bool], one: Encoding, other: Encoding) -> Encoding:
    """Return the encoding of texts of which those marked are in `one`, the rest in `other`."""
    marked = np.array(first)
    lengths = np.zeros(len(marked), np.int64)
    lengths[marked], lengths[~marked] = one.lengths, other.lengths
    of_one = np.repeat(marked, lengths)
    ids = np.zeros(len(of_one), np.uint32)
    ids[of_one], ids[~of_one] = one.ids, other.ids
    return Encoding(ids, lengths)


def declared_fields(instance: Any) -> dict[str, Any]:
    """Return a dataclass's declared fields only: what is derived is built again on demand.

    Used as `__getstate__`, so that a worker is sent the vocabulary and not a library's object.
    """
    return {field.name: getattr(instance, field.name) for field in fields(instance)}
