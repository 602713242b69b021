"""Bytes of tokens that are not whole characters: can they stand in a text, and in which?

A token cut anywhere out of valid UTF-8 is the tail of one character, whole characters, and the head
of another. Some tokens are no such cut (0xC0 is in no text), and can never be encoded to.
"""

import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice, zip_longest
from typing import NamedTuple

LAST_POINT = 0x10FFFF
MOST_CHARACTERS = 4096  # all that complete a lead byte of three-byte characters
_SURROGATES = range(0xD800, 0xE000)


class Cut(NamedTuple):
    """A token's bytes as a cut out of text.

    Attributes:
        tail: the continuation bytes in front, the end of a character that began before.
        middle: whole characters.
        head: the first bytes of a character that is not complete.
    """

    tail: bytes
    middle: str
    head: bytes


def cut_of(raw: bytes) -> Cut | None:
    """Return how `raw` can be cut out of valid UTF-8, or None where it cannot."""
    inside = 0
    while inside < min(len(raw), 4) and raw[inside] & 0xC0 == 0x80:
        inside += 1
    tail, rest = raw[:inside], raw[inside:]
    for missing in range(4):
        if missing > len(rest):
            return None
        whole = rest[: len(rest) - missing]
        head = rest[len(rest) - missing :]
        try:
            middle = whole.decode("utf-8")
        except UnicodeDecodeError:
            continue
        cut = Cut(tail, middle, head)
        # The tail alone may lie in the middle of one character.
        possible = next(points_around(tail), None) is not None if tail else True
        if possible and (not head or next(points_from(head), None) is not None):
            return cut
        return None
    return None


def texts_around(cut: Cut, most: int) -> Iterator[str]:
    """Yield up to `most` texts whose UTF-8 holds the cut, characters in use before others."""
    if not cut.middle and not cut.head:
        yield from _characters(points_around, cut.tail, most)
        return
    tails = _characters(points_ending, cut.tail, most)
    heads = _characters(points_from, cut.head, most)
    for place in range(max(len(tails), len(heads))):
        # Different tails with different heads: not every pair, but each of either.
        yield tails[place % len(tails)] + cut.middle + heads[place % len(heads)]


def points_from(head: bytes) -> Iterator[int]:
    """Yield the code points whose UTF-8 begins with `head`, an incomplete character."""
    lead = head[0]
    size = 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4
    if lead < 0xC2 or lead > 0xF4 or len(head) >= size:
        return
    known = lead & (0x7F >> size)
    for byte in head[1:]:
        if byte & 0xC0 != 0x80:
            return
        known = known << 6 | byte & 0x3F
    left = 6 * (size - len(head))
    for point in range(known << left, (known + 1) << left):
        if _is_text(point) and len(chr(point).encode()) == size:
            yield point


def points_ending(tail: bytes) -> Iterator[int]:
    """Yield the code points whose UTF-8 ends with `tail`, and has more before it."""
    low = 0
    for byte in tail:
        low = low << 6 | byte & 0x3F
    if len(tail) > 3:
        return
    for point in range(low, LAST_POINT + 1, 1 << 6 * len(tail)):
        if point >= 0x80 and _is_text(point) and len(chr(point).encode()) > len(tail):
            yield point


def points_around(tail: bytes) -> Iterator[int]:
    """Yield the code points whose UTF-8 holds the continuation bytes `tail` after its first."""
    yield from points_ending(tail)
    for more in range(1, 4 - len(tail)):
        low = 0
        for byte in tail:
            low = low << 6 | byte & 0x3F
        step = 1 << 6 * (len(tail) + more)
        for base in range(0, LAST_POINT + 1, step):
            start = base + (low << 6 * more)
            for point in range(start, min(start + (1 << 6 * more), LAST_POINT + 1)):
                if point >= 0x800 and _is_text(point) and tail in chr(point).encode()[1:]:
                    yield point


def _is_text(point: int) -> bool:
    return point <= LAST_POINT and point not in _SURROGATES


@lru_cache(maxsize=4096)
def _characters(
    points: Callable[[bytes], Iterator[int]], part: bytes, most: int
) -> tuple[str, ...]:
    """Return up to `most` characters that hold the part: in turn one that is in use and one that
    is not, each kind spread evenly; an empty text for an empty part."""
    if not part:
        return ("",)
    known = list(islice(points(part), MOST_CHARACTERS))
    used = [point for point in known if unicodedata.category(chr(point)) not in ("Cn", "Co")]
    taken = set(used)
    unused = [point for point in known if point not in taken]
    chosen = zip_longest(_spread(used, most), _spread(unused, most))
    return tuple(chr(point) for pair in chosen for point in pair if point is not None)[:most]


def _spread(points: list[int], most: int) -> list[int]:
    if len(points) <= most:
        return points
    return [points[i * len(points) // most] for i in range(most)]
