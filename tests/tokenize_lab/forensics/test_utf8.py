"""Cuts through characters: what can stand in a text, and the texts that hold it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenize_lab.forensics.utf8 import cut_of, texts_around


@given(st.text(min_size=1, max_size=6), st.data())
def test_every_slice_of_a_text_is_a_cut_with_texts_that_hold_it(
    text: str, data: st.DataObject
) -> None:
    raw = text.encode()
    start = data.draw(st.integers(0, len(raw) - 1))
    part = raw[start : data.draw(st.integers(start + 1, len(raw)))]
    cut = cut_of(part)
    assert cut is not None
    assert cut.tail + cut.middle.encode() + cut.head == part
    texts = list(texts_around(cut, 4))
    assert texts and all(part in one.encode() for one in texts)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xc0", b"\xc1\x80", b"\xf5", b"\xff",  # bytes of no character
        b"\xe0\x80", b"\xf0\x80", b"\xf4\x90",  # longer than need be, and beyond U+10FFFF
        b"\xed\xa0", b"\xed\xa0\x80",  # surrogates
        b"\xc3A", b"\xe4\xb8A", b"a\xc3a",  # broken off in the middle
        b"\x80\x80\x80\x80",  # no character has four more bytes
        b"\xc3\xc3",
    ],
)  # fmt: skip
def test_what_no_text_holds(raw: bytes) -> None:
    assert cut_of(raw) is None


def test_two_byte_strings_are_cuts_exactly_if_some_text_holds_them() -> None:
    """Characters up to U+2FFF and every 61st beyond hold all pairs of bytes there are inside one;
    last bytes of some before first bytes of others are the rest."""
    pairs: set[bytes] = set()
    inner: set[bytes] = set()
    first, last = set(), set()
    for point in [*range(0x3000), *range(0x3000, 0x110000, 61)]:
        if 0xD800 <= point < 0xE000:
            continue
        raw = chr(point).encode()
        inner |= {raw[i : i + 2] for i in range(len(raw) - 1)}
        first.add(raw[:1])
        last.add(raw[-1:])
    pairs = inner | {a + b for a in last for b in first}
    for a in range(0x7F, 256):
        for b in range(0x7F, 256):
            assert (cut_of(bytes([a, b])) is not None) == (bytes([a, b]) in pairs), (a, b)
